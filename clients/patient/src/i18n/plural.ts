/** "1 set", "3 sets": English and Spanish tell one from any other number. */
export function plural(count: number, one: string, other: string): string {
  return `${count} ${count === 1 ? one : other}`;
}

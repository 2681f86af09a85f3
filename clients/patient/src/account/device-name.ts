/** What the patient and the clinic read in the list of signed-in devices. */
export function deviceName(userAgent: string): string {
  const device =
    [
      [/iPhone/, "iPhone"],
      [/iPad/, "iPad"],
      [/Android.*Mobile/, "Android phone"],
      [/Android/, "Android tablet"],
      [/Windows/, "Windows computer"],
      [/Macintosh/, "Mac"],
      [/CrOS/, "Chromebook"],
      [/Linux/, "Linux computer"],
    ].find(([pattern]) => (pattern as RegExp).test(userAgent))?.[1] ?? "Browser";
  return String(device);
}

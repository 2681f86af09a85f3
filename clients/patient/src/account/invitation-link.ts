/** The token in a pasted invitation link, or in what is left of one; undefined if there is none. */
export function invitationToken(pasted: string): string | undefined {
  return /#\/?invitation\/([^\s/?#]+)/.exec(pasted.trim())?.[1];
}

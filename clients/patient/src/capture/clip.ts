/** Largest video that the server takes. */
export const LARGEST_BYTES = 2 ** 30;

export type ClipFault = "empty" | "notVideo" | "tooLarge";

/** What speaks against a chosen file; the server looks at its content, this only spares a useless wait. */
export function clipFault(file: Pick<File, "size" | "type" | "name">): ClipFault | undefined {
  if (file.size === 0) return "empty";
  if (file.size > LARGEST_BYTES) return "tooLarge";
  // Some phones give no type for a video that came from elsewhere.
  if (file.type && !file.type.startsWith("video/")) return "notVideo";
  if (!file.type && !/\.(mp4|m4v|mov|webm|mkv)$/i.test(file.name)) return "notVideo";
  return undefined;
}

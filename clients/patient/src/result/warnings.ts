/** What concerns the clinic's machines, not the patient. */
const TECHNICAL = new Set(["sandbox_reduced", "assumed_rate"]);

/** The warnings that a patient can make use of, in the patient's words where there are some. */
export function warningsFor(
  warnings: readonly { code: string; message: string }[],
  words: Record<string, string>,
): string[] {
  return warnings
    .filter(({ code }) => !TECHNICAL.has(code))
    .map(({ code, message }) => words[code] ?? message);
}

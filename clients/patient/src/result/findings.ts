import type { Exercise, MovementAnalysis } from "../api/types";
import type { Language } from "../i18n/preferred";

/** One fault of form, with how often it was seen and what helps against it. */
export interface Advice {
  code: string;
  label: string;
  advice: string | undefined;
  severity: "info" | "minor" | "major";
  repetitions: number;
}

const WEIGHT = { major: 0, minor: 1, info: 2 };

/** The findings of all repetitions, each fault once, the gravest and most frequent first. */
export function adviceOf(analysis: MovementAnalysis, exercise: Exercise, language: Language): Advice[] {
  const byCode = new Map<string, Advice>();
  for (const { findings } of analysis.repetitions) {
    const seen = new Set<string>();
    for (const { code, label, severity } of findings) {
      if (seen.has(code)) continue; // Twice in one repetition is still one repetition.
      seen.add(code);
      const known = byCode.get(code);
      const rule = exercise.form_rules.find((each) => each.code === code);
      const worse = known && WEIGHT[known.severity] < WEIGHT[severity] ? known.severity : severity;
      byCode.set(code, {
        code,
        label: rule?.label[language] ?? label,
        advice: rule?.advice[language],
        severity: worse,
        repetitions: (known?.repetitions ?? 0) + 1,
      });
    }
  }
  return [...byCode.values()].sort(
    (one, other) => WEIGHT[one.severity] - WEIGHT[other.severity] || other.repetitions - one.repetitions,
  );
}

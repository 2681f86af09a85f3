import { describe, expect, it } from "vitest";
import type { Exercise, MovementAnalysis } from "../api/types";
import { adviceOf } from "./findings";
import { warningsFor } from "./warnings";

const squat = {
  form_rules: [
    {
      code: "knees_in",
      label: { en: "Knees fall in", es: "Las rodillas se juntan" },
      advice: { en: "Push them out.", es: "Empújelas hacia afuera." },
    },
  ],
} as Exercise;

type Finding = MovementAnalysis["repetitions"][number]["findings"][number];

function analysis(...repetitions: Partial<Finding>[][]): MovementAnalysis {
  return { repetitions: repetitions.map((findings) => ({ findings })) } as MovementAnalysis;
}

describe("what to work on", () => {
  it("names each fault once, with the number of repetitions it was seen in", () => {
    const twice = { code: "knees_in", label: "x", severity: "minor" } as const;
    const advices = adviceOf(analysis([twice, twice], [twice], []), squat, "es");
    expect(advices).toEqual([
      {
        code: "knees_in",
        label: "Las rodillas se juntan",
        advice: "Empújelas hacia afuera.",
        severity: "minor",
        repetitions: 2,
      },
    ]);
  });

  it("begins with the gravest, then with the most frequent", () => {
    const finding = (code: string, severity: Finding["severity"]) => ({ code, label: code, severity });
    const advices = adviceOf(
      analysis(
        [finding("a", "info"), finding("b", "minor"), finding("c", "minor")],
        [finding("a", "info"), finding("c", "minor"), finding("d", "major")],
      ),
      squat,
      "en",
    );
    expect(advices.map(({ code }) => code)).toEqual(["d", "c", "b", "a"]);
  });

  it("takes a fault as seriously as in its worst repetition", () => {
    const found = (severity: Finding["severity"]) => [{ code: "a", label: "A", severity }];
    expect(adviceOf(analysis(found("major"), found("info")), squat, "en")[0]?.severity).toBe("major");
    expect(adviceOf(analysis(found("info"), found("major")), squat, "en")[0]?.severity).toBe("major");
  });
});

describe("good to know", () => {
  it("is said in the patient's words, and machine matters are left to the clinic", () => {
    const warnings = [
      { code: "dark", message: "The picture is dark." },
      { code: "sandbox_reduced", message: "No network namespace." },
      { code: "new_kind", message: "Something new." },
    ];
    expect(warningsFor(warnings, { dark: "Más luz." })).toEqual(["Más luz.", "Something new."]);
  });
});

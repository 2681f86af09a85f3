import { describe, expect, it } from "vitest";
import { en } from "./en";
import { es } from "./es";
import { formats } from "./format";
import { preferred } from "./preferred";

type Leaf = string | ((...values: never[]) => string);

function leaves(part: object, at = ""): [string, Leaf][] {
  return Object.entries(part).flatMap(([name, value]: [string, Leaf | object]) =>
    typeof value === "object" ? leaves(value, `${at}${name}.`) : [[`${at}${name}`, value] as [string, Leaf]],
  );
}

function spoken(leaf: Leaf): string {
  return typeof leaf === "string" ? leaf : leaf(...(["7", "7", "7"] as never[]));
}

// Names and words that are the same in both languages.
const SHARED = new Set(["app.name"]);

describe("the two catalogues", () => {
  const english = new Map(leaves(en));
  const spanish = new Map(leaves(es));

  it("say the same things, and nothing is left out", () => {
    expect([...spanish.keys()].sort()).toEqual([...english.keys()].sort());
  });

  it("have words for everything, and not the same words", () => {
    const wordless = [...english].filter(
      ([key, leaf]) => !spoken(leaf).trim() || !spoken(spanish.get(key) ?? "").trim(),
    );
    const untranslated = [...english].filter(
      ([key, leaf]) => !SHARED.has(key) && spoken(leaf) === spoken(spanish.get(key) ?? ""),
    );
    expect(wordless).toEqual([]);
    expect(untranslated).toEqual([]);
  });

  it("put every value into the sentence", () => {
    for (const [key, leaf] of [...english, ...spanish]) {
      if (typeof leaf !== "function") continue;
      const marks = Array.from({ length: leaf.length }, (_, index) => `«${index}»`);
      const sentence = leaf(...(marks as never[]));
      for (const mark of marks) expect(sentence, key).toContain(mark);
    }
  });

  it("count in the singular and in the plural", () => {
    expect([en.dose.sets(1), en.dose.sets(3)]).toEqual(["1 set", "3 sets"]);
    expect([es.dose.repetitions(1), es.dose.repetitions(10)]).toEqual(["1 repetición", "10 repeticiones"]);
  });
});

describe("the language", () => {
  it("is the first that the device asks for and that we speak", () => {
    expect(preferred(["fr-FR", "es-MX", "en-US"])).toBe("es");
    expect(preferred(["de-DE"])).toBe("en");
  });

  it("writes a patient-local date as that date, wherever the device is", () => {
    expect(formats("en").day("2026-03-08")).toBe("Sunday, March 8");
    expect(formats("es").day("2026-03-08")).toBe("domingo, 8 de marzo");
  });

  it("writes numbers the way its readers do", () => {
    expect(formats("es").number(2.5, 1)).toBe("2,5");
    expect(formats("en").clock(125.9)).toBe("2:05");
    expect(formats("en").bytes(654112)).toBe("0.7 MB");
  });
});

import { describe, expect, it } from "vitest";
import { linear, path, segments, ticks, valueAt } from "./scale";

describe("the rep curve", () => {
  it("puts the first second at the left edge and the last at the right", () => {
    const x = linear([2, 12], [40, 340]);
    expect([x(2), x(7), x(12)]).toEqual([40, 190, 340]);
  });

  it("draws larger angles higher up, though a drawing counts downwards", () => {
    const y = linear([0, 100], [200, 10]);
    expect(y(100)).toBeLessThan(y(0));
  });

  it("shows a body that did not move in the middle, not at infinity", () => {
    expect(linear([30, 30], [0, 100])(30)).toBe(50);
  });

  it("labels its axis with round degrees that cover every value", () => {
    expect(ticks(3.2, 94.7, 4)).toEqual([0, 50, 100]);
    expect(ticks(-7, 12, 4)).toEqual([-10, -5, 0, 5, 10, 15]);
    expect(ticks(0, 1, 4)).toEqual([0, 0.5, 1]);
    expect(ticks(5, 5, 4).length).toBeGreaterThanOrEqual(2);
  });

  it("leaves a gap where the body was out of sight instead of drawing across it", () => {
    const lines = segments([0, 1, 2, 3, 4, 5], [10, 20, null, 40, 50, Number.NaN]);
    expect(lines).toEqual([
      [
        [0, 10],
        [1, 20],
      ],
      [
        [3, 40],
        [4, 50],
      ],
    ]);
  });

  it("writes one line for each stretch", () => {
    const same = (value: number) => value;
    expect(
      path(
        [
          [0, 1],
          [2, 3.25],
        ],
        same,
        same,
      ),
    ).toBe("M0.0 1.0L2.0 3.3");
  });

  it("finds the height of a repetition's mark between two samples", () => {
    expect(valueAt([0, 1, 2], [0, 10, 30], 1.5)).toBe(20);
    expect(valueAt([0, 1, 2], [0, null, 30], 1.5)).toBe(30);
    expect(valueAt([0, 1, 2], [0, 10, 30], 9)).toBeUndefined();
  });
});

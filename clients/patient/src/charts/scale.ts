/** The rep curve's geometry: from seconds and degrees to places in a drawing. Pure. */

export type Scale = (value: number) => number;

/** A straight line from `domain` to `range`; a domain without extent maps to the middle of the range. */
export function linear(domain: [number, number], range: [number, number]): Scale {
  const [from, to] = domain;
  const [start, end] = range;
  if (from === to) return () => (start + end) / 2;
  return (value) => start + ((value - from) / (to - from)) * (end - start);
}

/** About `count` round numbers that cover `[low, high]`, the outer two at or beyond its ends. */
export function ticks(low: number, high: number, count: number): number[] {
  const step = roundStep((high > low ? high - low : 1) / count);
  const first = Math.floor(low / step);
  const last = Math.max(Math.ceil(high / step), first + 1);
  return Array.from({ length: last - first + 1 }, (_, index) => tidy((first + index) * step));
}

/** Lines to draw, broken where the body was not seen (null). */
export function segments(times: number[], values: (number | null)[]): [number, number][][] {
  const found: [number, number][][] = [];
  let current: [number, number][] = [];
  times.forEach((time, index) => {
    const value = values[index];
    if (value === null || value === undefined || !Number.isFinite(value)) {
      if (current.length > 1) found.push(current);
      current = [];
    } else current.push([time, value]);
  });
  if (current.length > 1) found.push(current);
  return found;
}

export function path(points: [number, number][], x: Scale, y: Scale): string {
  return points
    .map(([time, value], index) => `${index ? "L" : "M"}${x(time).toFixed(1)} ${y(value).toFixed(1)}`)
    .join("");
}

/** The value of the curve at a moment, between its neighbours; undefined outside of what was seen. */
export function valueAt(times: number[], values: (number | null)[], moment: number): number | undefined {
  const after = times.findIndex((time) => time >= moment);
  if (after < 0) return undefined;
  const before = Math.max(0, after - 1);
  const [t0, t1] = [times[before] ?? moment, times[after] ?? moment];
  const [v0, v1] = [values[before], values[after]];
  if (v0 == null || v1 == null) return v1 ?? v0 ?? undefined;
  return t0 === t1 ? v1 : v0 + ((moment - t0) / (t1 - t0)) * (v1 - v0);
}

function roundStep(rough: number): number {
  const power = 10 ** Math.floor(Math.log10(rough));
  const factor = [1, 2, 5, 10].find((candidate) => candidate * power >= rough * (1 - 1e-9)) ?? 10;
  return factor * power;
}

function tidy(value: number): number {
  return Number(value.toPrecision(12));
}

import { linear, path, segments, ticks, valueAt } from "../charts/scale";
import { useText } from "../i18n/text";

export interface Mark {
  /** As people count: the first is 1. */
  number: number;
  peakS: number;
  counted: boolean;
}

interface RepCurveProps {
  times: number[];
  values: (number | null)[];
  marks: Mark[];
}

const WIDTH = 400;
const HEIGHT = 240;
const EDGE = { top: 28, right: 12, bottom: 44, left: 48 };
/** Between a mark and its number, which stands on the outer side of the curve. */
const ABOVE = -12;
const BELOW = 23;

/** The joint angle over time, with a mark at the turning point of each repetition. */
export function RepCurve({ times, values, marks }: RepCurveProps) {
  const { t, format } = useText();
  const seen = values.filter((value): value is number => value !== null);
  const first = times[0] ?? 0;
  const last = times.at(-1) ?? 1;
  if (seen.length < 2) return null;
  const levels = ticks(Math.min(...seen), Math.max(...seen), 4);
  const x = linear([first, last], [EDGE.left, WIDTH - EDGE.right]);
  const y = linear([levels[0] ?? 0, levels.at(-1) ?? 1], [HEIGHT - EDGE.bottom, EDGE.top]);
  const middle = ((levels[0] ?? 0) + (levels.at(-1) ?? 0)) / 2;
  const seconds = ticks(first, last, 4).filter((second) => second >= first && second <= last);
  const counted = marks.filter((mark) => mark.counted).length;
  const alt = t.result.curveAlt(counted, marks.length - counted, format.number(last - first));
  return (
    <svg class="curve" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={alt}>
      {levels.map((level) => (
        <g key={level}>
          <line class="curve-grid" x1={EDGE.left} x2={WIDTH - EDGE.right} y1={y(level)} y2={y(level)} />
          <text class="curve-tick" x={EDGE.left - 8} y={y(level) + 5} text-anchor="end">
            {format.degrees(level)}
          </text>
        </g>
      ))}
      {seconds.map((second) => (
        <text key={second} class="curve-tick" x={x(second)} y={HEIGHT - 6} text-anchor="middle">
          {format.number(second, 1)} s
        </text>
      ))}
      {segments(times, values).map((points) => (
        <path key={points[0]?.[0]} class="curve-line" d={path(points, x, y)} />
      ))}
      {marks.map((mark) => {
        const height = valueAt(times, values, mark.peakS);
        if (height === undefined) return null;
        return (
          <g key={mark.number} class={mark.counted ? "curve-mark" : "curve-mark curve-mark-partial"}>
            <circle cx={x(mark.peakS)} cy={y(height)} r={6} />
            <text
              x={x(mark.peakS)}
              y={y(height) + (height < middle && mark.counted ? BELOW : ABOVE)}
              text-anchor="middle"
            >
              {mark.number}
            </text>
          </g>
        );
      })}
    </svg>
  );
}

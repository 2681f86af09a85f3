import { useText } from "../i18n/text";

const RADIUS = 52;
const AROUND = 2 * Math.PI * RADIUS;

/** The score from 0 to 100 as a ring, said in words for those who cannot see it. */
export function Score({ score }: { score: number }) {
  const { t, format } = useText();
  const rounded = format.number(Math.round(score));
  const filled = (Math.min(100, Math.max(0, score)) / 100) * AROUND;
  return (
    <svg class="score" viewBox="0 0 120 120" role="img" aria-label={t.result.scoreOf(rounded)}>
      <circle class="score-track" cx="60" cy="60" r={RADIUS} />
      <circle
        class="score-fill"
        cx="60"
        cy="60"
        r={RADIUS}
        stroke-dasharray={`${filled.toFixed(1)} ${AROUND.toFixed(1)}`}
        transform="rotate(-90 60 60)"
      />
      <text class="score-figure" x="60" y="72" text-anchor="middle">
        {rounded}
      </text>
    </svg>
  );
}

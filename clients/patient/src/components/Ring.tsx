interface RingProps {
  /** 0 to 1. */
  fraction: number;
  figure: string;
}

const RADIUS = 20;
const AROUND = 2 * Math.PI * RADIUS;

/** How much of an exercise is done, as a ring; the words beside it say the same. */
export function Ring({ fraction, figure }: RingProps) {
  const filled = Math.min(1, Math.max(0, fraction)) * AROUND;
  return (
    <svg class="ring" viewBox="0 0 48 48" aria-hidden="true" focusable="false">
      <circle cx="24" cy="24" r={RADIUS} />
      {filled > 0 && (
        <circle
          class="ring-fill"
          cx="24"
          cy="24"
          r={RADIUS}
          stroke-dasharray={`${filled.toFixed(1)} ${AROUND.toFixed(1)}`}
          transform="rotate(-90 24 24)"
        />
      )}
      {fraction >= 1 ? (
        <path class="ring-done" d="M16 24.5l5.5 5.5L32 19" />
      ) : (
        <text class="ring-figure" x="24" y="29.5" text-anchor="middle">
          {figure}
        </text>
      )}
    </svg>
  );
}

import type { MovementAnalysis } from "../api/types";
import { Progress } from "../components/Progress";
import { Score } from "../components/Score";
import { useText } from "../i18n/text";

const PARTS = ["range", "form", "consistency", "tracking"] as const;

/** The score, and the parts it is made of. */
export function Quality({ quality }: { quality: MovementAnalysis["quality"] }) {
  const { t } = useText();
  return (
    <section class="card stack" aria-labelledby="score">
      <h2 id="score">{t.result.score}</h2>
      <div class="score-row">
        <Score score={quality.score} />
        <div class="parts">
          {PARTS.map((part) => {
            const value = quality.components[part];
            const label = t.result.components[part];
            return value === null ? (
              <p key={part} class="fine">
                {label}: {t.result.componentUnknown}
              </p>
            ) : (
              <Progress key={part} label={label} fraction={value / 100} />
            );
          })}
        </div>
      </div>
    </section>
  );
}

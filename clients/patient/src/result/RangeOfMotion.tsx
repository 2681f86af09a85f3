import type { MovementAnalysis } from "../api/types";
import { useText } from "../i18n/text";

/** Range of motion with its expected error, or why there is none. */
export function RangeOfMotion({ rom, target }: { rom: MovementAnalysis["rom"]; target: number | null }) {
  const { t, format } = useText();
  return (
    <section class="card stack" aria-labelledby="rom">
      <h2 id="rom">{t.result.rom}</h2>
      {rom === null ? (
        <p>{t.result.romNone}</p>
      ) : (
        <>
          <dl class="figures">
            <Figure name={t.result.romMedian} value={format.degrees(rom.median_deg)} />
            <Figure name={t.result.romBest} value={format.degrees(rom.best_deg)} />
            {target !== null && <Figure name={t.result.target} value={format.degrees(target)} />}
          </dl>
          <p class="fine">
            {rom.error_deg === null
              ? t.result.romErrorUnknown
              : t.result.romError(`±${format.degrees(rom.error_deg)}`)}
          </p>
        </>
      )}
    </section>
  );
}

function Figure({ name, value }: { name: string; value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

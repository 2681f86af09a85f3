import type { AngleCurve, MovementAnalysis } from "../api/types";
import { RepCurve } from "../components/RepCurve";
import { useText } from "../i18n/text";

interface CurveProps {
  curve: AngleCurve;
  repetitions: MovementAnalysis["repetitions"];
}

/** The movement over time, as a drawing and, for whoever cannot see it, as a table of its repetitions. */
export function Curve({ curve, repetitions }: CurveProps) {
  const { t, format } = useText();
  const marks = repetitions.map(({ peak_s, counted }, index) => ({
    number: index + 1,
    peakS: peak_s,
    counted,
  }));
  return (
    <section class="card stack" aria-labelledby="curve">
      <h2 id="curve">{t.result.curve}</h2>
      <RepCurve times={curve.t_s} values={curve.deg} marks={marks} />
      <details>
        <summary>{t.result.curveTable}</summary>
        <table>
          <caption class="visually-hidden">{t.result.curve}</caption>
          <thead>
            <tr>
              <th scope="col">{t.result.repetition}</th>
              <th scope="col">{t.result.repetitionRom}</th>
              <th scope="col">{t.result.repetitionTime}</th>
              <th scope="col">{t.result.repetitionKind}</th>
            </tr>
          </thead>
          <tbody>
            {repetitions.map((each, index) => (
              <tr key={each.index}>
                <th scope="row">{index + 1}</th>
                <td>{format.degrees(each.rom_deg)}</td>
                <td>{format.number(each.end_s - each.start_s, 1)} s</td>
                <td>{each.counted ? t.result.full : t.result.small}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </details>
    </section>
  );
}

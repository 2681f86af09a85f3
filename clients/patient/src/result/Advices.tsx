import { useText } from "../i18n/text";
import type { Advice } from "./findings";

/** What to work on, in plain words. */
export function Advices({ advices, repetitions }: { advices: Advice[]; repetitions: number }) {
  const { t } = useText();
  return (
    <section class="card stack" aria-labelledby="advice">
      <h2 id="advice">{t.result.findings}</h2>
      {advices.length === 0 ? (
        <p>{t.result.findingsNone}</p>
      ) : (
        <ul class="findings">
          {advices.map((each) => (
            <li key={each.code} class="finding">
              <strong>{each.label}</strong>
              {each.advice && <span>{each.advice}</span>}
              <span class="fine">{t.result.findingIn(each.repetitions, repetitions)}</span>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

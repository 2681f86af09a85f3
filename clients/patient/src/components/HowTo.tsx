import type { Exercise, PlannedExercise } from "../api/types";
import { useText } from "../i18n/text";
import { href } from "../router";
import { useDose } from "./dose";

/** What to do, how, and how to stay safe: the library's own words, and the therapist's note. */
export function HowTo({ planned, info }: { planned: PlannedExercise; info: Exercise }) {
  const { t, format, language } = useText();
  const dose = useDose();
  const text = info.instructions[language];
  const { camera } = info;
  return (
    <>
      <section class="card stack">
        <p class="exercise-name">{dose(planned)}</p>
        <p class="fine">{t.dose.perWeek(planned.days_per_week)}</p>
        {planned.target_rom_deg !== null && (
          <p class="fine">{t.dose.target(format.degrees(planned.target_rom_deg))}</p>
        )}
        {planned.notes && (
          <p>
            <strong>{t.dose.from}:</strong> {planned.notes}
          </p>
        )}
      </section>
      {planned.session_ids.length > 0 && (
        <section class="stack" aria-labelledby="earlier">
          <h2 id="earlier">{t.exercise.earlier}</h2>
          {planned.session_ids.map((id, index) => (
            <a key={id} class="button button-second" href={href({ name: "session", id })}>
              {t.exercise.earlierOpen(index + 1)}
            </a>
          ))}
        </section>
      )}
      <p>{text.summary}</p>
      <section class="card stack" aria-labelledby="set-up">
        <h2 id="set-up">{t.exercise.setUp}</h2>
        <ul class="bullets">
          {text.set_up.map((line) => (
            <li key={line}>{line}</li>
          ))}
        </ul>
      </section>
      <section class="card stack" aria-labelledby="steps">
        <h2 id="steps">{t.exercise.steps}</h2>
        <ol class="steps">
          {text.steps.map((line) => (
            <li key={line}>{line}</li>
          ))}
        </ol>
      </section>
      <section class="card stack" aria-labelledby="safety">
        <h2 id="safety">{t.exercise.safety}</h2>
        <ul class="bullets">
          {text.safety.map((line) => (
            <li key={line}>{line}</li>
          ))}
        </ul>
      </section>
      <section class="card stack" aria-labelledby="camera">
        <h2 id="camera">{t.exercise.camera}</h2>
        <p>
          {t.exercise.distance(format.number(camera.distance_m, 1))}, {t.exercise.height[camera.height]},{" "}
          {t.exercise.view[camera.view]}, {t.exercise.orientation[camera.orientation]}.
        </p>
        <p>{camera.framing[language]}</p>
        <p>{camera.tip[language]}</p>
      </section>
    </>
  );
}

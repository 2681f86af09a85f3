import type { PlannedExercise } from "../api/types";
import { useText } from "../i18n/text";
import { href } from "../router";
import { useDose } from "./dose";
import { NextIcon } from "./icons";
import { Ring } from "./Ring";

export function ExerciseCard({ planned, name }: { planned: PlannedExercise; name: string }) {
  const { t } = useText();
  const dose = useDose();
  const { done, prescribed } = planned;
  return (
    <li>
      <a
        class="card exercise-card"
        href={href({
          name: "exercise",
          prescriptionId: planned.prescription_id,
        })}
      >
        <Ring
          fraction={planned.complete ? 1 : done.repetitions / Math.max(1, prescribed.repetitions)}
          figure={`${done.sets}/${prescribed.sets}`}
        />
        <span>
          <span class="exercise-name">{name}</span>
          <span class="exercise-dose">{dose(planned)}</span>
          {planned.due === "this_week" && (
            <span class="exercise-dose">
              {t.today.days(planned.days_done_this_week, planned.days_per_week)}
            </span>
          )}
          <span class="exercise-dose">
            {planned.complete ? t.today.done : t.today.progress(done.sets, prescribed.sets)}
          </span>
        </span>
        <NextIcon />
      </a>
    </li>
  );
}

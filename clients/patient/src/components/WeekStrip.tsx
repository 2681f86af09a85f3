import type { PatientCompliance } from "../api/types";
import { weekDays } from "../charts/week";
import { useText } from "../i18n/text";
import { CheckIcon } from "./icons";

/** The week at a glance: seven days and how much of what was due is done. */
export function WeekStrip({ week, today }: { week: PatientCompliance; today: string }) {
  const { t, format } = useText();
  return (
    <section class="card week" aria-labelledby="week-title">
      <div class="week-head">
        <h2 id="week-title">{t.today.week}</h2>
        <p class="fine">
          {week.score === null ? t.today.weekNone : t.today.weekScore(format.percent(week.score))}
        </p>
      </div>
      <ol class="week-days">
        {weekDays(week, today).map(({ date, state }) => (
          <li key={date} class="week-day" aria-current={date === today ? "date" : undefined}>
            <span aria-hidden="true">{format.weekday(date, "narrow")}</span>
            <span class={`week-dot week-dot-${state}`}>{state === "done" && <CheckIcon />}</span>
            <span class="visually-hidden">
              {format.weekday(date, "long")}: {t.today.dayState[state]}
            </span>
          </li>
        ))}
      </ol>
      <p class="fine">{t.today.weekFormula}</p>
    </section>
  );
}

import type { DayCompliance, PatientCompliance } from "../api/types";

export type DayState = "done" | "partly" | "missed" | "rest" | "today" | "ahead";

const DAY_MS = 86_400_000;

/** Monday to Sunday, each with how much of what it asked for is done. Dates are the patient's. */
export function weekDays(week: PatientCompliance, today: string): { date: string; state: DayState }[] {
  const days = week.programs.flatMap((program) => program.weeks).flatMap((each) => each.days);
  const monday = Date.parse(`${week.from}T00:00:00Z`);
  return Array.from({ length: 7 }, (_, index) => {
    const date = new Date(monday + index * DAY_MS).toISOString().slice(0, 10);
    return { date, state: stateOf(days.filter((day) => day.date === date).flatMap(dosesOf), date, today) };
  });
}

type Dose = DayCompliance["doses"][number];

function dosesOf(day: DayCompliance): Dose[] {
  return day.doses;
}

function stateOf(doses: Dose[], date: string, today: string): DayState {
  const due = doses.filter((dose) => dose.due);
  if (doses.some((dose) => dose.completed > 0)) {
    // On a day of the patient's own choice nothing is due; then what was begun is what counts.
    const wanted = due.length > 0 ? due : doses.filter((dose) => dose.completed > 0);
    return wanted.every((dose) => dose.completed >= 1) ? "done" : "partly";
  }
  if (date === today) return "today";
  if (date > today) return "ahead";
  return due.length > 0 ? "missed" : "rest";
}

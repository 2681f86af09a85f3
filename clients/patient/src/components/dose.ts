import type { PlannedExercise } from "../api/types";
import { useText } from "../i18n/text";

/** "3 sets × 10 repetitions · hold 5 s · left side" */
export function useDose(): (planned: PlannedExercise) => string {
  const { t, format } = useText();
  return ({ prescribed, side }) => {
    const each = Math.round(prescribed.repetitions / Math.max(1, prescribed.sets));
    const parts = [`${t.dose.sets(prescribed.sets)} × ${t.dose.repetitions(each)}`];
    if (prescribed.hold_s > 0) parts.push(t.dose.hold(format.number(prescribed.hold_s, 1)));
    if (side !== "both") parts.push(t.dose.side[side] ?? side);
    return parts.join(" · ");
  };
}

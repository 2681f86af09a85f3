import { useRef, useState } from "preact/hooks";
import { asProblem, type Problem } from "../api/problems";
import { startSession } from "../api/requests";
import type { PlannedExercise } from "../api/types";
import { NumberField } from "../components/NumberField";
import { Page } from "../components/Page";
import { ProblemNotice } from "../components/ProblemNotice";
import { useText } from "../i18n/text";
import { go } from "../router";

interface ReportProps {
  planned: PlannedExercise;
  painBefore: number | null;
  onBack: () => void;
}

/** The patient's own word for what was done: counts, but for less than a video. */
export function Report({ planned, painBefore, onBack }: ReportProps) {
  const { t } = useText();
  const { prescribed } = planned;
  const [sets, setSets] = useState(prescribed.sets);
  const [repetitions, setRepetitions] = useState(Math.round(prescribed.repetitions / prescribed.sets));
  const [hold, setHold] = useState(prescribed.hold_s);
  const [problem, setProblem] = useState<Problem>();
  const [busy, setBusy] = useState(false);
  const idempotencyKey = useRef(crypto.randomUUID());

  async function save(event: Event) {
    event.preventDefault();
    setBusy(true);
    setProblem(undefined);
    try {
      const session = await startSession(
        {
          program_id: planned.program_id,
          prescription_id: planned.prescription_id,
          evidence: "self_report",
          pain_before: painBefore,
          self_report: { sets, repetitions, ...(prescribed.hold_s > 0 ? { hold_s: hold } : {}) },
        },
        idempotencyKey.current,
      );
      go({ name: "session", id: session.id }, true);
    } catch (error) {
      setProblem(asProblem(error));
      setBusy(false);
      idempotencyKey.current = crypto.randomUUID(); // What is sent next may say something else.
    }
  }

  return (
    <Page title={t.report.title} back={onBack}>
      <p class="lead">{t.report.text}</p>
      <form class="card stack" onSubmit={save}>
        <NumberField label={t.report.sets} value={sets} max={20} onChange={setSets} />
        <NumberField label={t.report.repetitions} value={repetitions} max={100} onChange={setRepetitions} />
        {prescribed.hold_s > 0 && (
          <NumberField label={t.report.hold} value={hold} max={600} onChange={setHold} />
        )}
        {problem && <ProblemNotice problem={problem} />}
        <button type="submit" class="button" disabled={busy}>
          {t.report.save}
        </button>
      </form>
    </Page>
  );
}

import { useId, useState } from "preact/hooks";
import { asProblem, type Problem } from "../api/problems";
import { changeSession } from "../api/requests";
import type { SessionWithTag } from "../api/types";
import { useText } from "../i18n/text";
import { ProblemNotice } from "./ProblemNotice";
import { Scale } from "./Scale";

/** How it felt: asked while the video is on its way. */
export function After({ tagged, onSaved }: { tagged: SessionWithTag; onSaved: () => void }) {
  const { t } = useText();
  const id = useId();
  const [pain, setPain] = useState<number | null>(null);
  const [exertion, setExertion] = useState<number | null>(null);
  const [notes, setNotes] = useState("");
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem>();

  async function save(event: Event) {
    event.preventDefault();
    setBusy(true);
    setProblem(undefined);
    try {
      await changeSession(tagged, {
        pain_after: pain,
        exertion_after: exertion,
        ...(notes.trim() ? { notes: notes.trim() } : {}),
      });
      onSaved();
    } catch (error) {
      setProblem(asProblem(error));
      setBusy(false);
    }
  }

  return (
    <form class="card stack" onSubmit={save} aria-labelledby={`${id}-title`}>
      <h2 id={`${id}-title`}>{t.after.title}</h2>
      <Scale
        legend={t.after.pain}
        value={pain}
        onChange={setPain}
        low={t.before.noPain}
        high={t.before.worstPain}
      />
      <Scale
        legend={t.after.exertion}
        value={exertion}
        onChange={setExertion}
        low={t.after.exertionWords[0] ?? ""}
        high={t.after.exertionWords[10] ?? ""}
        words={t.after.exertionWords}
      />
      <div class="field">
        <label htmlFor={`${id}-notes`}>{t.after.notes}</label>
        <textarea
          id={`${id}-notes`}
          rows={2}
          maxLength={2000}
          value={notes}
          onInput={(event) => setNotes(event.currentTarget.value)}
        />
      </div>
      {problem && <ProblemNotice problem={problem} />}
      <button type="submit" class="button" disabled={busy || (pain === null && exertion === null)}>
        {t.after.save}
      </button>
    </form>
  );
}

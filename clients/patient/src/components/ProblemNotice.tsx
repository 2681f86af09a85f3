import type { Problem } from "../api/problems";
import { useText } from "../i18n/text";
import { Notice } from "./Notice";

/** What went wrong, in plain words, with what to do about it. */
export function ProblemNotice({ problem, retry }: { problem: Problem; retry?: () => void }) {
  const { t } = useText();
  const { title, text } = t.problem[problem.kind];
  return (
    <Notice tone="bad" title={title}>
      <p>{text}</p>
      {problem.kind === "server" && problem.instance && (
        <p class="fine">{t.problem.reference(problem.instance)}</p>
      )}
      {retry && (
        <button type="button" class="button button-quiet" onClick={retry}>
          {t.app.retry}
        </button>
      )}
    </Notice>
  );
}

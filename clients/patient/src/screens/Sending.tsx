import { useEffect } from "preact/hooks";
import { Notice } from "../components/Notice";
import { ProblemNotice } from "../components/ProblemNotice";
import { Progress } from "../components/Progress";
import { useText } from "../i18n/text";
import { type Store, useStore } from "../store";
import {
  continueSending,
  discardSending,
  pauseSending,
  type Sending as SendingState,
} from "../upload/sending";

interface SendingProps {
  sessionId: string;
  sending: Store<SendingState>;
  /** All of it has arrived, and this job looks at it. */
  onSent: (jobId: string | undefined) => void;
  onGone: () => void;
}

/** The video on its way: how far it is, and a hand on the brake. */
export function Sending({ sessionId, sending, onSent, onGone }: SendingProps) {
  const { t, format } = useText();
  const { state, sentBytes, totalBytes, jobId, problem } = useStore(sending);
  // biome-ignore lint/correctness/useExhaustiveDependencies: told once, when it has been sent.
  useEffect(() => {
    if (state === "sent") onSent(jobId);
  }, [state]);

  async function discard() {
    if (!confirm(t.sending.discardAsk)) return;
    await discardSending(sessionId);
    onGone();
  }

  const label = { sending: t.sending.sending, waiting: t.sending.waiting, paused: t.sending.paused };
  return (
    <section class="card stack" aria-label={t.sending.title}>
      {state === "refused" ? (
        <Refused problem={problem} />
      ) : (
        <Progress
          label={state === "sent" ? t.sending.sending : label[state]}
          fraction={totalBytes ? sentBytes / totalBytes : 0}
          detail={t.sending.sent(format.bytes(sentBytes), format.bytes(totalBytes))}
        />
      )}
      <p class="fine" role="status">
        {state === "waiting" ? t.sending.waitingText : state === "sending" && t.sending.keepOpen}
      </p>
      {state !== "sent" && (
        <div class="row">
          {(state === "sending" || state === "waiting") && (
            <button type="button" class="button button-second" onClick={() => pauseSending(sessionId)}>
              {t.sending.pause}
            </button>
          )}
          {state === "paused" && (
            <button type="button" class="button" onClick={() => continueSending(sessionId)}>
              {t.sending.resume}
            </button>
          )}
          {state !== "sending" && (
            <button type="button" class="button button-quiet" onClick={discard}>
              {t.sending.discard}
            </button>
          )}
        </div>
      )}
    </section>
  );
}

/** The server looked into the file and does not want it. */
function Refused({ problem }: { problem: SendingState["problem"] }) {
  const { t } = useText();
  const reason = problem?.code === undefined ? undefined : REFUSALS[problem.code];
  if (reason === undefined && problem) return <ProblemNotice problem={problem} />;
  return (
    <Notice tone="bad" title={t.result.unusable}>
      <p>{t.unusable[reason ?? "not_a_video"]}</p>
    </Notice>
  );
}

/** What an upload was refused for, in the words used for unusable videos. */
const REFUSALS: Record<string, string> = {
  "unsupported-content": "not_a_video",
  "too-large": "too_large",
};

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { asProblem, type Problem } from "../api/problems";
import { startSession } from "../api/requests";
import type { PlannedExercise } from "../api/types";
import type { Take } from "../capture/take";
import { Page } from "../components/Page";
import { ProblemNotice } from "../components/ProblemNotice";
import { useText } from "../i18n/text";
import { go } from "../router";
import { startSending } from "../upload/sending";

interface ReviewProps {
  take: Take;
  planned: PlannedExercise;
  exerciseName: string;
  painBefore: number | null;
  onAgain: () => void;
}

/** A look at the video before it leaves the device. */
export function Review({ take, planned, exerciseName, painBefore, onAgain }: ReviewProps) {
  const { t, format } = useText();
  const [playable, setPlayable] = useState(true);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem>();
  const idempotencyKey = useRef(crypto.randomUUID());
  const address = useMemo(() => URL.createObjectURL(take.video), [take.video]);
  useEffect(() => () => URL.revokeObjectURL(address), [address]);

  async function use() {
    setBusy(true);
    setProblem(undefined);
    try {
      const session = await startSession(
        {
          program_id: planned.program_id,
          prescription_id: planned.prescription_id,
          evidence: "video",
          pain_before: painBefore,
        },
        idempotencyKey.current,
      );
      const { video, fileName } = take;
      await startSending({ sessionId: session.id, exerciseName, video, fileName });
      go({ name: "session", id: session.id }, true);
    } catch (error) {
      setProblem(asProblem(error));
      setBusy(false);
    }
  }

  return (
    <Page
      title={t.review.title}
      back={onAgain}
      actions={
        <>
          <button type="button" class="button button-second" onClick={onAgain}>
            {take.filmed ? t.review.again : t.review.choose}
          </button>
          <button type="button" class="button" disabled={busy} onClick={use}>
            {t.review.use}
          </button>
        </>
      }
    >
      <p class="lead">{t.review.text}</p>
      <div class="viewfinder">
        {playable ? (
          // biome-ignore lint/a11y/useMediaCaption: the video has no sound, and is the patient's own.
          <video src={address} controls playsInline loop onError={() => setPlayable(false)} />
        ) : (
          <p class="viewfinder-hint">{t.review.unplayable}</p>
        )}
      </div>
      <p class="fine">{t.review.size(format.bytes(take.video.size))}</p>
      {problem && <ProblemNotice problem={problem} />}
    </Page>
  );
}

import { useEffect, useState } from "preact/hooks";
import { useText } from "../i18n/text";
import { href } from "../router";
import { listRecordings, type Recording } from "../upload/recordings";
import { Notice } from "./Notice";

/** Reminds of videos that an earlier visit of the page left unsent. */
export function PendingVideos() {
  const { t } = useText();
  const [pending, setPending] = useState<Recording[]>([]);
  useEffect(() => {
    listRecordings().then(setPending, () => undefined); // No storage, nothing left over.
  }, []);
  return (
    <>
      {pending.map(({ sessionId, exerciseName }) => (
        <Notice key={sessionId} tone="careful" title={t.sending.pending}>
          <p>{t.sending.pendingText(exerciseName)}</p>
          <a class="button button-second" href={href({ name: "session", id: sessionId })}>
            {t.sending.pendingOpen}
          </a>
        </Notice>
      ))}
    </>
  );
}

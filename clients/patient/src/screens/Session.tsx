import { useState } from "preact/hooks";
import { exercise as exerciseOf, sessionWithTag } from "../api/requests";
import type { Exercise, SessionWithTag } from "../api/types";
import { After } from "../components/After";
import { Loading } from "../components/Loading";
import { Notice } from "../components/Notice";
import { Page } from "../components/Page";
import { ProblemNotice } from "../components/ProblemNotice";
import { useLoad } from "../components/useLoad";
import { useText } from "../i18n/text";
import { go, href } from "../router";
import { resumeSending, sendingOf } from "../upload/sending";
import { Analysis } from "./Analysis";
import { Result } from "./Result";
import { Sending } from "./Sending";

/** One session: its video on the way, the check of it, how it felt, and the result. */
export function Session({ id, patientId }: { id: string; patientId: string }) {
  const { t } = useText();
  const [loaded, reload] = useLoad(async () => {
    await resumeSending(id).catch(() => false); // Without storage there is nothing left to send.
    const tagged = await sessionWithTag(id);
    return { tagged, info: await exerciseOf(tagged.session.exercise_id) };
  }, id);
  if (loaded.state === "ready") {
    return <Story {...loaded.value} patientId={patientId} reload={reload} />;
  }
  const sending = sendingOf(id);
  return (
    <Page title={t.sending.title} back={href({ name: "today" })}>
      {sending && <Sending sessionId={id} sending={sending} onSent={reload} onGone={toToday} />}
      {loaded.state === "loading" ? <Loading /> : <ProblemNotice problem={loaded.problem} retry={reload} />}
    </Page>
  );
}

function toToday() {
  go({ name: "today" });
}

interface StoryProps {
  tagged: SessionWithTag;
  info: Exercise;
  patientId: string;
  reload: () => void;
}

function Story({ tagged, info, patientId, reload }: StoryProps) {
  const { t, language } = useText();
  const { session } = tagged;
  const [sentJob, setSentJob] = useState<string>();
  const video = session.videos.at(-1);
  const sending = video ? undefined : sendingOf(session.id);
  const filmAgain = href({
    name: "exercise",
    prescriptionId: session.prescription_id,
  });
  const following = video?.state === "analyzing" ? video.job_id : video ? undefined : sentJob;
  const asked = session.pain_after === null && session.exertion_after === null;

  return (
    <Page title={info.names[language]} back={href({ name: "today" })}>
      {following ? (
        <Analysis jobId={following} onEnd={reload} />
      ) : (
        sending && (
          <Sending
            sessionId={session.id}
            sending={sending}
            onSent={(job) => (job ? setSentJob(job) : reload())}
            onGone={toToday}
          />
        )
      )}
      {!video && !sending && !following && session.evidence.length === 0 && (
        <Notice tone="careful">{t.sending.lost}</Notice>
      )}
      {!video && session.evidence.length > 0 && <Notice tone="good" title={t.report.saved} />}
      {asked && <After tagged={tagged} onSaved={reload} />}
      {video && video.state !== "analyzing" && !following && (
        <Result session={session} video={video} info={info} patientId={patientId} />
      )}
      {!following && (
        <div class="row">
          {!sending && (
            <a class="button button-second" href={filmAgain}>
              {t.result.again}
            </a>
          )}
          <a class="button" href={href({ name: "today" })}>
            {t.result.back}
          </a>
        </div>
      )}
    </Page>
  );
}

import { useState } from "preact/hooks";
import { exercise as exerciseOf, sessionWithTag } from "../api/requests";
import type { Exercise, SessionView, SessionWithTag } from "../api/types";
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
    const tagged = await sessionWithTag(id);
    const [info] = await Promise.all([exerciseOf(tagged.session.exercise_id), pickUp(tagged.session)]);
    return { tagged, info };
  }, id);
  const home = href({ name: "today" });
  if (loaded.state === "ready") {
    return <Story {...loaded.value} patientId={patientId} reload={reload} />;
  }
  return (
    <Page title={t.sending.title} back={home}>
      {loaded.state === "loading" ? <Loading /> : <ProblemNotice problem={loaded.problem} retry={reload} />}
    </Page>
  );
}

/** A video that this device still holds and the server does not have yet. */
async function pickUp(session: SessionView): Promise<void> {
  if (session.videos.length === 0) await resumeSending(session.id).catch(() => false);
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
            onGone={() => go({ name: "today" })}
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

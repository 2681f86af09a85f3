import { analysisOf, today, weekOf } from "../api/requests";
import type { Exercise, SessionAnalysis, SessionVideo, SessionView } from "../api/types";
import { Loading } from "../components/Loading";
import { Notice } from "../components/Notice";
import { ProblemNotice } from "../components/ProblemNotice";
import { useLoad } from "../components/useLoad";
import { WeekStrip } from "../components/WeekStrip";
import { useText } from "../i18n/text";
import { Advices } from "../result/Advices";
import { Curve } from "../result/Curve";
import { adviceOf } from "../result/findings";
import { Headline } from "../result/Headline";
import { Quality } from "../result/Quality";
import { RangeOfMotion } from "../result/RangeOfMotion";
import { warningsFor } from "../result/warnings";

interface ResultProps {
  session: SessionView;
  video: SessionVideo;
  info: Exercise;
  patientId: string;
}

/** What the video showed, with the evidence it rests on, and what it did for the week. */
export function Result({ session, video, info, patientId }: ResultProps) {
  const { t } = useText();
  const [loaded, reload] = useLoad(async () => {
    const [found, day] = await Promise.all([analysisOf(session.id), today(patientId)]);
    const planned = day.prescriptions.find((each) => each.prescription_id === session.prescription_id);
    return { found, planned, date: day.date, week: await weekOf(patientId, day.date) };
  }, `${video.upload_id} ${video.state}`);

  if (loaded.state === "loading") return <Loading />;
  if (loaded.state === "failed") return <ProblemNotice problem={loaded.problem} retry={reload} />;
  const { found, planned, week, date } = loaded.value;
  return (
    <>
      {found.analysis ? (
        <Measured
          found={found}
          analysis={found.analysis}
          info={info}
          planned={planned && Math.round(planned.prescribed.repetitions / planned.prescribed.sets)}
          target={planned?.target_rom_deg ?? null}
        />
      ) : (
        <Notice tone="careful" title={t.result.unusable}>
          <p>{t.unusable[found.reason_code ?? ""] ?? found.reason}</p>
        </Notice>
      )}
      <WeekStrip week={week} today={date} />
    </>
  );
}

interface MeasuredProps {
  found: SessionAnalysis;
  analysis: NonNullable<SessionAnalysis["analysis"]>;
  info: Exercise;
  planned: number | undefined;
  target: number | null;
}

function Measured({ found, analysis, info, planned, target }: MeasuredProps) {
  const { t, format, language } = useText();
  const warnings = warningsFor(analysis.warnings, t.warning);
  const movements = analysis.repetitions.length;
  return (
    <>
      <h2>{t.result.title}</h2>
      <Headline analysis={analysis} info={info} planned={planned} />
      {warnings.length > 0 && (
        <Notice tone="careful" title={t.result.warnings}>
          {warnings.map((warning) => (
            <p key={warning}>{warning}</p>
          ))}
        </Notice>
      )}
      {movements > 0 && (
        <>
          {info.motion.kind === "repetitions" && <RangeOfMotion rom={analysis.rom} target={target} />}
          <Quality quality={analysis.quality} />
          <Advices advices={adviceOf(analysis, info, language)} repetitions={movements} />
        </>
      )}
      {found.curve && <Curve curve={found.curve} repetitions={analysis.repetitions} />}
      <p class="fine">
        {found.analyzed_at && t.result.evidence(analysis.algorithm, format.moment(found.analyzed_at))}{" "}
        {t.result.notDiagnosis}
      </p>
    </>
  );
}

import { useEffect, useState } from "preact/hooks";
import { followJob } from "../api/jobs";
import { asProblem, type Problem } from "../api/problems";
import type { JobView } from "../api/types";
import { Notice } from "../components/Notice";
import { ProblemNotice } from "../components/ProblemNotice";
import { Progress } from "../components/Progress";
import { useText } from "../i18n/text";

/** The check of the video while it runs. */
export function Analysis({ jobId, onEnd }: { jobId: string; onEnd: () => void }) {
  const { t } = useText();
  const [job, setJob] = useState<JobView>();
  const [problem, setProblem] = useState<Problem>();
  const [round, setRound] = useState(0);

  // biome-ignore lint/correctness/useExhaustiveDependencies: followed once for each job, and again on request.
  useEffect(() => {
    const leaving = new AbortController();
    setProblem(undefined);
    follow(leaving.signal).catch((error) => {
      if (!leaving.signal.aborted) setProblem(asProblem(error));
    });
    return () => leaving.abort();
  }, [jobId, round]);

  async function follow(signal: AbortSignal) {
    let latest: JobView | undefined;
    for await (const view of followJob(jobId, signal)) {
      latest = view;
      setJob(view);
    }
    if (latest?.state === "done") onEnd();
  }

  if (problem) return <ProblemNotice problem={problem} retry={() => setRound((before) => before + 1)} />;
  if (job?.state === "dead" || job?.state === "cancelled") {
    return <Notice tone="bad" title={t.analysis.failed} />;
  }
  const stage = job?.state === "running" ? (job.progress?.stage ?? "") : "queued";
  return (
    <section class="card stack" aria-labelledby="analysis">
      <h2 id="analysis">{t.analysis.title}</h2>
      <Progress
        label={t.analysis.stages[stage] ?? t.analysis.working}
        fraction={job?.state === "running" ? (job.progress?.fraction ?? null) : null}
        detail={t.analysis.leave}
      />
      {job?.state === "queued" && job.attempts > 0 && <p class="fine">{t.analysis.retrying}</p>}
    </section>
  );
}

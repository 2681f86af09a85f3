import { useState } from "preact/hooks";
import { exercise as exerciseOf, today } from "../api/requests";
import type { Exercise as ExerciseInfo, PlannedExercise } from "../api/types";
import type { Take } from "../capture/take";
import { HowTo } from "../components/HowTo";
import { Loading } from "../components/Loading";
import { Notice } from "../components/Notice";
import { Page } from "../components/Page";
import { ProblemNotice } from "../components/ProblemNotice";
import { useLoad } from "../components/useLoad";
import { useText } from "../i18n/text";
import { href } from "../router";
import { Before } from "./Before";
import { Camera } from "./Camera";
import { Report } from "./Report";
import { Review } from "./Review";

interface ExerciseProps {
  patientId: string;
  prescriptionId: string;
}

type Step =
  | { name: "how" }
  | { name: "before" }
  | { name: "camera" }
  | { name: "review"; take: Take }
  | { name: "report" };

/** One exercise from how to do it to the video of it. */
export function Exercise({ patientId, prescriptionId }: ExerciseProps) {
  const { t } = useText();
  const [loaded, reload] = useLoad(async () => {
    const day = await today(patientId);
    const planned = day.prescriptions.find((each) => each.prescription_id === prescriptionId);
    return { planned, info: planned && (await exerciseOf(planned.exercise_id)) };
  }, prescriptionId);

  if (loaded.state === "ready" && loaded.value.planned && loaded.value.info) {
    return <Steps planned={loaded.value.planned} info={loaded.value.info} />;
  }
  return (
    <Page title={t.exercise.title} back={href({ name: "today" })}>
      {loaded.state === "loading" && <Loading />}
      {loaded.state === "failed" && <ProblemNotice problem={loaded.problem} retry={reload} />}
      {loaded.state === "ready" && <Notice tone="careful">{t.exercise.gone}</Notice>}
    </Page>
  );
}

function Steps({ planned, info }: { planned: PlannedExercise; info: ExerciseInfo }) {
  const { t, language } = useText();
  const [step, setStep] = useState<Step>({ name: "how" });
  const [pain, setPain] = useState<number | null>(null);
  const name = info.names[language];
  const review = (take: Take) => setStep({ name: "review", take });

  switch (step.name) {
    case "how":
      return (
        <Page
          title={name}
          back={href({ name: "today" })}
          actions={
            <button type="button" class="button" onClick={() => setStep({ name: "before" })}>
              {t.exercise.start}
            </button>
          }
        >
          <HowTo planned={planned} info={info} />
        </Page>
      );
    case "before":
      return (
        <Before
          pain={pain}
          onPain={setPain}
          onBack={() => setStep({ name: "how" })}
          onFilm={() => setStep({ name: "camera" })}
          onChosen={review}
          onReport={() => setStep({ name: "report" })}
        />
      );
    case "camera":
      return (
        <Camera info={info} onBack={() => setStep({ name: "before" })} onFilmed={review} onChosen={review} />
      );
    case "review":
      return (
        <Review
          take={step.take}
          planned={planned}
          exerciseName={name}
          painBefore={pain}
          onAgain={() => setStep(step.take.filmed ? { name: "camera" } : { name: "before" })}
        />
      );
    case "report":
      return <Report planned={planned} painBefore={pain} onBack={() => setStep({ name: "before" })} />;
  }
}

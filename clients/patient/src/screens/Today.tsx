import { signOut } from "../account/account";
import { exercise, today, weekOf } from "../api/requests";
import type { Today as Day, Exercise, Me, PlannedExercise } from "../api/types";
import { ExerciseCard } from "../components/ExerciseCard";
import { LanguageSwitch } from "../components/LanguageSwitch";
import { Loading } from "../components/Loading";
import { Notice } from "../components/Notice";
import { Page } from "../components/Page";
import { PendingVideos } from "../components/PendingVideos";
import { ProblemNotice } from "../components/ProblemNotice";
import { useLoad } from "../components/useLoad";
import { WeekStrip } from "../components/WeekStrip";
import { useText } from "../i18n/text";

/** The patient's day: what is planned, what is done, how the week goes. */
export function Today({ me }: { me: Me }) {
  const { t, format, language } = useText();
  const [loaded, reload] = useLoad(async () => {
    const day = await today(me.id);
    const [infos, week] = await Promise.all([exercisesOf(day), weekOf(me.id, day.date)]);
    return { day, infos, week };
  }, me.id);
  const title = loaded.state === "ready" ? format.day(loaded.value.day.date) : t.today.title;

  return (
    <Page title={title}>
      <p class="lead">{t.today.greeting(me.name)}</p>
      {me.organization.demo && <p class="fine">{t.app.demo}</p>}
      <PendingVideos />
      {loaded.state === "loading" && <Loading />}
      {loaded.state === "failed" && <ProblemNotice problem={loaded.problem} retry={reload} />}
      {loaded.state === "ready" && (
        <>
          <Plan
            planned={loaded.value.day.prescriptions}
            nameOf={(id) => loaded.value.infos.get(id)?.names[language]}
          />
          <WeekStrip week={loaded.value.week} today={loaded.value.day.date} />
        </>
      )}
      <div class="foot">
        <LanguageSwitch />
        <button type="button" class="button button-quiet" onClick={signOut}>
          {t.app.signOut}
        </button>
      </div>
    </Page>
  );
}

interface PlanProps {
  planned: PlannedExercise[];
  nameOf: (exerciseId: string) => string | undefined;
}

/** The library's entries for a day: they have the names in every language. */
async function exercisesOf(day: Day): Promise<Map<string, Exercise>> {
  const ids = [...new Set(day.prescriptions.map((each) => each.exercise_id))];
  return new Map(await Promise.all(ids.map(async (id) => [id, await exercise(id)] as const)));
}

function Plan({ planned, nameOf }: PlanProps) {
  const { t } = useText();
  const forToday = planned.filter((each) => each.due !== "not_today" || each.done.repetitions > 0);
  const other = planned.filter((each) => !forToday.includes(each));
  const open = forToday.filter((each) => !each.complete);
  const left = open.filter((each) => each.due === "today").length;
  if (planned.length === 0) {
    return (
      <Notice tone="calm" title={t.today.noProgram}>
        <p>{t.today.noProgramText}</p>
      </Notice>
    );
  }
  if (forToday.length === 0) {
    return (
      <>
        <Notice tone="calm" title={t.today.restDay}>
          <p>{t.today.restDayText}</p>
        </Notice>
        <h2>{t.today.extra}</h2>
        <Cards planned={other} nameOf={nameOf} />
      </>
    );
  }
  return (
    <>
      {open.length === 0 && <Notice tone="good" title={t.today.allDone} />}
      {open.length > 0 && <h2>{left > 0 ? t.today.left(left) : t.today.chosen}</h2>}
      <Cards planned={forToday} nameOf={nameOf} />
    </>
  );
}

function Cards({ planned, nameOf }: PlanProps) {
  return (
    <ul class="exercise-list">
      {planned.map((each) => (
        <ExerciseCard
          key={each.prescription_id}
          planned={each}
          name={nameOf(each.exercise_id) ?? each.exercise_name}
        />
      ))}
    </ul>
  );
}

import { useEffect } from "preact/hooks";
import { account, resumeAccount } from "./account/account";
import type { Me } from "./api/types";
import { LanguageSwitch } from "./components/LanguageSwitch";
import { Loading } from "./components/Loading";
import { OfflineNotice } from "./components/OfflineNotice";
import { Page } from "./components/Page";
import { ProblemNotice } from "./components/ProblemNotice";
import { useText } from "./i18n/text";
import { type Route, useRoute } from "./router";
import { Exercise } from "./screens/Exercise";
import { Session } from "./screens/Session";
import { SignIn } from "./screens/SignIn";
import { Today } from "./screens/Today";
import { useStore } from "./store";

export function App() {
  const { t } = useText();
  const route = useRoute();
  useEffect(() => {
    void resumeAccount();
  }, []);
  return (
    <>
      <button type="button" class="skip" onClick={skip}>
        {t.app.skip}
      </button>
      <OfflineNotice />
      <Screen route={route} />
    </>
  );
}

function Screen({ route }: { route: Route }) {
  const { t } = useText();
  const who = useStore(account);
  switch (who.state) {
    case "starting":
      return (
        <Page title={t.app.name}>
          <Loading />
        </Page>
      );
    case "unreachable":
      return (
        <Page title={t.app.name}>
          <ProblemNotice problem={who.problem} retry={resumeAccount} />
          <LanguageSwitch />
        </Page>
      );
    case "signed_out":
      return <SignIn ended={who.ended} token={route.name === "invitation" ? route.token : undefined} />;
    case "signed_in":
      return <Inside route={route} me={who.me} />;
  }
}

function Inside({ route, me }: { route: Route; me: Me }) {
  switch (route.name) {
    case "today":
      return <Today me={me} />;
    case "invitation": // A new invitation takes the place of the present sign-in.
      return <SignIn ended={false} token={route.token} />;
    case "exercise":
      return <Exercise key={route.prescriptionId} patientId={me.id} prescriptionId={route.prescriptionId} />;
    case "session":
      return <Session key={route.id} id={route.id} patientId={me.id} />;
  }
}

/** No link, because the fragment is the address of the screen. */
function skip() {
  const content = document.getElementById("content");
  content?.setAttribute("tabindex", "-1");
  content?.focus();
}

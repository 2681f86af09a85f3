import { useState } from "preact/hooks";
import { acceptInvitation } from "../account/account";
import { invitationToken } from "../account/invitation-link";
import { asProblem, Problem } from "../api/problems";
import { LanguageSwitch } from "../components/LanguageSwitch";
import { Notice } from "../components/Notice";
import { Page } from "../components/Page";
import { ProblemNotice } from "../components/ProblemNotice";
import { TextField } from "../components/TextField";
import { useText } from "../i18n/text";
import { go } from "../router";

/** The way in: the invitation's link, which the address may hold already, and the code that came apart from it. */
export function SignIn({ token, ended }: { token: string | undefined; ended: boolean }) {
  const { t } = useText();
  const [link, setLink] = useState("");
  const [code, setCode] = useState("");
  const [tried, setTried] = useState(false);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem>();
  const found = token ?? invitationToken(link);

  async function submit(event: Event) {
    event.preventDefault();
    setTried(true);
    if (!found || !code.trim()) return;
    setBusy(true);
    setProblem(undefined);
    try {
      await acceptInvitation(found, code.trim());
      go({ name: "today" }, true); // The spent invitation leaves the history of the browser.
    } catch (error) {
      setProblem(explained(error));
      setBusy(false);
    }
  }

  return (
    <Page title={t.signIn.title} corner={<Brand name={t.app.name} />}>
      {ended && <Notice tone="careful">{t.signIn.ended}</Notice>}
      <p class="lead">{t.signIn.lead}</p>
      {!window.isSecureContext && <Notice tone="bad">{t.signIn.insecure}</Notice>}
      <form class="card stack" onSubmit={submit} noValidate>
        {token === undefined && (
          <TextField
            label={t.signIn.link}
            hint={t.signIn.linkHint}
            fault={tried && !found ? t.signIn.linkMissing : undefined}
            value={link}
            onInput={setLink}
            inputMode="url"
          />
        )}
        <TextField
          label={t.signIn.code}
          hint={t.signIn.codeHint}
          fault={tried && !code.trim() ? t.signIn.codeMissing : undefined}
          value={code}
          onInput={setCode}
          class="code"
          autoComplete="one-time-code"
        />
        {problem && <ProblemNotice problem={problem} />}
        <button type="submit" class="button" disabled={busy}>
          {busy ? t.signIn.busy : t.signIn.submit}
        </button>
        <p class="fine">{t.signIn.stays}</p>
      </form>
      <div class="foot">
        <LanguageSwitch />
      </div>
    </Page>
  );
}

/** Here, a refusal means that link and code did not fit, whatever its status. */
function explained(error: unknown): Problem {
  const problem = asProblem(error);
  const refused = ["signedOut", "notFound", "invalid", "changed"].includes(problem.kind);
  return refused ? new Problem("wrongCode", problem.code, problem.instance) : problem;
}

function Brand({ name }: { name: string }) {
  return (
    <span class="brand">
      <img src={`${import.meta.env.BASE_URL}icon.svg`} alt="" width="36" height="36" />
      {name}
    </span>
  );
}

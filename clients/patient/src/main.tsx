import { render } from "preact";
import { App } from "./App";
import { account } from "./account/account";
import { TextProvider } from "./i18n/text";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/components.css";
import "./styles/controls.css";
import "./styles/today.css";
import "./styles/film.css";
import "./styles/result.css";
import { stopAllSending } from "./upload/sending";

account.subscribe(() => {
  if (account.get().state === "signed_out") stopAllSending();
});

const root = document.getElementById("app");
if (root) {
  render(
    <TextProvider>
      <App />
    </TextProvider>,
    root,
  );
}

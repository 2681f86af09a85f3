import { LANGUAGES, type Language } from "../i18n/preferred";
import { chooseLanguage, useText } from "../i18n/text";
import { Segmented } from "./Segmented";

const CHOICES = Object.entries(LANGUAGES).map(([code, name]) => ({
  value: code as Language,
  name,
  lang: code,
}));

export function LanguageSwitch() {
  const { t, language } = useText();
  return <Segmented legend={t.app.language} choices={CHOICES} chosen={language} onChoose={chooseLanguage} />;
}

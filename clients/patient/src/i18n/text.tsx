import { type ComponentChildren, createContext } from "preact";
import { useContext, useEffect, useMemo } from "preact/hooks";
import { read, write } from "../account/vault";
import { createStore, useStore } from "../store";
import { type Catalogue, en } from "./en";
import { es } from "./es";
import { type Format, formats } from "./format";
import { type Language, preferred } from "./preferred";

const CATALOGUES: Record<Language, Catalogue> = { en, es };

export interface Text {
  language: Language;
  t: Catalogue;
  format: Format;
}

const chosen = createStore<Language>(preferred(navigator.languages));

/** The patient's own choice: kept on this device, and stronger than what the clinic has noted. */
export async function chooseLanguage(language: Language): Promise<void> {
  chosen.set(language);
  await write("account", "language", language).catch(() => undefined); // Works until the page closes.
}

/** At sign-in: the language the clinic has noted, unless the patient chose one on this device. */
export async function adoptLanguage(noted: string | undefined): Promise<void> {
  const own = await read<Language>("account", "language").catch(() => undefined);
  if (own) chosen.set(own);
  else if (noted) chosen.set(preferred([noted]));
}

const TextContext = createContext<Text>({ language: "en", t: en, format: formats("en") });

export function TextProvider({ children }: { children: ComponentChildren }) {
  const language = useStore(chosen);
  useEffect(() => {
    document.documentElement.lang = language;
  }, [language]);
  const text = useMemo(() => ({ language, t: CATALOGUES[language], format: formats(language) }), [language]);
  return <TextContext.Provider value={text}>{children}</TextContext.Provider>;
}

export function useText(): Text {
  return useContext(TextContext);
}

import type { Take } from "../capture/take";
import { CameraIcon, PenIcon } from "../components/icons";
import { Page } from "../components/Page";
import { PickVideo } from "../components/PickVideo";
import { Scale } from "../components/Scale";
import { useText } from "../i18n/text";

interface BeforeProps {
  pain: number | null;
  onPain: (pain: number) => void;
  onBack: () => void;
  onFilm: () => void;
  onChosen: (take: Take) => void;
  onReport: () => void;
}

/** How it feels before, and the choice of how to show what is done. */
export function Before({ pain, onPain, onBack, onFilm, onChosen, onReport }: BeforeProps) {
  const { t } = useText();
  return (
    <Page title={t.before.title} back={onBack}>
      <section class="card">
        <Scale
          legend={t.before.pain}
          value={pain}
          onChange={onPain}
          low={t.before.noPain}
          high={t.before.worstPain}
        />
        <p class="fine">{t.before.stop}</p>
      </section>
      <section class="stack" aria-labelledby="ways">
        <h2 id="ways">{t.before.how}</h2>
        <button type="button" class="button" onClick={onFilm}>
          <CameraIcon /> {t.before.film}
        </button>
        <PickVideo label={t.before.choose} onChosen={onChosen} />
        <button type="button" class="button button-quiet" onClick={onReport}>
          <PenIcon /> {t.before.report}
        </button>
      </section>
    </Page>
  );
}

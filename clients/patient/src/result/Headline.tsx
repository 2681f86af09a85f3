import type { Exercise, MovementAnalysis } from "../api/types";
import { Notice } from "../components/Notice";
import { useText } from "../i18n/text";

interface HeadlineProps {
  analysis: MovementAnalysis;
  info: Exercise;
  /** Repetitions in one set, where the prescription is still in force. */
  planned: number | undefined;
}

/** What counted, and what did not quite. */
export function Headline({ analysis, info, planned }: HeadlineProps) {
  const { t, format } = useText();
  const { count, partial_count: partial, repetitions } = analysis;
  if (count + partial === 0) {
    return (
      <Notice tone="careful" title={t.result.none}>
        <p>{t.result.noneText}</p>
      </Notice>
    );
  }
  const held = info.motion.kind === "hold";
  const words = held ? t.result.held(count) : t.result.counted(count);
  const longest = Math.max(0, ...repetitions.map((each) => each.hold_s));
  return (
    <section class="card stack">
      <p class="headline">
        <span class="headline-figure" aria-hidden="true">
          {format.number(count)}
        </span>
        <span class="headline-words" aria-hidden="true">
          {words.replace(/^\d+ /, "")}
        </span>
        <span class="visually-hidden">{words}</span>
      </p>
      {partial > 0 && <p>{t.result.partial(partial)}</p>}
      {held && (
        <p>
          {t.result.longest}: {t.result.seconds(format.number(longest, 1))}
        </p>
      )}
      {planned !== undefined && <p class="fine">{t.result.planned(planned)}</p>}
    </section>
  );
}

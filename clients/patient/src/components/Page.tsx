import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { useText } from "../i18n/text";
import { BackIcon } from "./icons";

interface PageProps {
  title: string;
  /** Where "Back" leads; a page without it is a beginning. */
  back?: string | (() => void);
  /** What stands in the top right corner. */
  corner?: ComponentChildren;
  /** What the page is for: stays in reach of the thumb. */
  actions?: ComponentChildren;
  children: ComponentChildren;
}

/** One screen. Its heading takes the focus, so that a screen reader says where the patient has arrived. */
export function Page({ title, back, corner, actions, children }: PageProps) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    scrollTo(0, 0);
    heading.current?.focus({ preventScroll: true });
  }, []);
  return (
    <>
      <header class="page-head">
        {back !== undefined && <Back to={back} />}
        <h1 ref={heading} tabIndex={-1}>
          {title}
        </h1>
        {corner}
      </header>
      <main id="content" class="page">
        {children}
      </main>
      {actions && <div class="actions">{actions}</div>}
    </>
  );
}

function Back({ to }: { to: string | (() => void) }) {
  const { t } = useText();
  const inside = (
    <>
      <BackIcon />
      <span class="visually-hidden">{t.app.back}</span>
    </>
  );
  return typeof to === "string" ? (
    <a class="icon-button" href={to}>
      {inside}
    </a>
  ) : (
    <button type="button" class="icon-button" onClick={to}>
      {inside}
    </button>
  );
}

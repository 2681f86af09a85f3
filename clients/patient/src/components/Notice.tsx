import type { ComponentChildren } from "preact";

interface NoticeProps {
  tone: "calm" | "good" | "careful" | "bad";
  title?: string;
  children?: ComponentChildren;
}

/** Something the patient should know. What went wrong is said aloud at once; the rest when its turn comes. */
export function Notice({ tone, title, children }: NoticeProps) {
  return (
    <div class={`notice notice-${tone}`} role={tone === "bad" ? "alert" : undefined}>
      {title && <p class="notice-title">{title}</p>}
      {children}
    </div>
  );
}

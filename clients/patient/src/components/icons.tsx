import type { ComponentChildren } from "preact";

/** Drawings that accompany words; a screen reader passes over them. */
function Icon({ children }: { children: ComponentChildren }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      {children}
    </svg>
  );
}

export const BackIcon = () => (
  <Icon>
    <path d="M15 5l-7 7 7 7" />
  </Icon>
);

export const CheckIcon = () => (
  <Icon>
    <path d="M5 12.5l4.5 4.5L19 7.5" />
  </Icon>
);

export const CameraIcon = () => (
  <Icon>
    <rect x="3" y="6" width="12" height="12" rx="3" />
    <path d="M15 10.5l6-3v9l-6-3" />
  </Icon>
);

export const FolderIcon = () => (
  <Icon>
    <rect x="3" y="4" width="18" height="16" rx="3" />
    <path d="M10 9l5 3-5 3z" />
  </Icon>
);

export const PenIcon = () => (
  <Icon>
    <path d="M5 19l1-4L16 5l3 3L9 18z" />
  </Icon>
);

export const TurnIcon = () => (
  <Icon>
    <path d="M4 12a8 8 0 0 1 14-5l2 2M20 4v5h-5M20 12a8 8 0 0 1-14 5l-2-2M4 20v-5h5" />
  </Icon>
);

export const NextIcon = () => (
  <Icon>
    <path d="M9 5l7 7-7 7" />
  </Icon>
);

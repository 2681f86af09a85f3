import { useText } from "../i18n/text";

interface ProgressProps {
  label: string;
  /** 0 to 1; null while nobody knows. */
  fraction: number | null;
  detail?: string;
}

export function Progress({ label, fraction, detail }: ProgressProps) {
  const { format } = useText();
  const known = fraction !== null;
  return (
    <div class="progress">
      <div class="progress-head">
        <span>{label}</span>
        {known && <span class="progress-figure">{format.percent(fraction)}</span>}
      </div>
      <progress aria-label={label} max={1} {...(known ? { value: fraction } : {})} />
      {detail && <p class="fine">{detail}</p>}
    </div>
  );
}

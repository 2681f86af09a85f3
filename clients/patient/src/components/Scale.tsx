import { useId } from "preact/hooks";

interface ScaleProps {
  legend: string;
  value: number | null;
  onChange: (value: number) => void;
  /** What the two ends mean. */
  low: string;
  high: string;
  /** Words for single values, where the scale has them. */
  words?: Record<number, string>;
}

const VALUES = Array.from({ length: 11 }, (_, value) => value);

/** A rating from 0 to 10, as buttons large enough for an unsteady hand. */
export function Scale({ legend, value, onChange, low, high, words }: ScaleProps) {
  const name = useId();
  const ends = `${name}-ends`;
  return (
    <fieldset class="scale" aria-describedby={ends}>
      <legend>{legend}</legend>
      <div class="scale-values">
        {VALUES.map((each) => (
          <label key={each} class="scale-value">
            <input
              type="radio"
              name={name}
              value={each}
              checked={value === each}
              onChange={() => onChange(each)}
            />
            <span>{each}</span>
          </label>
        ))}
      </div>
      <p class="scale-ends" id={ends}>
        <span>0 = {low}</span>
        <span>10 = {high}</span>
      </p>
      {words && (
        <p class="scale-word" aria-live="polite">
          {value !== null && nearestWord(words, value)}
        </p>
      )}
    </fieldset>
  );
}

function nearestWord(words: Record<number, string>, value: number): string | undefined {
  const known = Object.keys(words)
    .map(Number)
    .filter((each) => each <= value);
  return words[Math.max(...known)];
}

interface Choice<T> {
  value: T;
  name: string;
  lang?: string;
}

interface SegmentedProps<T> {
  legend: string;
  choices: Choice<T>[];
  chosen: T;
  onChoose: (value: T) => void;
}

/** One of a few, side by side. */
export function Segmented<T extends string | number>(props: SegmentedProps<T>) {
  const { legend, choices, chosen, onChoose } = props;
  return (
    <fieldset class="segmented">
      <legend class="visually-hidden">{legend}</legend>
      {choices.map(({ value, name, lang }) => (
        <button
          key={value}
          type="button"
          lang={lang}
          aria-pressed={value === chosen}
          onClick={() => onChoose(value)}
        >
          {name}
        </button>
      ))}
    </fieldset>
  );
}

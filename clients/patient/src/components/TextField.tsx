import { useId } from "preact/hooks";

interface TextFieldProps {
  label: string;
  hint?: string;
  /** What is wrong with the value; announced, and tied to the field. */
  fault?: string | undefined;
  value: string;
  onInput: (value: string) => void;
  inputMode?: "text" | "url" | "numeric";
  autoComplete?: string;
  class?: string;
}

export function TextField(props: TextFieldProps) {
  const id = useId();
  const { label, hint, fault, value, onInput } = props;
  const described = [hint && `${id}-hint`, fault && `${id}-fault`].filter(Boolean).join(" ");
  return (
    <div class="field">
      <label htmlFor={id}>{label}</label>
      {hint && (
        <p class="fine" id={`${id}-hint`}>
          {hint}
        </p>
      )}
      <input
        id={id}
        class={props.class}
        type="text"
        value={value}
        inputMode={props.inputMode ?? "text"}
        autoComplete={props.autoComplete ?? "off"}
        autoCapitalize="none"
        spellcheck={false}
        aria-invalid={fault ? true : undefined}
        aria-describedby={described || undefined}
        onInput={(event) => onInput(event.currentTarget.value)}
      />
      <p class="field-fault" id={`${id}-fault`} aria-live="polite">
        {fault}
      </p>
    </div>
  );
}

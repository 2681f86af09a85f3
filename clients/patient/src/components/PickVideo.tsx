import { useState } from "preact/hooks";
import { type ClipFault, clipFault, LARGEST_BYTES } from "../capture/clip";
import type { Take } from "../capture/take";
import { useText } from "../i18n/text";
import { FolderIcon } from "./icons";
import { Notice } from "./Notice";

/** Opens the device's own picker, and says at once what cannot be used. */
export function PickVideo({ label, onChosen }: { label: string; onChosen: (take: Take) => void }) {
  const { t, format } = useText();
  const [fault, setFault] = useState<ClipFault>();
  const words: Record<ClipFault, string> = {
    empty: t.review.empty,
    notVideo: t.review.notVideo,
    tooLarge: t.review.tooLarge(format.bytes(LARGEST_BYTES)),
  };

  function pick(input: HTMLInputElement) {
    const file = input.files?.[0];
    input.value = ""; // So that choosing the same file again is noticed.
    if (!file) return;
    const found = clipFault(file);
    setFault(found);
    if (!found) onChosen({ video: file, fileName: file.name, filmed: false });
  }

  return (
    <>
      <label class="button button-second pick">
        <FolderIcon /> {label}
        <input type="file" accept="video/*" onChange={(event) => pick(event.currentTarget)} />
      </label>
      {fault && <Notice tone="bad">{words[fault]}</Notice>}
    </>
  );
}

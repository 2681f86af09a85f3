/** Longest recording: one set with room to spare, and well within what the server takes. */
export const LONGEST_S = 300;

// MP4 first: unlike a browser's WebM it says how long it is, so it plays everywhere and can be searched.
const TYPES = [
  "video/mp4;codecs=avc1.64001f",
  "video/mp4;codecs=avc1.42E01E",
  "video/mp4",
  "video/webm;codecs=vp9",
  "video/webm;codecs=vp8",
  "video/webm",
];
const BITS_PER_SECOND = 2_500_000;

export interface Recording {
  /** Resolves with what was filmed when filming ends, by `stop` or because the camera went away. */
  finished: Promise<Blob>;
  stop(): void;
}

export function record(stream: MediaStream): Recording {
  const type = TYPES.find((candidate) => MediaRecorder.isTypeSupported(candidate));
  const recorder = new MediaRecorder(stream, {
    videoBitsPerSecond: BITS_PER_SECOND,
    ...(type ? { mimeType: type } : {}),
  });
  const parts: Blob[] = [];
  const finished = new Promise<Blob>((resolve, reject) => {
    recorder.ondataavailable = ({ data }) => {
      if (data.size > 0) parts.push(data);
    };
    recorder.onstop = () => resolve(new Blob(parts, { type: plainType(recorder.mimeType) }));
    recorder.onerror = () => reject(new DOMException("filming failed", "NotReadableError"));
  });
  recorder.start(1000); // Handed over every second, so that a crash late in the set costs little memory.
  const limit = setTimeout(stop, LONGEST_S * 1000);
  function stop() {
    clearTimeout(limit);
    if (recorder.state !== "inactive") recorder.stop();
  }
  return { finished, stop };
}

/** The type without its codecs, as the server wants it. */
export function plainType(type: string): string {
  return type.split(";")[0] || "video/mp4";
}

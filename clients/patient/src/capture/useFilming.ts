import { useEffect, useRef, useState } from "preact/hooks";
import { keepScreenOn } from "./camera";
import { type Recording, record } from "./recorder";

export type Filming =
  | { name: "idle" }
  | { name: "counting"; left: number }
  | { name: "filming"; seconds: number };

export interface FilmingUse {
  state: Filming;
  start: (delayS: number) => void;
  stop: () => void;
}

/** Counts down, films, and hands over the video. Leaving the page in between throws the take away. */
export function useFilming(stream: MediaStream | undefined, onFilmed: (video: Blob) => void): FilmingUse {
  const [state, setState] = useState<Filming>({ name: "idle" });
  const recording = useRef<Recording>(undefined);
  const wanted = useRef(true);
  const handOver = useRef(onFilmed);
  handOver.current = onFilmed;

  useEffect(() => {
    wanted.current = true;
    return () => {
      wanted.current = false;
      recording.current?.stop();
    };
  }, []);

  useEffect(() => {
    if (state.name === "idle") return;
    const next = setTimeout(() => {
      if (state.name === "filming") setState({ name: "filming", seconds: state.seconds + 1 });
      else if (state.left > 1) setState({ name: "counting", left: state.left - 1 });
      else film();
    }, 1000);
    return () => clearTimeout(next);
  });

  async function film() {
    if (!stream) return setState({ name: "idle" });
    const taken = record(stream);
    recording.current = taken;
    setState({ name: "filming", seconds: 0 });
    const letSleep = await keepScreenOn();
    const video = await taken.finished.catch(() => undefined);
    letSleep();
    if (!wanted.current) return;
    setState({ name: "idle" });
    if (video && video.size > 0) handOver.current(video);
  }

  return {
    state,
    start: (delayS) => setState({ name: "counting", left: delayS }),
    stop: () => (state.name === "filming" ? recording.current?.stop() : setState({ name: "idle" })),
  };
}

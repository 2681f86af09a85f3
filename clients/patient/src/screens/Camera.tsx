import { useEffect, useRef, useState } from "preact/hooks";
import type { Exercise } from "../api/types";
import { LONGEST_S, plainType } from "../capture/recorder";
import type { Take } from "../capture/take";
import { useCamera } from "../capture/useCamera";
import { useFilming } from "../capture/useFilming";
import { TurnIcon } from "../components/icons";
import { Notice } from "../components/Notice";
import { Page } from "../components/Page";
import { PickVideo } from "../components/PickVideo";
import { Segmented } from "../components/Segmented";
import { useText } from "../i18n/text";

interface CameraProps {
  info: Exercise;
  onBack: () => void;
  onFilmed: (take: Take) => void;
  onChosen: (take: Take) => void;
}

const DELAYS_S = [3, 10];

/** The viewfinder: where to stand, a countdown to get there, and how long it has been filming. */
export function Camera({ info, onBack, onFilmed, onChosen }: CameraProps) {
  const { t, format, language } = useText();
  const [delayS, setDelayS] = useState(3);
  const camera = useCamera();
  const filming = useFilming(camera.stream, (video) =>
    onFilmed({ video, fileName: `video.${plainType(video.type).split("/")[1]}`, filmed: true }),
  );
  const preview = useRef<HTMLVideoElement>(null);
  useEffect(() => {
    if (preview.current) preview.current.srcObject = camera.stream ?? null;
  }, [camera.stream]);
  const idle = filming.state.name === "idle";

  if (camera.fault) {
    return (
      <Page title={t.camera.title} back={onBack}>
        <Notice tone="bad" title={t.camera[camera.fault]}>
          <p>{t.camera[`${camera.fault}Text`]}</p>
          <button type="button" class="button button-quiet" onClick={camera.again}>
            {t.app.retry}
          </button>
        </Notice>
        <PickVideo label={t.before.choose} onChosen={onChosen} />
      </Page>
    );
  }
  return (
    <Page
      title={t.camera.title}
      back={onBack}
      actions={
        idle ? (
          <button
            type="button"
            class="button"
            disabled={!camera.stream}
            onClick={() => filming.start(delayS)}
          >
            {t.camera.start}
          </button>
        ) : (
          <button type="button" class="button" onClick={filming.stop}>
            {filming.state.name === "counting" ? t.app.cancel : t.camera.stop}
          </button>
        )
      }
    >
      <div class="viewfinder">
        <video
          ref={preview}
          class={camera.facing === "user" ? "viewfinder-mirrored" : undefined}
          autoPlay
          muted
          playsInline
          aria-label={t.camera.title}
        />
        {!camera.stream && <p class="viewfinder-hint">{t.camera.asking}</p>}
        {camera.stream && idle && (
          <>
            <div class="viewfinder-frame" />
            <p class="viewfinder-hint">{info.camera.framing[language]}</p>
            <button type="button" class="icon-button" onClick={camera.turn}>
              <TurnIcon />
              <span class="visually-hidden">{t.camera.turn}</span>
            </button>
          </>
        )}
        {filming.state.name === "counting" && (
          <div class="viewfinder-count" aria-hidden="true">
            {filming.state.left}
          </div>
        )}
        {filming.state.name === "filming" && (
          <div class="viewfinder-timer" role="timer" aria-label={t.camera.recording}>
            {format.clock(filming.state.seconds)}
          </div>
        )}
      </div>
      <p class="visually-hidden" role="status">
        {filming.state.name === "counting" && t.camera.countdown(filming.state.left)}
        {filming.state.name === "filming" && t.camera.recording}
      </p>
      {idle && (
        <div class="row">
          <Segmented
            legend={t.camera.delay}
            choices={DELAYS_S.map((seconds) => ({ value: seconds, name: t.camera.seconds(seconds) }))}
            chosen={delayS}
            onChoose={setDelayS}
          />
          <p class="fine">
            {t.camera.silent} {t.camera.limit(LONGEST_S / 60)}
          </p>
        </div>
      )}
    </Page>
  );
}

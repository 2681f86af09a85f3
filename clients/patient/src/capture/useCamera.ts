import { useCallback, useEffect, useState } from "preact/hooks";
import { type CameraFault, cameraFault, closeCamera, type Facing, openCamera } from "./camera";

export interface CameraUse {
  stream: MediaStream | undefined;
  fault: CameraFault | undefined;
  facing: Facing;
  turn: () => void;
  again: () => void;
}

/** The camera while a component is shown, and not a moment longer. */
export function useCamera(): CameraUse {
  const [facing, setFacing] = useState<Facing>("user");
  const [stream, setStream] = useState<MediaStream>();
  const [fault, setFault] = useState<CameraFault>();
  const [round, setRound] = useState(0);

  // biome-ignore lint/correctness/useExhaustiveDependencies: `round` asks for the camera once more.
  useEffect(() => {
    let wanted = true;
    let opened: MediaStream | undefined;
    setFault(undefined);
    openCamera(facing).then(
      (found) => {
        if (!wanted) return closeCamera(found);
        opened = found;
        setStream(found);
      },
      (error) => wanted && setFault(cameraFault(error)),
    );
    return () => {
      wanted = false;
      setStream(undefined);
      closeCamera(opened);
    };
  }, [facing, round]);

  const turn = useCallback(() => setFacing((now) => (now === "user" ? "environment" : "user")), []);
  const again = useCallback(() => setRound((before) => before + 1), []);
  return { stream, fault, facing, turn, again };
}

/** Which way the camera looks: at whoever holds the phone, or away from them. */
export type Facing = "user" | "environment";

export type CameraFault = "denied" | "missing" | "busy";

/** No sound: only movement is measured, and voices in the room are nobody's business. */
export async function openCamera(facing: Facing): Promise<MediaStream> {
  if (!navigator.mediaDevices) throw new DOMException("needs a secure page", "NotAllowedError");
  return navigator.mediaDevices.getUserMedia({
    audio: false,
    video: {
      facingMode: { ideal: facing },
      width: { ideal: 1280 },
      height: { ideal: 720 },
      frameRate: { ideal: 30, max: 30 },
    },
  });
}

export function closeCamera(stream: MediaStream | undefined): void {
  for (const track of stream?.getTracks() ?? []) track.stop();
}

export function cameraFault(error: unknown): CameraFault {
  const name = error instanceof DOMException ? error.name : "";
  if (name === "NotAllowedError" || name === "SecurityError") return "denied";
  if (name === "NotReadableError" || name === "AbortError") return "busy";
  return "missing";
}

/** Keeps the screen from going dark while the phone stands on its own; without it filming works all the same. */
export async function keepScreenOn(): Promise<() => void> {
  const lock = await navigator.wakeLock?.request("screen").catch(() => undefined);
  return () => {
    lock?.release().catch(() => undefined); // The browser releases it by itself when the page is hidden.
  };
}

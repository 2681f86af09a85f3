import { read, readAll, remove, write } from "../account/vault";

/** A video on its way: kept on the device until the server has all of it, so that a reload loses nothing. */
export interface Recording {
  sessionId: string;
  exerciseName: string;
  video: Blob;
  fileName: string;
  /** Where the server takes it, once it said so. */
  uploadUrl?: string;
}

export async function keepRecording(recording: Recording): Promise<void> {
  await write("recordings", recording.sessionId, recording);
}

export async function findRecording(sessionId: string): Promise<Recording | undefined> {
  return read<Recording>("recordings", sessionId);
}

export async function listRecordings(): Promise<Recording[]> {
  return readAll<Recording>("recordings");
}

export async function dropRecording(sessionId: string): Promise<void> {
  await remove("recordings", sessionId);
}

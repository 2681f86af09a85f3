import type { DetailedError, Upload, UploadOptions } from "tus-js-client";
import { accessToken, distrust } from "../account/account";
import { asProblem, Problem, problemOf } from "../api/problems";
import { createStore, type Store } from "../store";
import { dropRecording, findRecording, keepRecording, type Recording } from "./recordings";

/** Where one video stands on its way to the server. */
export interface Sending {
  state: "sending" | "waiting" | "paused" | "sent" | "refused";
  sentBytes: number;
  totalBytes: number;
  /** The job that looks at the video, once all of it has arrived. */
  jobId?: string;
  /** Why the server does not want it. */
  problem?: Problem;
}

interface Transfer {
  store: Store<Sending>;
  upload: Upload;
}

/** Small enough to lose little on a bad line, large enough to keep a good one busy. */
const PART_BYTES = 512 * 1024;
const ENDPOINT = "/v1/uploads";
const RETRY_MS = [0, 1000, 3000, 5000, 10_000, ...Array.from({ length: 500 }, () => 15_000)];
const transfers = new Map<string, Transfer>();

/** The state of a session's video; undefined if this page is not sending one. */
export function sendingOf(sessionId: string): Store<Sending> | undefined {
  return transfers.get(sessionId)?.store;
}

/** Keep the video on the device, then send it. */
export async function startSending(recording: Recording): Promise<void> {
  await keepRecording(recording).catch(() => undefined); // Full storage costs the resumption, not the video.
  await send(recording);
}

/** Go on with a video that an earlier visit of the page left unsent. False if the device has none. */
export async function resumeSending(sessionId: string): Promise<boolean> {
  if (transfers.has(sessionId)) return true;
  const recording = await findRecording(sessionId);
  if (recording) await send(recording);
  return recording !== undefined;
}

export async function pauseSending(sessionId: string): Promise<void> {
  const transfer = transfers.get(sessionId);
  await transfer?.upload.abort();
  transfer?.store.set({ ...transfer.store.get(), state: "paused" });
}

export function continueSending(sessionId: string): void {
  const transfer = transfers.get(sessionId);
  transfer?.store.set({ ...transfer.store.get(), state: "sending" });
  transfer?.upload.start();
}

/** Forget the video here, and what has arrived of it there. */
export async function discardSending(sessionId: string): Promise<void> {
  const upload = transfers.get(sessionId)?.upload;
  transfers.delete(sessionId);
  await upload?.abort(upload.url !== null).catch(() => undefined); // The server forgets it after some days.
  await dropRecording(sessionId);
}

/** The patient has signed out: nothing of theirs leaves this device any more. */
export function stopAllSending(): void {
  for (const { upload } of transfers.values()) void upload.abort();
  transfers.clear();
}

addEventListener("online", () => {
  for (const { store, upload } of transfers.values()) {
    // No need to sit out the rest of a waiting time.
    if (store.get().state === "waiting") void upload.abort().then(() => upload.start());
  }
});

async function send(recording: Recording): Promise<void> {
  const tus = await import("tus-js-client");
  const { sessionId, video } = recording;
  const store = createStore<Sending>({ state: "sending", sentBytes: 0, totalBytes: video.size });
  const upload = new tus.Upload(video, {
    ...optionsFor(recording),
    onUploadUrlAvailable() {
      const { url } = upload;
      if (!url) return;
      // With an endpoint, tus-js-client would begin anew whenever the server cannot say where to go on.
      upload.options.endpoint = null;
      keepRecording({ ...recording, uploadUrl: url }).catch(() => undefined);
    },
    onProgress: (sentBytes) => change({ state: "sending", sentBytes }),
    onShouldRetry(error) {
      const again = passes(statusOf(error), error.causingError);
      if (again) change({ state: "waiting" });
      return again;
    },
    onError(error) {
      if ("originalRequest" in error && upload.url && [404, 410].includes(statusOf(error))) {
        upload.url = null; // The server no longer has what was sent: begin anew.
        upload.options.endpoint = ENDPOINT;
        upload.start();
      } else change({ state: "refused", problem: problemFrom(error) });
    },
    onSuccess({ lastResponse }) {
      const jobId = lastResponse.getHeader("Homestretch-Job");
      change({ state: "sent", sentBytes: video.size, ...(jobId ? { jobId } : {}) });
      void dropRecording(sessionId);
    },
  });
  function change(news: Partial<Sending>) {
    store.set({ ...store.get(), ...news });
  }
  transfers.set(sessionId, { store, upload });
  upload.start();
}

function optionsFor({ sessionId, video, fileName, uploadUrl }: Recording): UploadOptions {
  let token = "";
  return {
    endpoint: uploadUrl ? null : ENDPOINT,
    uploadUrl: uploadUrl ?? null,
    chunkSize: PART_BYTES,
    retryDelays: RETRY_MS,
    storeFingerprintForResuming: false, // That would be localStorage; `recordings` remembers instead.
    metadata: {
      filetype: video.type || "video/mp4",
      filename: fileName,
      exercise_session_id: sessionId,
    },
    async onBeforeRequest(request) {
      token = await accessToken();
      request.setHeader("Authorization", `Bearer ${token}`);
    },
    onAfterResponse(_request, response) {
      if (response.getStatus() === 401) distrust(token);
    },
  };
}

/** Whether a failure is one that passes: no connection, a busy or ailing server, a spent access token. */
function passes(status: number, cause: unknown): boolean {
  if (cause instanceof Problem && cause.kind === "signedOut") return false;
  return status === 0 || status >= 500 || [401, 408, 409, 423, 429].includes(status);
}

function statusOf(error: Error | DetailedError): number {
  return "originalResponse" in error ? (error.originalResponse?.getStatus() ?? 0) : 0;
}

function problemFrom(error: Error | DetailedError): Problem {
  if (!("originalRequest" in error)) return new Problem("storage"); // The file itself could not be read.
  if (error.originalResponse) return problemOf(statusOf(error), parsed(error.originalResponse.getBody()));
  return asProblem(error.causingError);
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined; // A proxy's own error page: its status says enough.
  }
}

import { accessToken, distrust } from "../account/account";
import { readEvents } from "./event-stream";
import { asProblem, problemOf } from "./problems";
import type { JobView } from "./types";

const FINAL: ReadonlySet<JobView["state"]> = new Set(["done", "dead", "cancelled"]);
const PAUSE_MS = [500, 1000, 2000, 5000, 10_000];
const PATIENCE = 30;

/**
 * The job after each change, until it has ended. A stream that breaks off is taken up again; after many failures
 * in a row the last one is thrown.
 */
export async function* followJob(jobId: string, signal: AbortSignal): AsyncGenerator<JobView> {
  for (let failures = 0; !signal.aborted; ) {
    try {
      for await (const job of streamOf(jobId, signal)) {
        failures = 0;
        yield job;
        if (FINAL.has(job.state)) return;
      }
    } catch (error) {
      const problem = asProblem(error);
      // A token can end while a stream is open; whether the sign-in itself has ended shows at the next try.
      const passing = ["offline", "server", "signedOut"].includes(problem.kind);
      if (signal.aborted || !passing || failures >= PATIENCE) throw problem;
    }
    await pause(PAUSE_MS[Math.min(failures++, PAUSE_MS.length - 1)] ?? 0, signal);
  }
}

async function* streamOf(jobId: string, signal: AbortSignal): AsyncGenerator<JobView> {
  const token = await accessToken();
  const response = await fetch(`/v1/jobs/${encodeURIComponent(jobId)}/events`, {
    headers: { Accept: "text/event-stream", Authorization: `Bearer ${token}` },
    signal,
  });
  if (response.status === 401) distrust(token);
  if (!response.ok || !response.body) {
    throw problemOf(response.status, await response.json().catch(() => undefined));
  }
  for await (const { data } of readEvents(response.body)) yield JSON.parse(data) as JobView;
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

import { api } from "./client";
import { unwrap } from "./plain";
import { asProblem, problemOf } from "./problems";
import type {
  Exercise,
  NewSession,
  PatientCompliance,
  SessionAnalysis,
  SessionChanges,
  SessionView,
  SessionWithTag,
  Today,
} from "./types";

export async function today(patientId: string): Promise<Today> {
  return unwrap(api.GET("/v1/patients/{patient_id}/today", { params: { path: { patient_id: patientId } } }));
}

const library = new Map<string, Promise<Exercise>>();

/** An entry of the exercise library, which stays as it is for as long as the page is open. */
export function exercise(id: string): Promise<Exercise> {
  const known = library.get(id);
  if (known) return known;
  const asked = unwrap(api.GET("/v1/exercises/{exercise_id}", { params: { path: { exercise_id: id } } }));
  library.set(id, asked);
  asked.catch(() => library.delete(id)); // The next to ask may have a connection again.
  return asked;
}

/** The week of `date`, the patient's today. As long as nothing is done today, today does not count against it. */
export async function weekOf(patientId: string, date: string): Promise<PatientCompliance> {
  const params = { path: { patient_id: patientId }, query: { from: date } };
  return unwrap(api.GET("/v1/patients/{patient_id}/compliance", { params }));
}

export async function sessionWithTag(id: string): Promise<SessionWithTag> {
  const params = { path: { session_id: id } };
  const { data, error, response } = await api.GET("/v1/exercise-sessions/{session_id}", { params });
  if (!data) throw problemOf(response.status, error);
  return { session: data, tag: response.headers.get("ETag") ?? "" };
}

export async function startSession(body: NewSession, idempotencyKey: string): Promise<SessionView> {
  const headers = { "Idempotency-Key": idempotencyKey };
  return unwrap(api.POST("/v1/exercise-sessions", { body, headers }));
}

/** Adds to a session. What else was added in the meantime, such as the analysis, is no conflict. */
export async function changeSession({ session, tag }: SessionWithTag, body: SessionChanges): Promise<void> {
  const params = { path: { session_id: session.id }, header: { "If-Match": tag } };
  try {
    await unwrap(api.PATCH("/v1/exercise-sessions/{session_id}", { params, body }));
  } catch (error) {
    if (asProblem(error).code !== "stale") throw error;
    const fresh = await sessionWithTag(session.id);
    params.header["If-Match"] = fresh.tag;
    await unwrap(api.PATCH("/v1/exercise-sessions/{session_id}", { params, body }));
  }
}

export async function analysisOf(sessionId: string): Promise<SessionAnalysis> {
  const params = { path: { session_id: sessionId } };
  return unwrap(api.GET("/v1/exercise-sessions/{session_id}/analysis", { params }));
}

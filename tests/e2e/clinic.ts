import { randomUUID } from "node:crypto";
import { inject } from "vitest";

/** What a therapist does before the patient picks up the phone, over the same API that everybody uses. */
export interface Invitation {
  patientId: string;
  link: string;
  code: string;
}

export interface Prescription {
  exercise_id: string;
  sets: number;
  repetitions: number;
  side?: "left" | "right" | "both";
  hold_s?: number;
  days_per_week?: number;
  days_of_week?: string[];
  target_rom_deg?: number;
  notes?: string;
}

export const SIT_TO_STAND: Prescription = {
  exercise_id: "sit_to_stand",
  sets: 1,
  repetitions: 5,
  days_per_week: 7,
  target_rom_deg: 80,
  notes: "Use the higher chair.",
};

let signedIn: Promise<string> | undefined;

/** A new patient with these prescriptions (none: no program yet), invited to the app. */
export async function invite(
  prescriptions: Prescription[] = [SIT_TO_STAND],
  language: "en" | "es" = "en",
): Promise<Invitation> {
  const { location_id } = inject("practice");
  const today = new Date(Date.now() - 86_400_000).toISOString().slice(0, 10);
  const patient = await post("/v1/patients", {
    location_id,
    given_name: "Rosa",
    family_name: "Delgado",
    birth_date: "1961-04-02",
    language,
  });
  if (prescriptions.length > 0) {
    const episode = await post(`/v1/patients/${patient.id}/episodes`, {
      diagnosis: "Right knee osteoarthritis",
      started_on: today,
    });
    await post(`/v1/episodes/${episode.id}/programs`, { title: "Knee", starts_on: today, prescriptions });
  }
  const { link, code } = await post(`/v1/patients/${patient.id}/invitation`);
  return { patientId: patient.id, link, code };
}

/** What the therapist reads. */
// biome-ignore lint/suspicious/noExplicitAny: each test names the fields it looks at.
export async function read(path: string): Promise<any> {
  return answer(await fetch(inject("practice").url + path, { headers: await headers() }), path);
}

// biome-ignore lint/suspicious/noExplicitAny: as above.
async function post(path: string, body?: unknown): Promise<any> {
  const response = await fetch(inject("practice").url + path, {
    method: "POST",
    headers: { ...(await headers()), "Idempotency-Key": randomUUID() },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return answer(response, path);
}

async function headers(): Promise<Record<string, string>> {
  signedIn ??= signIn();
  return { Authorization: `Bearer ${await signedIn}`, "Content-Type": "application/json" };
}

async function signIn(): Promise<string> {
  const { url, email, password } = inject("practice");
  const response = await fetch(`${url}/v1/auth/sign-in`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ email, password }),
  });
  return (await answer(response, "sign-in")).tokens.access_token;
}

// biome-ignore lint/suspicious/noExplicitAny: as above.
async function answer(response: Response, path: string): Promise<any> {
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return response.json();
}

import { plain, unwrap } from "../api/plain";
import { asProblem, Problem } from "../api/problems";
import type { Me, Tokens } from "../api/types";
import { adoptLanguage } from "../i18n/text";
import { createStore } from "../store";
import { keepDeviceKey, makeDeviceKey, proofFor, publicPart, storedDeviceKey } from "./device-key";
import { deviceName } from "./device-name";
import { empty, read, remove, write } from "./vault";

/**
 * Who is signed in. The refresh token and the device key live in IndexedDB, the access token in memory only:
 * it is gone with the page, and good for minutes.
 */
export type Account =
  | { state: "starting" }
  | { state: "signed_out"; ended: boolean }
  | { state: "signed_in"; me: Me }
  | { state: "unreachable"; problem: Problem };

export const account = createStore<Account>({ state: "starting" });

const REFRESH_TOKEN = "refresh-token";
const EARLY_S = 30;

let access: { token: string; goodUntil: number } | undefined;
let refreshing: Promise<string> | undefined;

/** At the start of the page: pick up the sign-in that this device has. */
export async function resumeAccount(): Promise<void> {
  account.set({ state: "starting" });
  try {
    if (await read<string>("account", REFRESH_TOKEN)) {
      const headers = { Authorization: `Bearer ${await accessToken()}` };
      await enter(await unwrap(plain.GET("/v1/me", { headers })));
    } else account.set({ state: "signed_out", ended: false });
  } catch (error) {
    const problem = asProblem(error);
    if (problem.kind !== "signedOut") account.set({ state: "unreachable", problem });
  }
}

/** Accept an invitation: the link's token and the code, which came by another way. */
export async function acceptInvitation(token: string, code: string): Promise<void> {
  const key = await makeDeviceKey();
  await write("account", "probe", key); // A device that cannot keep its key must not spend the invitation.
  const body = {
    token,
    code,
    device_name: deviceName(navigator.userAgent),
    device_key: await publicPart(key),
  };
  const answer = await unwrap(plain.POST("/v1/auth/invitations", { body }));
  if (answer.status !== "signed_in") throw new Problem("server", answer.status);
  await forget(); // Whoever was signed in here before leaves nothing behind.
  await keepDeviceKey(key);
  await keep(answer.tokens);
  await enter(answer.me);
}

/** A good access token, refreshed if need be. Throws the problem `signedOut` if the sign-in has ended. */
export async function accessToken(): Promise<string> {
  if (access && access.goodUntil > Date.now()) return access.token;
  refreshing ??= refresh().finally(() => {
    refreshing = undefined;
  });
  return refreshing;
}

/** The server no longer takes this access token, though it should still be good. */
export function distrust(token: string): void {
  if (access?.token === token) access = undefined;
}

export async function signOut(): Promise<void> {
  const token = await accessToken().catch(() => undefined);
  if (token) {
    const headers = { Authorization: `Bearer ${token}` };
    // Without a connection the server's side of the sign-in ends when it has been idle for long enough.
    await plain.POST("/v1/auth/sign-out", { headers }).catch(() => undefined);
  }
  await forget();
  account.set({ state: "signed_out", ended: false });
}

async function enter(me: Me): Promise<void> {
  await adoptLanguage(me.language);
  account.set({ state: "signed_in", me });
}

/** A refresh token is good once, so tabs take turns: the second finds the token that the first was given. */
async function refresh(): Promise<string> {
  return navigator.locks.request("homestretch-refresh", async () => {
    const refreshToken = await read<string>("account", REFRESH_TOKEN);
    const key = await storedDeviceKey();
    if (!refreshToken || !key) return end();
    try {
      const body = { refresh_token: refreshToken, device_proof: await proofFor(key, refreshToken) };
      const tokens = await unwrap(plain.POST("/v1/auth/refresh", { body }));
      await keep(tokens);
      return tokens.access_token;
    } catch (error) {
      if (asProblem(error).kind === "signedOut") return end();
      throw error;
    }
  });
}

async function end(): Promise<never> {
  await forget();
  account.set({ state: "signed_out", ended: true });
  throw new Problem("signedOut");
}

async function keep(tokens: Tokens): Promise<void> {
  await write("account", REFRESH_TOKEN, tokens.refresh_token);
  access = {
    token: tokens.access_token,
    goodUntil: Date.now() + (tokens.expires_in_s - EARLY_S) * 1000,
  };
}

/** Nothing of the patient stays on the device, unsent recordings included. The language does. */
async function forget(): Promise<void> {
  access = undefined;
  for (const key of [REFRESH_TOKEN, "device-key", "probe"]) await remove("account", key);
  await empty("recordings");
}

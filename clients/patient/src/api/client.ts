import createClient from "openapi-fetch";
import { accessToken, distrust } from "../account/account";
import type { paths } from "./schema";

/** Requests of whoever is signed in. */
export const api = createClient<paths>({ baseUrl: "/", fetch: signedFetch });

async function signedFetch(request: Request): Promise<Response> {
  const token = await accessToken();
  const response = await fetch(signed(request.clone(), token));
  if (response.status !== 401) return response;
  distrust(token); // It ended early; nothing was done yet, so the same request may go once more.
  return fetch(signed(request, await accessToken()));
}

function signed(request: Request, token: string): Request {
  request.headers.set("Authorization", `Bearer ${token}`);
  return request;
}

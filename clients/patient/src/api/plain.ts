import createClient from "openapi-fetch";
import { problemOf } from "./problems";
import type { paths } from "./schema";

/** Requests without a sign-in: those by which one signs in. */
export const plain = createClient<paths>({ baseUrl: "/" });

/** The answer's data; throws a `Problem` for every other answer. */
export async function unwrap<T>(
  asked: Promise<{ data?: T; error?: unknown; response: Response }>,
): Promise<NonNullable<T>> {
  const { data, error, response } = await asked;
  if (!response.ok || data === undefined || data === null) {
    throw problemOf(response.status, error, response.headers.get("Retry-After"));
  }
  return data;
}

import type { Catalogue } from "../i18n/en";

export type ProblemKind = Exclude<keyof Catalogue["problem"], "reference">;

/** A request that did not succeed, by what the patient can do about it. */
export class Problem extends Error {
  constructor(
    readonly kind: ProblemKind,
    /** The kind of problem as the server named it, the last part of its `type`. */
    readonly code?: string,
    /** Names this occurrence to whoever looks into it. */
    readonly instance?: string,
    readonly retryAfterS?: number,
  ) {
    super(code ?? kind);
  }
}

/** Of a problem detail (RFC 9457); anything else that came as an error is judged by its status alone. */
export function problemOf(status: number, body: unknown, retryAfter: string | null = null): Problem {
  const detail = isRecord(body) ? body : {};
  const code = typeof detail.type === "string" ? detail.type.split("/").at(-1) : undefined;
  const instance = typeof detail.instance === "string" ? detail.instance.split(":").at(-1) : undefined;
  const seconds = Number(retryAfter ?? Number.NaN);
  return new Problem(kindOf(status), code, instance, Number.isFinite(seconds) ? seconds : undefined);
}

/** Whatever was thrown, as a problem: a `fetch` that fails before any answer means there is no connection. */
export function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof DOMException && STORAGE_FAULTS.has(error.name)) return new Problem("storage");
  return new Problem(error instanceof TypeError ? "offline" : "server");
}

const STORAGE_FAULTS = new Set(["QuotaExceededError", "InvalidStateError", "SecurityError", "UnknownError"]);

function kindOf(status: number): ProblemKind {
  switch (status) {
    case 401:
      return "signedOut";
    case 403:
      return "forbidden";
    case 404:
    case 410:
      return "notFound";
    case 409:
    case 412:
    case 428:
      return "changed";
    case 423:
    case 429:
      return "busy";
    case 0:
      return "offline";
    default:
      return status >= 500 ? "server" : "invalid";
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

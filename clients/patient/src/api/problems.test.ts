import { describe, expect, it } from "vitest";
import { asProblem, Problem, problemOf } from "./problems";

describe("what the patient is told", () => {
  it("follows from the status, with the reference to quote", () => {
    const problem = problemOf(500, { type: "/problems/internal", instance: "urn:homestretch:request:abc" });
    expect(problem).toMatchObject({ kind: "server", code: "internal", instance: "abc" });
  });

  it.each([
    [401, "signedOut"],
    [404, "notFound"],
    [412, "changed"],
    [422, "invalid"],
    [429, "busy"],
    [503, "server"],
  ])("%i means %s", (status, kind) => {
    expect(problemOf(status, null).kind).toBe(kind);
  });

  it("is that there is no connection when a request got no answer", () => {
    expect(asProblem(new TypeError("Failed to fetch")).kind).toBe("offline");
  });

  it("is that the device is full when storage says so", () => {
    expect(asProblem(new DOMException("full", "QuotaExceededError")).kind).toBe("storage");
  });

  it("keeps a problem as it is", () => {
    const problem = new Problem("busy");
    expect(asProblem(problem)).toBe(problem);
  });

  it("tells how long to wait if the server said so", () => {
    expect(problemOf(429, {}, "30").retryAfterS).toBe(30);
  });
});

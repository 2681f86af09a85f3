import { describe, expect, it } from "vitest";
import { invitationToken } from "./account/invitation-link";
import { href, parseRoute, type Route } from "./router";

describe("an address", () => {
  const routes: Route[] = [
    { name: "today" },
    { name: "invitation", token: "hsi_org_1.inv_2.Ab-_9" },
    { name: "exercise", prescriptionId: "rx/1 ü" },
    { name: "session", id: "exs_1" },
  ];

  it.each(routes)("of $name leads back to where it came from", (route) => {
    expect(parseRoute(href(route))).toEqual(route);
  });

  it("that means nothing leads to today", () => {
    for (const hash of ["", "#", "#/", "#/session", "#/nowhere/1"]) {
      expect(parseRoute(hash)).toEqual({ name: "today" });
    }
  });

  it("with a mangled escape does not break the page", () => {
    expect(parseRoute("#/session/%E0%A4%A")).toEqual({ name: "session", id: "%E0%A4%A" });
  });
});

describe("a pasted invitation", () => {
  it("is found in the whole link and in what a message app left of it", () => {
    expect(invitationToken(" https://clinic.example/app/#/invitation/hsi_o.i.s \n")).toBe("hsi_o.i.s");
    expect(invitationToken("#/invitation/hsi_o.i.s?utm=1")).toBe("hsi_o.i.s");
  });

  it("is not found where there is none", () => {
    expect(invitationToken("https://clinic.example/app/")).toBeUndefined();
    expect(invitationToken("https://clinic.example/app/#/staff-invitation/hsi_o.i.s")).toBeUndefined();
  });
});

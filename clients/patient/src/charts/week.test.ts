import { describe, expect, it } from "vitest";
import type { DayCompliance, PatientCompliance } from "../api/types";
import { weekDays } from "./week";

const TODAY = "2026-11-26";

function day(date: string, ...doses: [due: boolean, completed: number][]): DayCompliance {
  return { date, doses: doses.map(([due, completed]) => ({ due, completed })) } as DayCompliance;
}

function states(...programs: DayCompliance[][]): string[] {
  const week = {
    from: "2026-11-23",
    programs: programs.map((days) => ({ weeks: [{ days }] })),
  } as PatientCompliance;
  return weekDays(week, TODAY).map(({ state }) => state);
}

describe("the week at a glance", () => {
  it("has seven days from Monday to Sunday, across the end of a month and the change of clocks", () => {
    const week = { from: "2026-10-26", programs: [] } as unknown as PatientCompliance;
    expect(weekDays(week, "2026-10-28").map(({ date }) => date)).toEqual([
      "2026-10-26",
      "2026-10-27",
      "2026-10-28",
      "2026-10-29",
      "2026-10-30",
      "2026-10-31",
      "2026-11-01",
    ]);
  });

  it("tells done, begun, missed, free and coming days apart, and does not call today missed", () => {
    const found = states([
      day("2026-11-23", [true, 1], [true, 1]),
      day("2026-11-24", [true, 1], [true, 0]),
      day("2026-11-25", [true, 0]),
      day("2026-11-26", [true, 0]),
    ]);
    expect(found).toEqual(["done", "partly", "missed", "today", "ahead", "ahead", "ahead"]);
    expect(states([day("2026-11-23")])[0]).toBe("rest");
  });

  it("does not call a day done while another program still asks for something", () => {
    expect(states([day("2026-11-23", [true, 1])], [day("2026-11-23", [true, 0])])[0]).toBe("partly");
  });

  it("counts a day that the patient chose", () => {
    expect(states([day("2026-11-24", [false, 1], [false, 0])])[1]).toBe("done");
    expect(states([day("2026-11-24", [false, 0.4])])[1]).toBe("partly");
  });
});

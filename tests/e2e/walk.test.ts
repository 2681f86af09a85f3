import { gzipSync } from "node:zlib";
import type { Response } from "playwright-core";
import { describe, expect, inject, it } from "vitest";
import { invite, type Prescription, read } from "./clinic";
import { Phone, withBrowser } from "./phone";

withBrowser();

const ABDUCTION: Prescription = {
  exercise_id: "standing_hip_abduction",
  sets: 3,
  repetitions: 10,
  side: "left",
  hold_s: 2,
  days_per_week: 7,
};

describe("a patient's first day with the app", () => {
  it("leads from the invitation to the result of a filmed exercise", async () => {
    const invitation = await invite();
    const phone = await Phone.unbox();
    const { page } = phone;

    await page.goto(invitation.link);
    await phone.expectGoodScreen();
    await page.getByLabel("One-time code").fill("00000000");
    await page.getByRole("button", { name: "Sign in" }).click();
    expect(await page.getByRole("alert").textContent()).toContain("That did not match");
    await phone.expectGoodScreen();

    await phone.signIn(invitation);
    await page.getByText("1 exercise to go today").waitFor();
    await page.getByText("0 of 1 set").waitFor();
    await phone.expectGoodScreen();

    await page.getByRole("link", { name: "Sit to stand" }).click();
    await page.getByText("Use the higher chair.").waitFor();
    await phone.expectGoodScreen();

    await page.getByRole("button", { name: "Start" }).click();
    await page.getByRole("radio", { name: "3", exact: true }).check({ force: true });
    await phone.expectGoodScreen();

    await phone.choose();
    await page.getByRole("heading", { name: "How was it?" }).waitFor();
    await phone.expectGoodScreen();
    const [pain, effort] = await page.getByRole("radio", { name: "2", exact: true }).all();
    await pain?.check({ force: true });
    await effort?.check({ force: true });
    await page.getByRole("button", { name: "Save" }).click();

    await page.getByRole("heading", { name: "Checking your movements" }).waitFor();
    await page.getByRole("heading", { name: "Your result" }).waitFor({ timeout: 90_000 });
    await page.getByText("5 full repetitions").waitFor({ state: "attached" });
    await page.getByRole("img", { name: /5 full repetitions and 0 smaller ones marked/ }).waitFor();
    await page.getByText("100% of this week’s exercises so far").waitFor();
    await page.getByText("Show as a table").click();
    expect(await page.locator("tbody tr").count()).toBe(5);
    await phone.expectGoodScreen();

    await page.getByRole("link", { name: "Back to today" }).click();
    await page.getByText("All done for today").waitFor();
    const sessions = await read(`/v1/patients/${invitation.patientId}/exercise-sessions`);
    expect(sessions.items[0]).toMatchObject({ pain_before: 3, pain_after: 2, exertion_after: 2 });
    expect(sessions.items[0].evidence[0]).toMatchObject({ grade: "video", repetitions: 5 });
    await phone.putAway();
  });

  it("counts what is reported without a video", async () => {
    const invitation = await invite([ABDUCTION]);
    const phone = await Phone.unbox();
    const { page } = phone;
    await phone.signIn(invitation);
    await page.getByText("3 sets × 10 repetitions · hold 2 s · left side").waitFor();
    await phone.begin("Standing hip abduction");
    await page.getByRole("button", { name: "I did it without filming" }).click();
    await page.getByLabel("Sets you did").fill("2");
    await phone.expectGoodScreen();
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByText("Saved").waitFor();
    await page.getByRole("link", { name: "Back to today" }).click();
    await page.getByText("2 of 3 sets").waitFor();
    await phone.putAway();
  });

  it("says so when there is no program yet, and when it is a day of rest", async () => {
    const none = await Phone.unbox();
    await none.signIn(await invite([]));
    await none.page.getByText("No exercises yet").waitFor();
    await none.expectGoodScreen();
    await none.putAway();

    const rest = await Phone.unbox();
    await rest.signIn(await invite([{ ...ABDUCTION, days_per_week: undefined, days_of_week: otherDays() }]));
    await rest.page.getByText("Rest day").waitFor();
    await rest.page.getByRole("link", { name: "Standing hip abduction" }).waitFor();
    await rest.expectGoodScreen();
    await rest.putAway();
  });

  it("speaks Spanish to whoever reads Spanish, and can be switched", async () => {
    const invitation = await invite(undefined, "es");
    const phone = await Phone.unbox({
      locale: "es-MX",
      colorScheme: "dark",
      viewport: { width: 320, height: 640 },
    });
    const { page } = phone;
    await page.goto(invitation.link);
    await page.getByLabel("Código de un solo uso").fill(invitation.code);
    await phone.expectGoodScreen();
    await page.getByRole("button", { name: "Entrar" }).click();
    await page.getByRole("link", { name: "Sentarse y levantarse" }).waitFor();
    expect(await page.locator("html").getAttribute("lang")).toBe("es");
    await phone.expectGoodScreen();
    await page.getByRole("button", { name: "English" }).click();
    await page.getByRole("link", { name: "Sit to stand" }).waitFor();
    await page.reload();
    await page.getByRole("link", { name: "Sit to stand" }).waitFor();
    await phone.putAway();
  });
});

describe("the first load", () => {
  it("is small", async () => {
    const phone = await Phone.unbox();
    const files = new Map<string, Response>();
    phone.page.on("response", (response) => files.set(response.url(), response));
    await phone.page.goto(`${inject("practice").url}/app/`, { waitUntil: "networkidle" });
    const bodies = await Promise.all([...files.values()].map((response) => response.body()));
    const bytes = bodies.reduce((sum, body) => sum + gzipSync(body).length, 0);
    expect(bytes).toBeGreaterThan(10_000);
    expect(bytes).toBeLessThan(60_000);
    await phone.putAway();
  });
});

/** Every day of the week that is not today, wherever in the world today is. */
function otherDays(): string[] {
  const names = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];
  const chicago = new Intl.DateTimeFormat("en-US", { weekday: "long", timeZone: "America/Chicago" });
  const today = chicago.format(new Date()).toLowerCase();
  return names.filter((name) => name !== today);
}

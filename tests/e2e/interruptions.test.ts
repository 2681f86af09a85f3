import { setTimeout as wait } from "node:timers/promises";
import type { Request } from "playwright-core";
import { describe, expect, inject, it } from "vitest";
import { BadLine } from "./bad-line";
import { invite } from "./clinic";
import { DAMAGED, Phone, withBrowser } from "./phone";

withBrowser();

const UPLOADS = /\/v1\/uploads(\/|$)/;

describe("a video on its way", () => {
  it("is sent on from where a dropped connection left it", async () => {
    const line = await BadLine.to(inject("practice").url);
    const phone = await Phone.unbox();
    const { page } = phone;
    const seen = watchUploads(phone);
    await phone.signIn(await invite(), line.url);
    await phone.begin("Sit to stand");
    line.cutAfter(300_000);
    await phone.choose();
    await page.getByText("Waiting for the connection").waitFor();
    expect(line.isDown).toBe(true);
    await phone.expectGoodScreen();
    line.restore();

    await page.getByRole("heading", { name: "Your result" }).waitFor({ timeout: 90_000 });
    await page.getByText("5 full repetitions").waitFor({ state: "attached" });
    expect(seen.filter((each) => each.method() === "POST")).toHaveLength(1);
    const afterwards = seen.slice(seen.findIndex((each) => each.method() === "HEAD"));
    const resumed = afterwards.find((each) => each.method() === "PATCH");
    // What arrived before the cut is not sent again.
    expect(Number(resumed?.headers()["upload-offset"])).toBeGreaterThan(100_000);
    await phone.putAway();
    await line.close();
  });

  it("survives that the page is closed, and can be paused and gone on with", async () => {
    const phone = await Phone.unbox();
    const { page } = phone;
    await phone.signIn(await invite());
    await phone.begin("Sit to stand");
    // The first part arrives, the second hangs in the air.
    let parts = 0;
    await page.route(UPLOADS, async (route) => {
      if (route.request().method() === "PATCH" && ++parts > 1) await wait(60_000);
      await route.continue().catch(() => undefined);
    });
    await phone.choose(DAMAGED);
    await page.getByText("81%").waitFor();
    await page.reload();
    await page.getByRole("button", { name: "Pause" }).click();
    await page.getByText("Paused").waitFor();
    await phone.expectGoodScreen();

    await page.goto(`${inject("practice").url}/app/#/today`);
    await page.reload();
    await page.getByText("A video has not been sent yet").waitFor();
    await phone.expectGoodScreen();
    await page.unrouteAll({ behavior: "ignoreErrors" });
    const seen = watchUploads(phone);
    await page.getByRole("link", { name: "Go on" }).click();
    await page.getByText("The video is damaged.").waitFor({ timeout: 90_000 });
    expect(seen.map((each) => each.method())).toEqual(["HEAD", "PATCH"]);
    expect(await recordingsOn(phone)).toBe(0);
    await phone.putAway();
  });

  it("waits while the server is not available, and asks nobody to begin again", async () => {
    const phone = await Phone.unbox();
    const { page } = phone;
    await phone.signIn(await invite());
    await phone.begin("Sit to stand");
    let refusals = 2;
    await page.route(UPLOADS, (route) => {
      const ailing = ["PATCH", "HEAD"].includes(route.request().method()) && refusals-- > 0;
      return ailing ? route.fulfill({ status: 503, headers: { "Retry-After": "1" } }) : route.continue();
    });
    const seen = watchUploads(phone);
    await phone.choose(DAMAGED);
    await page.getByText("The video is damaged.").waitFor({ timeout: 90_000 });
    expect(seen.map((each) => each.method())).toEqual(["POST", "PATCH", "HEAD", "HEAD", "PATCH", "PATCH"]);
    await phone.putAway();
  });

  it("is sent even if the rest of its page could not be loaded", async () => {
    const phone = await Phone.unbox();
    const { page } = phone;
    await phone.signIn(await invite());
    await phone.begin("Sit to stand");
    let asked = 0;
    await page.route(/\/v1\/exercise-sessions\/[^/]+$/, (route) =>
      asked++ === 0 ? route.abort("internetdisconnected") : route.continue(),
    );
    await phone.choose(DAMAGED);
    // Nobody touches "Try again": the page is loaded once more when the video has arrived.
    await page.getByText("The video is damaged.").waitFor({ timeout: 90_000 });
    expect(asked).toBeGreaterThan(1);
    await phone.putAway();
  });

  it("is refused in plain words if it is no video", async () => {
    const phone = await Phone.unbox();
    const { page } = phone;
    await phone.signIn(await invite());
    await phone.begin("Sit to stand");
    const picker = page.getByLabel("Choose a video");
    await picker.setInputFiles({ name: "notes.txt", mimeType: "text/plain", buffer: Buffer.from("Hello") });
    expect(await page.getByRole("alert").textContent()).toContain("This is not a video");
    const disguised = Buffer.from("This only calls itself a video. ".repeat(100));
    await picker.setInputFiles({ name: "squat.mp4", mimeType: "video/mp4", buffer: disguised });
    await page.getByText("This device cannot play the video").waitFor();
    await page.getByRole("button", { name: "Use this video" }).click();
    await page.getByText("The file is not a video. Choose another one.").waitFor();
    await phone.expectGoodScreen();
    page.once("dialog", (dialog) => dialog.accept());
    await page.getByRole("button", { name: "Delete this video" }).click();
    await page.getByText("1 exercise to go today").waitFor();
    expect(await recordingsOn(phone)).toBe(0);
    await phone.putAway();
  });
});

describe("a phone without a connection", () => {
  it("says so, and finds its way back", async () => {
    const phone = await Phone.unbox();
    const { page, context } = phone;
    await phone.signIn(await invite());
    await context.setOffline(true);
    await page.getByText("You are offline.").waitFor();
    await page.getByRole("link", { name: "Sit to stand" }).click();
    await page.getByRole("alert").getByText("No connection").waitFor();
    await phone.expectGoodScreen();
    await context.setOffline(false);
    await page.getByRole("button", { name: "Try again" }).click();
    await page.getByRole("button", { name: "Start" }).waitFor();
    expect(await page.getByText("You are offline.").count()).toBe(0);
    await phone.putAway();
  });
});

function watchUploads(phone: Phone): Request[] {
  const seen: Request[] = [];
  phone.page.on("request", (request) => {
    if (UPLOADS.test(new URL(request.url()).pathname)) seen.push(request);
  });
  return seen;
}

/** Videos that the phone still holds. */
function recordingsOn({ page }: Phone): Promise<number> {
  return page.evaluate(
    () =>
      new Promise<number>((resolve, reject) => {
        const opening = indexedDB.open("homestretch");
        opening.onerror = () => reject(opening.error);
        opening.onsuccess = () => {
          const counting = opening.result.transaction("recordings").objectStore("recordings").count();
          counting.onsuccess = () => resolve(counting.result);
        };
      }),
  );
}

import { setTimeout as wait } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { invite } from "./clinic";
import { Phone, withBrowser } from "./phone";

withBrowser();

describe("filming with the phone", () => {
  it("counts down, films, can be repeated, and is checked", async () => {
    const phone = await Phone.unbox();
    const { page } = phone;
    await phone.signIn(await invite());
    await phone.begin("Sit to stand");
    await page.getByRole("button", { name: "Film it now" }).click();
    await page.getByText("Your whole body fits in the picture").waitFor();
    await phone.expectGoodScreen();

    await page.getByRole("button", { name: "Start filming" }).click();
    await page.getByRole("status").getByText("Filming starts in 3").waitFor({ state: "attached" });
    await page.getByRole("status").getByText("Filming starts in 1").waitFor({ state: "attached" });
    await page.getByRole("timer", { name: "Filming" }).waitFor();
    await phone.expectGoodScreen();
    await page.getByText("0:02").waitFor();
    await page.getByRole("button", { name: "Stop" }).click();
    await page.getByText("Can you see your whole body").waitFor();
    await phone.expectGoodScreen();

    await page.getByRole("button", { name: "Film again" }).click();
    await page.getByRole("button", { name: "Start filming" }).click();
    await page.getByText("0:02").waitFor();
    await page.getByRole("button", { name: "Stop" }).click();
    await page.getByRole("button", { name: "Use this video" }).click();

    // The camera of the test shows a clock face, and nobody in front of it.
    await page.getByText("This video could not be used").waitFor({ timeout: 90_000 });
    await page.getByText("Nobody could be seen.").waitFor();
    await phone.expectGoodScreen();
    await phone.putAway();
  });

  it("lets go of the camera with the screen", async () => {
    const phone = await Phone.unbox();
    const { page } = phone;
    await page.addInitScript(() => {
      const opened: MediaStream[] = [];
      const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
      navigator.mediaDevices.getUserMedia = async (wishes) => {
        const stream = await open(wishes);
        opened.push(stream);
        return stream;
      };
      Object.assign(window, { opened });
    });
    await phone.signIn(await invite());
    await phone.begin("Sit to stand");
    await page.getByRole("button", { name: "Film it now" }).click();
    await page.getByRole("button", { name: "Use the other camera" }).click();
    await page.getByRole("button", { name: "Start filming" }).and(page.locator(":enabled")).waitFor();
    await page.getByRole("button", { name: "Back" }).click();
    await page.getByRole("heading", { name: "Before you start" }).waitFor();
    await wait(100);
    const states = await page.evaluate(() =>
      (window as unknown as { opened: MediaStream[] }).opened.flatMap((stream) =>
        stream.getTracks().map((track) => `${track.kind} ${track.readyState}`),
      ),
    );
    expect(states).toEqual(["video ended", "video ended"]);
    await phone.putAway();
  });

  it("offers another way if the camera is not allowed", async () => {
    const phone = await Phone.unbox();
    const { page } = phone;
    await page.addInitScript(() => {
      navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("no", "NotAllowedError"));
    });
    await phone.signIn(await invite());
    await phone.begin("Sit to stand");
    await page.getByRole("button", { name: "Film it now" }).click();
    await page.getByText("The camera is not allowed").waitFor();
    await page.getByLabel("Choose a video").waitFor();
    await phone.expectGoodScreen();
    await phone.putAway();
  });
});

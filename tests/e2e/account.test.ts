import { describe, expect, inject, it } from "vitest";
import { invite } from "./clinic";
import { Phone, withBrowser } from "./phone";

withBrowser();

describe("staying signed in", () => {
  it("lasts over a new start of the app, and leaves no token where scripts could read it", async () => {
    const phone = await Phone.unbox();
    const { page } = phone;
    await phone.signIn(await invite());
    const before = await kept(phone);
    await page.reload();
    await page.getByText("Hello, Rosa Delgado").waitFor();
    const after = await kept(phone);
    expect(after.refreshToken).not.toBe(before.refreshToken);
    expect(after.keyCanBeExported).toBe(false);
    expect(await page.evaluate(() => [localStorage.length, sessionStorage.length, document.cookie])).toEqual([
      0,
      0,
      "",
    ]);
    await phone.putAway();
  });

  it("works in two tabs at once", async () => {
    const phone = await Phone.unbox();
    await phone.signIn(await invite());
    const second = await phone.context.newPage();
    await Promise.all([phone.page.reload(), second.goto(`${inject("practice").url}/app/`)]);
    await phone.page.getByText("Hello, Rosa Delgado").waitFor();
    await second.getByText("Hello, Rosa Delgado").waitFor();
    await phone.putAway();
  });

  it("is worth nothing on another device", async () => {
    const phone = await Phone.unbox();
    await phone.signIn(await invite());
    const { refreshToken } = await kept(phone);
    const answer = await fetch(`${inject("practice").url}/v1/auth/refresh`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ refresh_token: refreshToken }),
    });
    expect(answer.status).toBe(401);
    await phone.putAway();
  });

  it("goes on when an access token ends early", async () => {
    const phone = await Phone.unbox();
    const { page } = phone;
    await phone.signIn(await invite());
    let asked = 0;
    await page.route("**/v1/patients/*/today", (route) =>
      asked++ === 0 ? route.fulfill({ status: 401, body: "{}" }) : route.continue(),
    );
    await page.getByRole("link", { name: "Sit to stand" }).click();
    await page.getByRole("button", { name: "Start" }).waitFor();
    expect(asked).toBe(2);
    await phone.putAway();
  });
});

describe("signing out", () => {
  it("leaves nothing of the patient on the device", async () => {
    const phone = await Phone.unbox();
    const { page } = phone;
    await phone.signIn(await invite());
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByLabel("Invitation link").waitFor();
    await phone.expectGoodScreen();
    expect((await kept(phone)).refreshToken).toBeUndefined();
    await page.reload();
    await page.getByLabel("Invitation link").waitFor();
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByText("Paste the whole link that your clinic sent you.").waitFor();
    await phone.expectGoodScreen();
    await phone.putAway();
  });

  it("by the clinic or on another device ends it here too, and says what to do", async () => {
    const phone = await Phone.unbox();
    const { page } = phone;
    await phone.signIn(await invite());
    const asked = page.waitForRequest((request) => request.url().endsWith("/today"));
    await page.getByRole("link", { name: "Sit to stand" }).click();
    const authorization = (await asked).headers().authorization ?? "";
    await page.getByRole("button", { name: "Start" }).waitFor();
    const everywhere = await fetch(`${inject("practice").url}/v1/auth/sign-out-everywhere`, {
      method: "POST",
      headers: { Authorization: authorization },
    });
    expect(everywhere.status).toBe(204);
    await page.reload();
    await page.getByText("You are signed out on this device.").waitFor();
    await phone.expectGoodScreen();
    expect((await kept(phone)).refreshToken).toBeUndefined();
    await phone.putAway();
  });
});

interface Kept {
  refreshToken: string | undefined;
  keyCanBeExported: boolean | undefined;
}

/** What the app keeps in the browser about the sign-in. */
function kept({ page }: Phone): Promise<Kept> {
  return page.evaluate(
    () =>
      new Promise<Kept>((resolve, reject) => {
        const opening = indexedDB.open("homestretch");
        opening.onerror = () => reject(opening.error);
        opening.onsuccess = () => {
          const transaction = opening.result.transaction("account");
          const shelf = transaction.objectStore("account");
          const token = shelf.get("refresh-token");
          const key = shelf.get("device-key");
          transaction.oncomplete = () =>
            resolve({
              refreshToken: token.result,
              keyCanBeExported: key.result?.privateKey.extractable,
            });
        };
      }),
  );
}

import { describe, expect, it } from "vitest";
import { base64url } from "./device-key";
import { deviceName } from "./device-name";

describe("a device", () => {
  it.each([
    ["Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Safari", "iPhone"],
    ["Mozilla/5.0 (Linux; Android 16; Pixel 10) Chrome/150 Mobile Safari", "Android phone"],
    ["Mozilla/5.0 (Linux; Android 16; SM-X200) Chrome/150 Safari", "Android tablet"],
    ["Mozilla/5.0 (Windows NT 10.0; Win64; x64) Firefox/150", "Windows computer"],
    ["curl/8", "Browser"],
  ])("is called what its owner calls it: %s", (userAgent, name) => {
    expect(deviceName(userAgent)).toBe(name);
  });

  it("writes its signature without characters that an address would change", () => {
    expect(base64url(new Uint8Array([251, 255, 254, 0]))).toBe("-__-AA");
  });
});

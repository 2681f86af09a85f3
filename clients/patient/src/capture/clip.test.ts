import { describe, expect, it } from "vitest";
import { clipFault, LARGEST_BYTES } from "./clip";
import { plainType } from "./recorder";

describe("choosing a video", () => {
  it("takes what a phone's gallery offers", () => {
    expect(clipFault({ name: "IMG_1.MOV", type: "video/quicktime", size: 10 })).toBeUndefined();
    expect(clipFault({ name: "squat.MP4", type: "", size: 10 })).toBeUndefined();
  });

  it("says at once what cannot work", () => {
    expect(clipFault({ name: "a.mp4", type: "video/mp4", size: 0 })).toBe("empty");
    expect(clipFault({ name: "a.jpg", type: "image/jpeg", size: 10 })).toBe("notVideo");
    expect(clipFault({ name: "notes", type: "", size: 10 })).toBe("notVideo");
    expect(clipFault({ name: "a.mp4", type: "video/mp4", size: LARGEST_BYTES + 1 })).toBe("tooLarge");
  });

  it("names a recording's type without its codecs", () => {
    expect(plainType("video/webm;codecs=vp9")).toBe("video/webm");
  });
});

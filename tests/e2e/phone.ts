import { randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import axe, { type Result } from "axe-core";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, expect, inject } from "vitest";
import type { Invitation } from "./clinic";

export const CLIP = createRequire(import.meta.url).resolve("../data/clips/26_sit_to_stand_side.mp4");

/** Begins like a video, and holds none: sent like any other, and quickly found to be damaged. */
export const DAMAGED = {
  name: "damaged.mp4",
  mimeType: "video/mp4",
  buffer: Buffer.concat([readFileSync(CLIP).subarray(0, 32), randomBytes(650_000)]),
};

type VideoFile = string | typeof DAMAGED;

const PLACES = [
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];
const FLAGS = [
  "--headless=new",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--use-fake-device-for-media-stream",
  "--use-fake-ui-for-media-stream",
];
const STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

let browser: Browser;

/** One Chromium for the tests of a file. */
export function withBrowser(): void {
  beforeAll(async () => {
    const executablePath = process.env.CHROMIUM ?? PLACES.find((place) => existsSync(place));
    if (!executablePath) throw new Error("No Chromium was found. Install it, or name it in CHROMIUM.");
    browser = await chromium.launch({ executablePath, args: FLAGS });
  });
  afterAll(() => browser.close());
}

/** A patient's phone, with nothing on it yet. Whatever the page complains about is in `complaints`. */
export class Phone {
  private constructor(
    readonly context: BrowserContext,
    readonly page: Page,
    readonly complaints: string[],
  ) {}

  static async unbox(options: Parameters<Browser["newContext"]>[0] = {}): Promise<Phone> {
    const context = await browser.newContext({
      viewport: { width: 390, height: 844 },
      locale: "en-US",
      permissions: ["camera"],
      ...options,
    });
    const page = await context.newPage();
    page.setDefaultTimeout(20_000);
    const complaints: string[] = [];
    page.on("pageerror", (error) => complaints.push(String(error)));
    page.on("console", (message) => {
      // What the network did is for the tests to judge; a failed request always leaves such a line.
      if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) {
        complaints.push(message.text());
      }
    });
    return new Phone(context, page, complaints);
  }

  /** Accept an invitation and arrive at today's exercises. */
  async signIn({ link, code }: Invitation, origin = inject("practice").url): Promise<void> {
    await this.page.goto(link.replace(/^https?:\/\/[^/]+/, origin));
    await this.page.getByLabel("One-time code").fill(code);
    await this.page.getByRole("button", { name: "Sign in" }).click();
    await this.page.getByText("Hello, Rosa Delgado").waitFor();
    await this.page.getByRole("heading", { name: "This week" }).waitFor();
  }

  /** From today's list to the choice of a video, with the pain rated. */
  async begin(exercise: string): Promise<void> {
    const { page } = this;
    await page.getByRole("link", { name: exercise }).click();
    await page.getByRole("button", { name: "Start" }).click();
    await page.getByRole("radio", { name: "3", exact: true }).check({ force: true });
  }

  async choose(video: VideoFile = CLIP): Promise<void> {
    await this.page.getByLabel("Choose a video").setInputFiles(video);
    await this.page.getByRole("button", { name: "Use this video" }).click();
  }

  /** Nothing on this screen shuts anybody out, runs over its edge, or says anything about health in its title. */
  async expectGoodScreen(): Promise<void> {
    const { page } = this;
    await page.evaluate(axe.source);
    const violations = await page.evaluate(async (values) => {
      const tool = (window as unknown as { axe: typeof axe }).axe;
      return (await tool.run(document, { runOnly: { type: "tag", values } })).violations;
    }, STANDARDS);
    expect(violations.map(summary)).toEqual([]);
    expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(
      0,
    );
    expect(await page.evaluate(smallTargets)).toEqual([]);
    expect(await page.title()).toBe("Homestretch");
    expect(this.complaints).toEqual([]);
  }

  async putAway(): Promise<void> {
    await this.context.close();
  }
}

function summary({ id, nodes }: Result): string {
  return `${id}: ${nodes.map((node) => node.html).join(" | ")}`;
}

/** Buttons, links and choices below 44 by 44 CSS pixels (WCAG 2.2, 2.5.5), except links within a sentence. */
function smallTargets(): string[] {
  const found = document.querySelectorAll("button, a[href], summary, .scale-value, .pick, input[type=text]");
  return [...found]
    .map((element) => ({ element, box: element.getBoundingClientRect() }))
    .filter(({ box }) => box.width > 1 && (box.width < 44 || box.height < 44))
    .map(({ element }) => element.outerHTML.slice(0, 120));
}

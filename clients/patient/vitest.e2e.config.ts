import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const tests = fileURLToPath(new URL("../../tests/e2e/", import.meta.url));
const here = createRequire(import.meta.url);

export default defineConfig({
  // The tests live beside those of the other rooms; what they import is installed here.
  resolve: {
    alias: {
      "axe-core": here.resolve("axe-core"),
      "playwright-core": here.resolve("playwright-core").replace(/index\.js$/, "index.mjs"),
    },
  },
  test: {
    dir: tests,
    include: [`${tests}*.test.ts`],
    globalSetup: [`${tests}server.ts`],
    fileParallelism: false,
    testTimeout: 180_000,
    hookTimeout: 120_000,
  },
});

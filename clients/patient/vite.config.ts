import { defineConfig } from "vite";

const api = process.env.HOMESTRETCH_URL ?? "http://127.0.0.1:8000";

export default defineConfig({
  base: "/app/",
  build: {
    target: "es2022",
    // The content security policy allows no data: styles or scripts, so nothing is inlined.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: { proxy: { "/v1": api } },
});

// Puts the page and the parts of Swagger UI that it uses into dist/, with their licence beside them.
import { copyFile, mkdir, readdir, rm } from "node:fs/promises";

const ui = new URL("node_modules/swagger-ui-dist/", import.meta.url);
const source = new URL("src/", import.meta.url);
const dist = new URL("dist/", import.meta.url);

await rm(dist, { recursive: true, force: true });
await mkdir(dist);
for (const name of ["swagger-ui-bundle.js", "swagger-ui.css", "LICENSE", "NOTICE"]) {
  await copyFile(new URL(name, ui), new URL(name, dist));
}
for (const name of await readdir(source)) {
  await copyFile(new URL(name, source), new URL(name, dist));
}

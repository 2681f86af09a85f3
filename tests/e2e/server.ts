import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { TestProject } from "vitest/node";

/** Where the practice can be reached, and how its therapist signs in. */
export interface Practice {
  url: string;
  email: string;
  password: string;
  location_id: string;
}

declare module "vitest" {
  export interface ProvidedContext {
    practice: Practice;
  }
}

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const BIN = join(ROOT, ".venv/bin");
const run = promisify(execFile);

/** Before all tests: the real database, API and worker, with an empty practice. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  await run("npm", ["--prefix", "clients/patient", "run", "build"], { cwd: ROOT });
  const data = await mkdtemp(join(tmpdir(), "hs-e2e-"));
  const port = await freePort();
  const env = { ...process.env, HOMESTRETCH_DATA: data, PORT: String(port) };
  const server = spawn(join(BIN, "homestretch"), ["run", "--no-demo"], { cwd: ROOT, env });
  const said: string[] = [];
  server.stdout.on("data", (text) => said.push(String(text)));
  server.stderr.on("data", (text) => said.push(String(text)));
  const stop = async () => {
    await end(server);
    await rm(data, { recursive: true, force: true });
  };
  try {
    const url = `http://127.0.0.1:${port}`;
    await ready(url, server);
    const { stdout } = await run(join(BIN, "python"), [join(ROOT, "tests/e2e/open_practice.py")], {
      cwd: ROOT,
      env,
    });
    project.provide("practice", { url, ...JSON.parse(stdout) });
  } catch (error) {
    await stop();
    throw new Error(`the server did not start:\n${said.join("")}`, { cause: error });
  }
  return stop;
}

async function ready(url: string, server: ChildProcess): Promise<void> {
  for (let tries = 0; tries < 300; tries++) {
    if (server.exitCode !== null) throw new Error(`it ended with status ${server.exitCode}`);
    const answer = await fetch(`${url}/health/ready`).catch(() => undefined);
    if (answer?.ok) return;
    await wait(200);
  }
  throw new Error("it was not ready within a minute");
}

async function end(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null) return;
  const over = once(server, "exit");
  server.kill("SIGTERM");
  const gone = await Promise.race([over.then(() => true), wait(30_000, false, { ref: false })]);
  if (!gone) server.kill("SIGKILL");
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const address = probe.address();
  probe.close();
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

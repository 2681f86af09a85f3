import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";

/** A connection to the server that a test can cut like a train in a tunnel: plain TCP, in both directions. */
export class BadLine {
  /** Bytes that the phone has sent through. */
  sent = 0;
  private cutAt = Number.POSITIVE_INFINITY;
  private down = false;
  private readonly sockets = new Set<Socket>();

  private constructor(
    private readonly server: Server,
    readonly url: string,
  ) {}

  static async to(target: string): Promise<BadLine> {
    const { hostname, port } = new URL(target);
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    const line = new BadLine(server, `http://127.0.0.1:${address.port}`);
    server.on("connection", (phone) => line.join(phone, connect(Number(port), hostname)));
    return line;
  }

  /** Let `bytes` more through from the phone, then break every connection and take no new one. */
  cutAfter(bytes: number): void {
    this.cutAt = this.sent + bytes;
  }

  get isDown(): boolean {
    return this.down;
  }

  restore(): void {
    this.cutAt = Number.POSITIVE_INFINITY;
    this.down = false;
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
    await once(this.server, "close");
  }

  private join(phone: Socket, server: Socket): void {
    for (const socket of [phone, server]) {
      this.sockets.add(socket);
      socket.on("error", () => undefined); // A cut connection is what this is for.
      socket.on("close", () => {
        phone.destroy();
        server.destroy();
        this.sockets.delete(socket);
      });
    }
    if (this.down) phone.resetAndDestroy();
    server.pipe(phone);
    phone.on("data", (bytes) => {
      const passing = bytes.subarray(0, Math.max(0, this.cutAt - this.sent));
      this.sent += passing.length;
      server.write(passing);
      if (this.sent >= this.cutAt) this.cut();
    });
  }

  private cut(): void {
    this.down = true;
    for (const socket of this.sockets) socket.resetAndDestroy();
  }
}

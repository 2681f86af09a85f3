/** One server-sent event. */
export interface ServerEvent {
  event: string;
  data: string;
  id?: string;
}

/**
 * The events of a `text/event-stream` answer, as the HTML standard reads them. `EventSource` can't be used: it
 * sends no Authorization header.
 */
export async function* readEvents(
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
): AsyncGenerator<ServerEvent> {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  const parser = new EventParser();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield* parser.push(value);
    }
  } finally {
    await reader.cancel().catch(() => undefined); // The connection may be gone already.
  }
}

/** Takes text in pieces of any size and gives the events that are complete. */
export class EventParser {
  private rest = "";
  private event = "";
  private data: string[] = [];
  private id: string | undefined;

  *push(text: string): Generator<ServerEvent> {
    this.rest += text;
    // A CR at the end may be half of a CRLF: it waits for what follows.
    const lines = this.rest.split(/\r\n|\n|\r(?!$)/);
    this.rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line === "") yield* this.dispatch();
      else this.field(line);
    }
  }

  private *dispatch(): Generator<ServerEvent> {
    if (this.data.length > 0) {
      const id = this.id === undefined ? {} : { id: this.id };
      yield { event: this.event || "message", data: this.data.join("\n"), ...id };
    }
    this.event = "";
    this.data = [];
  }

  private field(line: string): void {
    const colon = line.indexOf(":");
    if (colon === 0) return; // A comment: the server keeps the connection alive.
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "event") this.event = value;
    else if (name === "data") this.data.push(value);
    else if (name === "id") this.id = value;
  }
}

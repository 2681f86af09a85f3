import { describe, expect, it } from "vitest";
import { EventParser, readEvents } from "./event-stream";

describe("a stream of progress", () => {
  it("is read the same, however the network cuts it up", () => {
    const text = 'id: 1\r\nevent: progress\r\ndata: {"a":\r\ndata: 1}\r\n\r\n: ping\n\ndata: last\n\n';
    const whole = [...new EventParser().push(text)];
    const parser = new EventParser();
    const single = [...text].flatMap((letter) => [...parser.push(letter)]);
    expect(whole).toEqual([
      { event: "progress", data: '{"a":\n1}', id: "1" },
      { event: "message", data: "last", id: "1" },
    ]);
    expect(single).toEqual(whole);
  });

  it("drops an event that was cut off before its end", () => {
    expect([...new EventParser().push("data: half")]).toEqual([]);
  });

  it("survives letters that are split between two packets", async () => {
    const bytes = new TextEncoder().encode("data: Señal\n\n");
    const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
      start(controller) {
        controller.enqueue(bytes.slice(0, 9));
        controller.enqueue(bytes.slice(9));
        controller.close();
      },
    });
    const found = [];
    for await (const event of readEvents(body)) found.push(event.data);
    expect(found).toEqual(["Señal"]);
  });
});

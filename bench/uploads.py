"""What an upload costs: 400 MB in one request, then 64 MB in the 256 KiB parts of a bad line.

Run as `python bench/uploads.py`, on Linux. Two floors are measured in the same run and server process: the
same bytes received over HTTP and thrown away, and received and written as they are, flushed to the device
every MiB. Counted is the processor time of the server process alone, without the database's; memory is what
its resident set grows by at its highest. Ends with 1 if that exceeds the budget.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from litestar import Request, put

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from api.authorization import PUBLIC  # noqa: E402 - the checkout must be importable first
from core import jobs  # noqa: E402 - same
from core.embedded_mongo import running_mongod  # noqa: E402 - same
from core.platform import open_platform  # noqa: E402 - same
from core.settings import Settings, load_settings  # noqa: E402 - same
from core.storage import documents  # noqa: E402 - same
from core.storage.metadata import format_metadata  # noqa: E402 - same
from core.storage.sealing import CHUNK_BYTES  # noqa: E402 - same
from tests.api.upload_server import PURPOSE, create_app, token  # noqa: E402 - same

MB = 1_000_000
LARGE = 400 * MB
SMALL = 64 * MB
PART = 256 * 1024
MEMORY_BUDGET_MB = 64.0
BLOCK = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + os.urandom(MB - 24)
TUS = {"Tus-Resumable": "1.0.0", "Content-Type": "application/offset+octet-stream"}


@put("/thrown-away", status_code=204, opt=PUBLIC, request_max_body_size=None)
async def throw_away(request: Request[Any, Any, Any]) -> None:
    """Receive as the upload routes do, and do nothing with it."""
    async for _ in request.stream():
        pass


@put("/written", status_code=204, opt=PUBLIC, request_max_body_size=None)
async def write_down(request: Request[Any, Any, Any]) -> None:
    """Receive as the upload routes do, and write it as it is, a file for each MiB."""
    with tempfile.TemporaryDirectory() as folder:
        number = 0
        chunk = bytearray()
        async for part in request.stream():
            chunk += part
            if len(chunk) >= CHUNK_BYTES:
                await asyncio.to_thread(flushed, Path(folder, str(number)), chunk)
                number += 1
                chunk.clear()


def flushed(path: Path, content: bytearray) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


async def serve() -> None:
    settings = load_settings()
    async with open_platform(settings, [*documents.DOCUMENTS, *jobs.DOCUMENTS]) as platform:
        app = create_app(platform)
        app.register(throw_away)
        app.register(write_down)
        config = uvicorn.Config(app, port=settings.port, log_level="error", lifespan="off")
        await uvicorn.Server(config).serve()


class Meter:
    """Processor time and memory of one process, from /proc."""

    def __init__(self, pid: int) -> None:
        self._folder = Path(f"/proc/{pid}")
        (self._folder / "clear_refs").write_text("5")  # forget the highest resident set so far
        self._before_mb = self._memory_mb("VmRSS")
        self._before_s = self._cpu_s()

    def read(self) -> tuple[float, float]:
        """Seconds of processor time, and megabytes by which the resident set grew at its highest."""
        return self._cpu_s() - self._before_s, self._memory_mb("VmHWM") - self._before_mb

    def _cpu_s(self) -> float:
        fields = (self._folder / "stat").read_text().rpartition(") ")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _memory_mb(self, name: str) -> float:
        lines = (self._folder / "status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) * 1024 / MB


async def blocks(size: int) -> AsyncGenerator[bytes]:
    for _ in range(size // len(BLOCK)):
        yield BLOCK


async def begun(client: httpx.AsyncClient, size: int) -> str:
    headers = {
        "Tus-Resumable": "1.0.0",
        "Upload-Length": str(size),
        "Upload-Metadata": format_metadata({"purpose": PURPOSE}),
    }
    return (await client.post("/v1/uploads", headers=headers)).raise_for_status().headers["Location"]


async def whole(client: httpx.AsyncClient, size: int) -> None:
    """One request."""
    location = await begun(client, size)
    answer = await client.patch(location, headers={**TUS, "Upload-Offset": "0"}, content=blocks(size))
    if "Homestretch-Job" not in answer.raise_for_status().headers:
        raise RuntimeError("the upload was not completed")


async def in_parts(client: httpx.AsyncClient, size: int) -> None:
    """One request for each part."""
    location = await begun(client, size)
    content = BLOCK * (size // len(BLOCK))
    for offset in range(0, size, PART):
        headers = {**TUS, "Upload-Offset": str(offset)}
        (
            await client.patch(location, headers=headers, content=content[offset : offset + PART])
        ).raise_for_status()


async def thrown_away(client: httpx.AsyncClient, size: int) -> None:
    (await client.put("/thrown-away", content=blocks(size))).raise_for_status()


async def written(client: httpx.AsyncClient, size: int) -> None:
    (await client.put("/written", content=blocks(size))).raise_for_status()


async def main() -> int:
    with tempfile.TemporaryDirectory(prefix="hs-") as folder:
        settings = Settings(data=Path(folder))
        async with running_mongod(settings) as uri:
            environment = {
                **os.environ,
                "HOMESTRETCH_DATA": folder,
                "HOMESTRETCH_MONGODB_URI": uri,
                "HOMESTRETCH_PORT": "8765",
            }
            server = subprocess.Popen([sys.executable, __file__, "serve"], env=environment)  # noqa: ASYNC220, S603 - ourselves
            try:
                return await measure(server.pid)
            finally:
                server.kill()
                server.wait()


async def measure(pid: int) -> int:
    bearer = {"Authorization": f"Bearer {token('org_bench', 'patient', 'pat_bench')}"}
    async with httpx.AsyncClient(base_url="http://127.0.0.1:8765", headers=bearer, timeout=600) as client:
        for _ in range(600):
            try:
                await client.options("/v1/uploads")
                break
            except httpx.TransportError:
                await asyncio.sleep(0.1)
        await whole(client, 4 * MB)  # load what is loaded once
        await in_parts(client, 4 * MB)
        await thrown_away(client, 4 * MB)
        await written(client, 4 * MB)
        rates: list[float] = []
        growth = 0.0
        for name, send, size in (
            ("floor: thrown away", thrown_away, LARGE),
            ("floor: written, not sealed", written, LARGE),
            ("upload in one request", whole, LARGE),
            ("upload in parts of 256 KiB", in_parts, SMALL),
        ):
            meter, begin = Meter(pid), time.perf_counter()
            await send(client, size)
            wall_s = time.perf_counter() - begin
            cpu_s, grown_mb = meter.read()
            rates.append(size / MB / cpu_s)
            growth = max(growth, grown_mb)
            ratios = " and ".join(f"{rates[-1] / floor:.2f}" for floor in rates[:2])
            print(
                f"{name:<27} {size // MB:>4} MB {rates[-1]:6.0f} MB per CPU-second ({ratios} of the floors)"
                f" {size / MB / wall_s:5.0f} MB/s  memory +{grown_mb:.1f} MB"
            )
    print(f"memory: at most +{growth:.1f} MB, budget {MEMORY_BUDGET_MB:.0f} MB")
    return 0 if growth < MEMORY_BUDGET_MB else 1


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        asyncio.run(serve())
    else:
        raise SystemExit(asyncio.run(main()))

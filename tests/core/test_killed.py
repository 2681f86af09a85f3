"""A process is killed while it writes and reads: what it said was done is done, and the log is whole."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import pytest
from made_up_room import Letter, letters

from core.audit_review import verify
from core.database import Database
from core.master_key import read_master_key
from core.mongo import RawDatabase
from core.settings import Settings

BUSY = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from made_up_room import Letter, letter, letters, store, therapist
from core.platform import open_platform
from core.settings import load_settings

async def write(database):
    while True:
        stored = letter("org_a")
        await store(database.as_system("org_a", "busy"), stored)
        print(stored.id, flush=True)

async def read(database):
    while True:
        await letters.find(therapist(database, "org_a"), {}, limit=5)

async def main():
    async with open_platform(load_settings(), [Letter]) as platform:
        database = platform.database
        await asyncio.gather(*(write(database) for _ in range(3)), *(read(database) for _ in range(3)))

asyncio.run(main())
"""


@pytest.mark.faults
async def test_what_was_acknowledged_is_there_and_the_chain_is_whole(
    raw: RawDatabase, settings: Settings, mongodb_uri: str
) -> None:
    environ = {
        "HOMESTRETCH_DATA": str(settings.data),
        "HOMESTRETCH_MONGODB_URI": mongodb_uri,
        "HOMESTRETCH_MONGODB_DATABASE": raw.name,
    }
    acknowledged: set[str] = set()
    for writes in (3, 8, 15):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", BUSY, str(Path(__file__).parent)),
            env=environ,
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        for _ in range(writes):
            acknowledged.add((await process.stdout.readline()).decode().strip())
        process.send_signal(signal.SIGKILL)
        acknowledged |= {line.decode().strip() async for line in process.stdout}
        await process.wait()

    database = await Database.open(raw, read_master_key(settings.master_key_path))
    await database.prepare([Letter], indexes=False)
    result = await verify(database, "org_a")
    assert result.ok, result.reason
    stored = await letters.find(database.as_system("org_a", "test"), {}, limit=10_000)
    assert acknowledged <= {each.id for each in stored}
    inserted = await raw["audit"].count_documents({"action": "insert"})
    assert inserted == len(stored)
    assert result.entries > inserted, "nothing was read, so less was shown than meant"

"""Code that goes around the repository does not pass `make check`."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from made_up_room import Letter, letter

REPOSITORY = Path(__file__).parents[2]

AROUND = """
from core.access import Access
from core.database import Database
from core.documents import TenantDocument


async def around(access: Access, database: Database, document: TenantDocument) -> None:
    TenantDocument.find({})
    await TenantDocument.get("pat_1")
    await document.insert()
    await document.save()
    TenantDocument.get_pymongo_collection()
    print(access.database._raw, database._raw)
    print(database.raw("patients"))
"""


def test_the_type_checker_refuses_every_way_around_the_repository(tmp_path: Path) -> None:
    snippet = tmp_path / "around.py"
    snippet.write_text(AROUND)
    run = subprocess.run(  # noqa: S603 - the checker of this project
        [sys.executable, "-m", "pyright", "--project", "pyproject.toml", str(snippet)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1, run.stderr
    faults = {int(line.split(":")[1]) for line in run.stdout.splitlines() if f"{snippet}:" in line}
    assert faults == {8, 9, 10, 11, 12, 13, 14}


async def test_who_gets_past_it_fails_at_run_time() -> None:
    with pytest.raises(TypeError, match="Repository"):
        Letter.find({})  # pyright: ignore[reportDeprecated] - what is shown here
    with pytest.raises(TypeError, match="Repository"):
        await letter("org_a").insert()  # pyright: ignore[reportDeprecated] - what is shown here


@pytest.mark.parametrize(
    ("room", "forbidden"),
    [
        ("care", "from core.mongo import raw_collection"),
        ("api", "import core.mongo"),
        ("engagement", "from pymongo import AsyncMongoClient"),
        ("identity", "import beanie"),
        ("care", "import engagement"),
        ("pose", "import litestar"),
    ],
)
def test_an_import_that_goes_around_is_refused(tmp_path: Path, room: str, forbidden: str) -> None:
    contracts = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    house(tmp_path, contracts["root_packages"])
    assert lint(tmp_path).returncode == 0
    (tmp_path / room / "shortcut.py").write_text(f"{forbidden}\n")
    refused = lint(tmp_path)
    assert refused.returncode == 1
    assert f"{room}.shortcut" in refused.stdout


def house(folder: Path, rooms: list[str]) -> None:
    """A made-up house with the contracts of this one."""
    for room in rooms:
        (folder / room).mkdir()
        (folder / room / "__init__.py").touch()
    (folder / "core" / "mongo.py").write_text("import pymongo\nraw_collection = pymongo\n")
    (folder / "core" / "closed_doors.py").write_text("import beanie\n")
    (folder / "api" / "app.py").write_text("import litestar\nimport uvicorn\n")
    (folder / "pyproject.toml").write_text((REPOSITORY / "pyproject.toml").read_text("utf-8"))


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("lint-imports")
    return subprocess.run(  # noqa: S603 - the checker of this project
        [program, "--no-cache"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )

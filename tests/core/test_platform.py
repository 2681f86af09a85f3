"""An installation from its first start on: nothing to set up, and no identifier readable on disk."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from made_up_room import Contact, Letter, Stamp, letter, letters, store, therapist

from core.master_key import KeyFault, MasterKey
from core.platform import open_platform
from core.rate_limits import Rule
from core.settings import Secret, Settings, SettingsError

IDENTIFIERS = ("Adelaide Quillfeather", "adelaide.quillfeather@example.org", "+15550174412")


def holding(folder: Path, text: str) -> list[Path]:
    """The files in which `text` stands."""
    return [path for path in folder.rglob("*") if path.is_file() and text.encode() in path.read_bytes()]


@pytest.fixture
def folder() -> Generator[Path]:
    with TemporaryDirectory(prefix="hs-") as name:  # pytest's own folders are too deep for a socket
        yield Path(name)


async def test_from_the_first_start_on_everything_is_kept_and_no_identifier_is_readable_on_disk(
    folder: Path,
) -> None:
    settings = Settings(data=folder)
    name, email, phone = IDENTIFIERS
    plain = "unencrypted-on-purpose-7193"
    contact = Contact(relation="aunt", phone=phone)
    for start in range(2):
        async with open_platform(settings, [Letter, Stamp]) as platform:
            access = platform.database.as_system("org_a", "test")
            if start == 0:
                await store(access, letter("org_a", subject=plain, name=name, email=email, contact=contact))
                await platform.database.rate_limits.hit(email, Rule("test", limit=1, per_s=60))
            found = await letters.find_one(therapist(platform.database, "org_a"), {"email": email})
            assert found is not None
            assert found.contact is not None
            assert (found.name, found.contact.phone) == (name, phone)
    assert holding(folder, plain), "the files cannot be searched, so nothing was shown"
    for identifier in IDENTIFIERS:
        assert holding(folder, identifier) == []


async def test_a_database_that_was_set_up_is_not_given_a_new_master_key(
    folder: Path, settings: Settings
) -> None:
    async with open_platform(settings, []) as platform:
        await platform.database.keys.ensure("org_a")
    settings.master_key_path.rename(folder / "elsewhere")
    with pytest.raises(KeyFault, match="There is no master key"):
        async with open_platform(settings, []):
            pass
    assert not settings.master_key_path.exists()


async def test_production_needs_a_key_that_somebody_made(settings: Settings, mongodb_uri: str) -> None:
    production = Settings(
        environment="production",
        data=settings.data,
        mongodb_uri=Secret(mongodb_uri),
        mongodb_database=settings.mongodb_database,
    )
    with pytest.raises(KeyFault):
        async with open_platform(production, []):
            pass
    MasterKey.random().write(production.master_key_path)
    async with open_platform(production, []) as platform:
        await platform.database.ping()


@pytest.mark.parametrize("uri", ["mongodb://", "mongodb://me:hunter2@", "mongodb://h/?tls=perhaps"])
async def test_an_address_that_cannot_be_is_named_but_not_shown(settings: Settings, uri: str) -> None:
    with pytest.raises(SettingsError, match="HOMESTRETCH_MONGODB_URI") as caught:
        async with open_platform(Settings(data=settings.data, mongodb_uri=Secret(uri)), []):
            pass
    assert "hunter2" not in caught.value.detail

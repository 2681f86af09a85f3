"""Replacing and destroying keys, in steps between which a crash loses nothing.

A new master key is first admitted beside the present one, so that either opens the database; then it takes
the place of the present one where that is kept; only then is the old one retired.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from core.errors import NotFound
from core.keys import admit_master, masters_of, retire_masters
from core.master_key import KeyFault, MasterKey, load_master_key, read_master_key, sync_folder
from core.mongo import raw_database_of

if TYPE_CHECKING:
    from core.access import Transaction
    from core.database import Database
    from core.settings import Settings


class MasterKeys(msgspec.Struct, frozen=True):
    """Which master keys open the database, by their fingerprints."""

    present: str
    """The one this installation is configured with."""
    admitted: list[str]
    """All that open the database, the oldest first."""


async def master_keys(database: Database, settings: Settings) -> MasterKeys:
    """The master keys that open the database."""
    present = load_master_key(settings, may_create=False)
    return MasterKeys(present.fingerprint, await masters_of(raw_database_of(database)))


async def replace_master_key(database: Database, settings: Settings) -> MasterKeys:
    """Make a new master key and put it into the file of the present one, which is then worth nothing.

    Repeat it after a crash: it continues where it stopped.

    Raises:
        KeyFault: the present key does not come from a file.
    """
    if settings.master_key is not None:
        raise KeyFault("The master key comes from HOMESTRETCH_MASTER_KEY: name a file for the new one.")
    path = settings.master_key_path
    waiting = path.with_name(path.name + ".next")
    new = await admit_master_key(database, settings, waiting)
    put_in_place(waiting, path)
    await retire_masters(raw_database_of(database), new)
    return MasterKeys(new.fingerprint, [new.fingerprint])


async def admit_master_key(database: Database, settings: Settings, path: Path) -> MasterKey:
    """Let the master key in the file `path`, made if there is none, open the database too."""
    with contextlib.suppress(FileExistsError):
        MasterKey.random().write(path)
    new = read_master_key(path)
    present = load_master_key(settings, may_create=False)
    await admit_master(raw_database_of(database), present, new, database.clock())
    return new


async def retire_old_master_keys(database: Database, settings: Settings) -> int:
    """Let no other master key than this installation's open the database any more; how many were retired."""
    return await retire_masters(raw_database_of(database), load_master_key(settings, may_create=False))


async def rotate_organization_key(database: Database, organization_id: str) -> int:
    """Give an organization a new key for what it stores from now on; the number of its version.

    Raises:
        NotFound: there is no such organization, or its key was destroyed.
    """

    async def write(tx: Transaction) -> int:
        return await database.keys.rotate(tx)

    await _require_key(database, organization_id)
    version = await database.as_system(organization_id, "keys").transact(write)
    database.keys.forget(organization_id)
    return version


async def destroy_organization_key(database: Database, organization_id: str) -> None:
    """Destroy an organization's key, and with it everything the organization stored, for good.

    Raises:
        NotFound: there is no such organization, or its key was destroyed before.
    """

    async def write(tx: Transaction) -> None:
        await database.keys.destroy(tx)

    await _require_key(database, organization_id)
    await database.as_system(organization_id, "keys").transact(write)
    database.keys.forget(organization_id)
    database.fields.forget()


async def _require_key(database: Database, organization_id: str) -> None:
    """A name mistyped must not become an organization with a key of its own."""
    if organization_id not in await database.keys.organizations():
        raise NotFound("There is no such organization.")


def put_in_place(new: Path, path: Path) -> None:
    """Replace the file `path` by `new` in one step that survives a power failure."""
    new.replace(path)
    sync_folder(path.parent)

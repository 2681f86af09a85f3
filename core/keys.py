"""The key hierarchy: master key → root key → one key per organization → one key per object.

The root key is made once for a database and never changes; the master key only wraps it. So a new master key
means rewriting one document, which a crash cannot tear, and processes that run meanwhile go on unharmed.
Under the root key lie the organizations' keys, and, derived from it, the keys of the audit chain, of look-ups
before the organization is known, and of the vault that field encryption keeps its keys in.

An organization's key has versions: a rotation adds one, and what was sealed under an older one stays
readable. Destroying the key destroys what the organization stored: nothing else opens it.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pymongo.errors import DuplicateKeyError

from core.access import Change
from core.audit_chain import genesis, sealed_head
from core.clock import Clock, utc_now
from core.errors import NotFound
from core.master_key import KEY_BYTES, NONCE_BYTES, KeyFault, MasterKey, derive
from core.mongo import RawDatabase, RawDocument

if TYPE_CHECKING:
    from core.access import Transaction

ROOT = "root_keys"
TENANTS = "tenant_keys"
VAULT = "field_keys"
AUDIT_HEADS = "audit_heads"

# How long a process goes on using a key that another one may have destroyed or rotated.
CACHE_S = 60.0

_FORMAT = 1
_HEADER = struct.Struct("<BI")


class KeyDestroyed(NotFound):
    """The organization's key was destroyed on purpose, and with it everything it had stored."""

    code = "destroyed"


class SealBroken(Exception):
    """Sealed bytes were changed, moved or are not ours. Never expected: somebody tampered, or it is a bug."""


class KeyState(msgspec.Struct, frozen=True):
    """What `homestretch keys show` says of one organization's key."""

    organization_id: str
    created_at: datetime
    versions: int
    rotated_at: datetime | None
    destroyed_at: datetime | None


@dataclass(frozen=True, slots=True)
class _TenantKey:
    versions: Mapping[int, AESGCM]
    current: int
    read_at: float


class KeyRing:
    """The keys of one database, opened."""

    def __init__(self, database: RawDatabase, root: bytes, clock: Clock) -> None:
        self._database = database
        self._root = root
        self._root_cipher = AESGCM(derive(root, "tenant-keys"))
        self._clock = clock
        self._tenants: dict[str, _TenantKey] = {}
        self._audit_keys: dict[str, bytes] = {}

    @classmethod
    async def open(cls, database: RawDatabase, master: MasterKey, *, clock: Clock = utc_now) -> KeyRing:
        """Open the keys of `database`, or make the first ones of a new database.

        Raises:
            KeyFault: the database was set up with another master key.
        """
        root = await _root_of(database, master)
        if root is None:
            await _make_root(database, master, clock())
            root = await _root_of(database, master)
        if root is None:
            raise KeyFault("The root key could not be stored.")
        return cls(database, root, clock)

    @staticmethod
    async def exists(database: RawDatabase) -> bool:
        """Whether the database has been set up, so that the master key it was set up with is needed."""
        return await database[ROOT].find_one({}) is not None

    async def seal(self, organization_id: str, content: bytes, context: str) -> bytes:
        """`content` encrypted and authenticated under the organization's key.

        It opens only for the same organization and `context`, which says what it is and of which document.
        """
        key = await self._tenant(organization_id)
        header = _HEADER.pack(_FORMAT, key.current)
        nonce = secrets.token_bytes(NONCE_BYTES)
        bound = _bound(header, organization_id, context)
        return header + nonce + key.versions[key.current].encrypt(nonce, content, bound)

    async def unseal(self, organization_id: str, sealed: bytes, context: str) -> bytes:
        """What `seal` was given.

        Raises:
            KeyDestroyed: the organization's key is gone.
            SealBroken: the bytes are not what `seal` returned for this organization and context.
        """
        header, rest = sealed[: _HEADER.size], sealed[_HEADER.size :]
        try:
            form, version = _HEADER.unpack(header)
        except struct.error:
            raise SealBroken("too short") from None
        key = await self._tenant(organization_id, version)
        if form != _FORMAT or version not in key.versions:
            raise SealBroken("unknown format or key version")
        try:
            return key.versions[version].decrypt(
                rest[:NONCE_BYTES], rest[NONCE_BYTES:], _bound(header, organization_id, context)
            )
        except (InvalidTag, ValueError):
            raise SealBroken("changed, or sealed for something else") from None

    async def wrap_object_key(self, organization_id: str, key: bytes, object_id: str) -> bytes:
        """The data key of one object, sealed for it."""
        return await self.seal(organization_id, key, f"object-key/{object_id}")

    async def unwrap_object_key(self, organization_id: str, wrapped: bytes, object_id: str) -> bytes:
        """The data key of one object; errors as `unseal`."""
        return await self.unseal(organization_id, wrapped, f"object-key/{object_id}")

    def derive(self, purpose: str, length: int = KEY_BYTES) -> bytes:
        """A key of the whole installation for one purpose, for instance signing tokens. Survives rotation."""
        return derive(self._root, f"derived/{purpose}", length)

    def audit_key(self, organization_id: str) -> bytes:
        """The key of the organization's audit chain. It outlives the organization's data."""
        if (key := self._audit_keys.get(organization_id)) is None:
            key = self._audit_keys[organization_id] = self.derive(f"audit/{organization_id}")
        return key

    async def ensure(self, organization_id: str) -> int:
        """Make the organization's key if it has none; the number of its current version. `KeyDestroyed` if
        gone.
        """
        return (await self._tenant(organization_id)).current

    async def ensure_recorded(self, organization_id: str) -> None:
        """Make the organization's key if it never had one; one that was destroyed stays so."""
        if organization_id not in self._tenants:
            with contextlib.suppress(KeyDestroyed):
                await self._tenant(organization_id)

    async def organizations(self) -> list[str]:
        """All organizations that have a key, also those whose key was destroyed."""
        return [row["_id"] async for row in self._database[TENANTS].find({}, {"_id": 1}).sort("_id", 1)]

    async def states(self) -> list[KeyState]:
        """What is known of every organization's key."""
        return [
            KeyState(
                organization_id=row["_id"],
                created_at=row["created_at"],
                versions=len(row["versions"]),
                rotated_at=row["versions"][-1]["created_at"] if len(row["versions"]) > 1 else None,
                destroyed_at=row["destroyed_at"],
            )
            async for row in self._database[TENANTS].find({}).sort("_id", 1)
        ]

    async def rotate(self, tx: Transaction) -> int:
        """Give the organization a new key for what it stores from now on; the number of the new version.

        What is stored already stays readable under the versions before. Call `forget` after the transaction.
        """
        organization_id = tx.organization_id
        row = await self._database[TENANTS].find_one({"_id": organization_id}, session=tx.session)
        if row is None or row["destroyed_at"] is not None:
            raise KeyDestroyed("This organization has no key, or its data was destroyed.")
        version = len(row["versions"]) + 1
        await self._database[TENANTS].update_one(
            {"_id": organization_id},
            {"$push": {"versions": self._new_version(organization_id, version)}},
            session=tx.session,
        )
        tx.changes.append(
            Change("update", TENANTS, (organization_id,), note=f"key rotated to version {version}")
        )
        return version

    async def destroy(self, tx: Transaction) -> None:
        """Destroy the organization's key for good, and with it all it stored. Call `forget` after the
        transaction.

        Other processes notice within `CACHE_S` seconds. The audit log stays, and stays verifiable.
        """
        organization_id = tx.organization_id
        result = await self._database[TENANTS].update_one(
            {"_id": organization_id, "destroyed_at": None},
            {"$set": {"versions": [], "destroyed_at": tx.now()}},
            session=tx.session,
        )
        if not result.matched_count:
            raise NotFound("There is no such organization, or its key was destroyed before.")
        await self._database[VAULT].delete_many(
            {"keyAltNames": {"$regex": f"^{re.escape(organization_id)}/"}}, session=tx.session
        )
        tx.changes.append(Change("delete", TENANTS, (organization_id,), note="key destroyed"))

    def forget(self, organization_id: str) -> None:
        """Read the organization's key again before its next use."""
        self._tenants.pop(organization_id, None)

    async def _tenant(self, organization_id: str, version: int | None = None) -> _TenantKey:
        key = self._tenants.get(organization_id)
        now = time.monotonic()
        if key is not None and now - key.read_at < CACHE_S and (version is None or version in key.versions):
            return key
        row = await self._database[TENANTS].find_one({"_id": organization_id})
        if row is None:
            row = await self._make_tenant(organization_id)
        if row["destroyed_at"] is not None:
            self._tenants.pop(organization_id, None)
            raise KeyDestroyed("This organization's data was destroyed.")
        versions = {entry["version"]: self._open_version(organization_id, entry) for entry in row["versions"]}
        key = self._tenants[organization_id] = _TenantKey(versions, max(versions), now)
        return key

    async def _make_tenant(self, organization_id: str) -> RawDocument:
        """The key and the beginning of the audit chain, together: an audit log that is gone is noticed."""
        row: RawDocument = {
            "_id": organization_id,
            "created_at": self._clock(),
            "destroyed_at": None,
            "versions": [self._new_version(organization_id, 1)],
        }
        audit_key = self.audit_key(organization_id)
        head = sealed_head(audit_key, organization_id, genesis(audit_key, organization_id))
        async with self._database.client.start_session() as session:

            async def attempt(_: object) -> None:
                await self._database[TENANTS].insert_one(row, session=session)
                await self._database[AUDIT_HEADS].insert_one(
                    {"_id": organization_id, **head}, session=session
                )

            try:
                await session.with_transaction(attempt)
            except DuplicateKeyError:  # another process was faster
                found = await self._database[TENANTS].find_one({"_id": organization_id})
                if found is None:
                    raise
                return found
        return row

    def _new_version(self, organization_id: str, version: int) -> RawDocument:
        nonce = secrets.token_bytes(NONCE_BYTES)
        bound = _bound(_HEADER.pack(_FORMAT, version), organization_id, "tenant-key")
        wrapped = nonce + self._root_cipher.encrypt(nonce, secrets.token_bytes(KEY_BYTES), bound)
        return {"version": version, "wrapped": wrapped, "created_at": self._clock()}

    def _open_version(self, organization_id: str, entry: RawDocument) -> AESGCM:
        wrapped: bytes = entry["wrapped"]
        bound = _bound(_HEADER.pack(_FORMAT, entry["version"]), organization_id, "tenant-key")
        try:
            return AESGCM(self._root_cipher.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], bound))
        except InvalidTag:
            raise SealBroken(f"the key of {organization_id} was changed") from None


def _bound(header: bytes, organization_id: str, context: str) -> bytes:
    """What sealed bytes are bound to; lengths keep one part from running into the next."""
    parts = (organization_id.encode(), context.encode())
    return header + b"".join(struct.pack("<I", len(part)) + part for part in parts)


async def _root_of(database: RawDatabase, master: MasterKey) -> bytes | None:
    row = await database[ROOT].find_one({"_id": "root"})
    if row is None:
        if await database[TENANTS].find_one({}) is not None:
            raise KeyFault(
                "The root key is gone from the database: restore the collection root_keys from a backup."
            )
        return None
    wrappings: list[Mapping[str, Any]] = row["wrappings"]
    for wrapping in wrappings:
        if wrapping["master"] == master.fingerprint:
            return master.unwrap(wrapping["wrapped"])
    known = ", ".join(wrapping["master"] for wrapping in wrappings)
    raise KeyFault(
        f"This database needs another master key: it knows {known}, and was given {master.fingerprint}."
    )


async def _make_root(database: RawDatabase, master: MasterKey, now: datetime) -> None:
    row: RawDocument = {
        "_id": "root",
        "created_at": now,
        "wrappings": [_wrapping(master, secrets.token_bytes(KEY_BYTES), now)],
    }
    try:
        await database[ROOT].insert_one(row)
    except DuplicateKeyError:
        return  # another process was faster; its root key is the one


def _wrapping(master: MasterKey, root: bytes, now: datetime) -> RawDocument:
    return {"master": master.fingerprint, "wrapped": master.wrap(root), "created_at": now}


async def masters_of(database: RawDatabase) -> list[str]:
    """The fingerprints of the master keys that open this database, oldest first."""
    row = await database[ROOT].find_one({"_id": "root"})
    return [] if row is None else [wrapping["master"] for wrapping in row["wrappings"]]


async def admit_master(database: RawDatabase, present: MasterKey, new: MasterKey, now: datetime) -> None:
    """Let `new` open the database too. Once it has returned, either key does. Repeatable."""
    root = await _root_of(database, present)
    if root is None:
        raise KeyFault("This database has no keys yet.")
    await database[ROOT].update_one(
        {"_id": "root", "wrappings.master": {"$ne": new.fingerprint}},
        {"$push": {"wrappings": _wrapping(new, root, now)}},
    )
    if await _root_of(database, new) != root:
        raise KeyFault("The new master key does not open the database; the present one still does.")


async def retire_masters(database: RawDatabase, keep: MasterKey) -> int:
    """Let no other master key than `keep` open the database any more; how many were retired."""
    if await _root_of(database, keep) is None:
        raise KeyFault("This database has no keys yet.")
    before = await masters_of(database)
    await database[ROOT].update_one(
        {"_id": "root", "wrappings.master": keep.fingerprint},
        {"$pull": {"wrappings": {"master": {"$ne": keep.fingerprint}}}},
    )
    return len(before) - 1

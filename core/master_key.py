"""The master key: 32 bytes that open the root key of one database, from a file or a variable."""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from core.errors import HomestretchError
from core.settings import Settings

KEY_BYTES = 32
NONCE_BYTES = 12


class KeyFault(HomestretchError):
    """A key is missing, malformed or not the one needed; `detail` says what to do and never shows a key."""

    code = "keys"


def derive(key: bytes, purpose: str, length: int = KEY_BYTES) -> bytes:
    """A key for one purpose from another key (HKDF-SHA-256, RFC 5869)."""
    return HKDF(hashes.SHA256(), length, salt=None, info=f"homestretch/{purpose}".encode()).derive(key)


class MasterKey:
    """Opens and closes root keys. Shows neither itself nor what it opened."""

    __slots__ = ("_key", "fingerprint")

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise KeyFault(f"A master key has {KEY_BYTES} bytes; this one has {len(key)}.")
        self._key = key
        self.fingerprint = derive(key, "master-key-fingerprint", 8).hex()
        """Tells master keys apart without giving one away."""

    @classmethod
    def random(cls) -> MasterKey:
        return cls(secrets.token_bytes(KEY_BYTES))

    @classmethod
    def parse(cls, text: str, source: str) -> MasterKey:
        """The key written in `text` as base64; `KeyFault` names `source`, never the text."""
        try:
            key = base64.b64decode(text.strip().encode("ascii"), validate=True)
        except (binascii.Error, UnicodeEncodeError):
            raise KeyFault(f"{source} is not base64.") from None
        try:
            return cls(key)
        except KeyFault as fault:
            raise KeyFault(f"{source}: {fault.detail}") from None

    def write(self, path: Path) -> None:
        """Write the key to a new file that only its owner can read, durably.

        Raises:
            FileExistsError: there is one; it is left as it is.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(base64.b64encode(self._key) + b"\n")
                file.flush()
                os.fsync(file.fileno())
            path.hardlink_to(temporary)  # unlike a rename, never replaces a key that is there
        finally:
            temporary.unlink()
        sync_folder(path.parent)

    def wrap(self, root: bytes) -> bytes:
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + AESGCM(self._key).encrypt(nonce, root, b"homestretch/root-key")

    def unwrap(self, wrapped: bytes) -> bytes:
        try:
            return AESGCM(self._key).decrypt(
                wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], b"homestretch/root-key"
            )
        except InvalidTag:
            raise KeyFault("The root key in the database is damaged: restore it from a backup.") from None


def load_master_key(settings: Settings, *, may_create: bool) -> MasterKey:
    """The master key of this installation.

    With `may_create`, and never in production, a missing file is made.

    Raises:
        KeyFault: there is none, it is malformed, or others can read its file.
    """
    if settings.master_key is not None:
        return MasterKey.parse(settings.master_key.reveal(), "HOMESTRETCH_MASTER_KEY")
    path = settings.master_key_path
    if not path.exists() and may_create and not settings.production:
        with contextlib.suppress(FileExistsError):  # another process of this installation was faster
            MasterKey.random().write(path)
    return read_master_key(path)


def read_master_key(path: Path) -> MasterKey:
    """The master key in a file; `KeyFault` if there is none or others can read it."""
    try:
        status = path.stat()
        text = path.read_text("ascii")
    except FileNotFoundError:
        raise KeyFault(
            f"There is no master key: no file {path} and no HOMESTRETCH_MASTER_KEY. "
            "Without the key that the data was written with, it cannot be read."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise KeyFault(f"The master key in {path} cannot be read: {type(error).__name__}.") from None
    if status.st_mode & 0o077:
        raise KeyFault(f"Others can read {path}: chmod 600 {path}")
    return MasterKey.parse(text, str(path))


def sync_folder(folder: Path) -> None:
    """Make a new name in `folder` survive a power failure."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

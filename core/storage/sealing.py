"""How an object is sealed: AES-256-GCM in chunks of 1 MiB, so that any range of it can be opened alone.

Each chunk is bound, as associated data, to the object's id, to its index in the object and to the generation
that wrote it. A chunk moved to another object or another place does not open, and neither does an older state
of a chunk that was written again while the upload grew.

That alone would not notice chunks cut off the end. The `Extent` of a finished object (size, the generation of
each chunk, SHA-256 of the content) therefore carries a MAC under a key derived from the object's own; whoever
can write to the ledger but has no key can neither shorten an object nor roll it back.

Each chunk gets a random 96-bit nonce. An object has its own key and at most some ten thousand chunks, far
below the 2**32 messages that NIST SP 800-38D (section 8.3) allows one key with random nonces.
"""

import hashlib
import hmac
import secrets
import struct
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from core.storage.errors import TamperedObject

CHUNK_BYTES = 1 << 20
"""Plaintext bytes of every chunk but the last."""

DATA_KEY_BYTES = 32
_NONCE_BYTES = 12
_TAG_BYTES = 16
SEALED_OVERHEAD_BYTES = _NONCE_BYTES + _TAG_BYTES


@dataclass(frozen=True, slots=True)
class Extent:
    """What a finished object consists of."""

    size: int
    """Bytes of content."""
    generations: tuple[int, ...]
    """For each chunk, the write that made its present state."""
    sha256: bytes


class ObjectSeal:
    """Seals and opens the chunks of one object with its data key."""

    def __init__(self, data_key: bytes, object_id: str) -> None:
        self._object = object_id.encode() + b"\0"
        self._cipher = AESGCM(data_key)
        self._mac_key = HKDF(
            SHA256(), DATA_KEY_BYTES, salt=None, info=b"homestretch object extent v1"
        ).derive(data_key)

    def seal(self, index: int, generation: int, content: bytes | bytearray) -> bytearray:
        """Nonce, ciphertext and tag of one chunk."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = bytearray(len(content) + SEALED_OVERHEAD_BYTES)
        sealed[:_NONCE_BYTES] = nonce
        self._cipher.encrypt_into(
            nonce, content, self._place(index, generation), memoryview(sealed)[_NONCE_BYTES:]
        )
        return sealed

    def open(self, index: int, generation: int, sealed: bytes | bytearray | memoryview) -> bytes:
        """The content of a chunk; `TamperedObject` unless it is exactly what was sealed for this place."""
        try:
            return self._cipher.decrypt(
                sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], self._place(index, generation)
            )
        except (InvalidTag, ValueError) as error:  # ValueError: too short to hold a nonce
            raise TamperedObject(f"chunk {index} of {self._name} does not open") from error

    def sign(self, extent: Extent) -> bytes:
        """The MAC that vouches for `extent`."""
        count = len(extent.generations)
        message = b"".join(
            (
                self._object,
                struct.pack(">QQ", extent.size, count),
                struct.pack(f">{count}Q", *extent.generations),
                extent.sha256,
            )
        )
        return hmac.digest(self._mac_key, message, hashlib.sha256)

    def verify(self, extent: Extent, mac: bytes) -> None:
        """`TamperedObject` unless `sign` made `mac` for this very extent."""
        if not hmac.compare_digest(self.sign(extent), mac):
            raise TamperedObject(f"the ledger of {self._name} was altered")

    @property
    def _name(self) -> str:
        return self._object[:-1].decode()

    def _place(self, index: int, generation: int) -> bytes:
        return b"homestretch chunk v1\0" + self._object + struct.pack(">QQ", index, generation)


def chunk_count(size: int) -> int:
    """How many chunks `size` bytes take."""
    return -(-size // CHUNK_BYTES)


def chunk_length(size: int, index: int) -> int:
    """How many bytes chunk `index` of an object of `size` bytes holds."""
    return min(CHUNK_BYTES, size - index * CHUNK_BYTES)

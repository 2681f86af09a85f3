"""Field encryption: direct identifiers leave the process only as ciphertext.

Explicit client-side field level encryption (MongoDB's own format, AEAD_AES_256_CBC_HMAC_SHA_512) with data
keys of the organization. A document says which of its fields are identifiers by `Encrypted` in their
annotations; nested models, Structs and sequences of them do the same. Values are decrypted where they are
used, not by the driver: it would look for ciphertext in every reply, also where there is none.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from types import UnionType
from typing import Any, Union, cast, get_args, get_origin, get_type_hints

import msgspec
from bson.binary import Binary
from bson.codec_options import CodecOptions
from msgspec import Struct
from pydantic import BaseModel
from pymongo import IndexModel
from pymongo.asynchronous.encryption import AsyncClientEncryption
from pymongo.encryption import Algorithm
from pymongo.errors import DuplicateKeyError, EncryptionError

from core.encrypted import Encrypted
from core.indexes import declare
from core.keys import CACHE_S, VAULT, KeyDestroyed, KeyRing
from core.mongo import RawDatabase

_CIPHERTEXT = 6  # BSON's binary subtype for encrypted values
_KMS_KEY_BYTES = 96
_RECENT_VALUES = 20_000

Marks = Mapping[str, "Encrypted | Marks"]
"""Which fields of a document are encrypted; nested where a model is."""

declare(
    VAULT,
    [
        IndexModel(
            [("keyAltNames", 1)],
            name="one_key_per_name",
            unique=True,
            partialFilterExpression={"keyAltNames": {"$exists": True}},
        )
    ],
)


class FieldCipher:
    """Encrypts and decrypts the marked fields of documents and queries."""

    def __init__(self, database: RawDatabase, keys: KeyRing) -> None:
        self._keys = keys
        self._vault = database[VAULT]
        self._encryption: AsyncClientEncryption[dict[str, Any]] = AsyncClientEncryption(
            {"local": {"key": keys.derive("field-key-vault", _KMS_KEY_BYTES)}},
            f"{database.name}.{VAULT}",
            database.client,
            CodecOptions(document_class=dict[str, Any]),
        )
        self._key_ids: dict[str, Binary] = {}
        self._recent = _Recent()

    async def close(self) -> None:
        await self._encryption.close()

    def forget(self) -> None:
        """Decrypt again what was decrypted lately."""
        self._recent.clear()

    async def encrypt_document(
        self, organization_id: str, document: type[BaseModel], raw: Mapping[str, Any]
    ) -> dict[str, Any]:
        """`raw`, all of a document's fields or some, with every marked value encrypted. None stays None."""
        return await self._encrypt_fields(organization_id, marks_of(document), raw)

    async def encrypt_query(
        self, organization_id: str, document: type[BaseModel], query: Mapping[str, Any]
    ) -> dict[str, Any]:
        """`query` with the values that marked fields are compared with encrypted.

        Raises:
            TypeError: it compares an encrypted field in a way that ciphertext cannot be compared.
        """
        marks = marks_of(document)
        return await self._encrypt_condition(organization_id, marks, query) if marks else dict(query)

    async def decrypt_documents(self, document: type[BaseModel], rows: Iterable[dict[str, Any]]) -> None:
        """Replace every encrypted value in `rows` by what it stands for.

        Raises:
            KeyDestroyed: the organization's key is gone, and with it what the fields said.
        """
        marks = marks_of(document)
        if not marks:
            return
        known = self._recent.texts()
        # A list has a thousand such values: nothing is called or awaited for those that are known.
        for row in rows:
            for holder, name, value in _marked_values(marks, row):
                text = known.get(bytes(value)) if isinstance(value, Binary) else None
                holder[name] = await self._decrypt(value) if text is None else text

    async def _encrypt_fields(
        self, organization_id: str, marks: Marks, raw: Mapping[str, Any]
    ) -> dict[str, Any]:
        encrypted = dict(raw)
        for name, mark in marks.items():
            if encrypted.get(name) is not None:
                encrypted[name] = await self._encrypt_value(organization_id, mark, encrypted[name])
        return encrypted

    async def _encrypt_value(self, organization_id: str, mark: Encrypted | Marks, value: Any) -> Any:  # noqa: ANN401 - BSON
        if isinstance(value, (list, tuple)):
            items = cast("Sequence[Any]", value)
            return [await self._encrypt_value(organization_id, mark, item) for item in items]
        if not isinstance(mark, Encrypted):
            return await self._encrypt_fields(organization_id, mark, value)
        return await self._encrypt(organization_id, value, lookup=mark.lookup)

    async def _encrypt_condition(
        self, organization_id: str, marks: Marks, query: Mapping[str, Any]
    ) -> dict[str, Any]:
        encrypted: dict[str, Any] = {}
        for name, condition in query.items():
            if name in {"$and", "$or", "$nor"}:
                encrypted[name] = [
                    await self._encrypt_condition(organization_id, marks, part) for part in condition
                ]
            elif (mark := _mark_at(marks, name)) is not None:
                encrypted[name] = await self._encrypt_comparison(organization_id, name, mark, condition)
            else:
                encrypted[name] = condition
        return encrypted

    async def _encrypt_comparison(
        self,
        organization_id: str,
        name: str,
        mark: Encrypted,
        condition: Any,  # noqa: ANN401 - BSON
    ) -> Any:  # noqa: ANN401 - BSON
        async def encrypt(value: Any) -> Any:  # noqa: ANN401 - BSON
            if value is None:
                return None
            if not isinstance(value, str) or not mark.lookup:
                raise TypeError(
                    f"{name} is encrypted: it can be looked up only by equality, and if it is marked so"
                )
            return await self._encrypt(organization_id, value, lookup=True)

        if not isinstance(condition, Mapping):
            return await encrypt(condition)
        encrypted: dict[str, Any] = {}
        for operator, value in cast("Mapping[str, Any]", condition).items():
            if operator in {"$eq", "$ne"}:
                encrypted[operator] = await encrypt(value)
            elif operator in {"$in", "$nin"}:
                encrypted[operator] = [await encrypt(item) for item in value]
            elif operator == "$exists":
                encrypted[operator] = value
            else:
                raise TypeError(f"{name} is encrypted: {operator} cannot compare it")
        return encrypted

    async def _encrypt(self, organization_id: str, value: str, *, lookup: bool) -> Binary:
        algorithm = (
            Algorithm.AEAD_AES_256_CBC_HMAC_SHA_512_Deterministic
            if lookup
            else Algorithm.AEAD_AES_256_CBC_HMAC_SHA_512_Random
        )
        version = await self._keys.ensure(organization_id)
        # Look-ups need one key for as long as the organization lasts: equal values must stay equal.
        name = f"{organization_id}/look-up" if lookup else f"{organization_id}/fields/{version}"
        key_id = self._key_ids.get(name) or await self._key(name)
        return await self._encryption.encrypt(value, algorithm, key_id=key_id)

    async def _decrypt(self, value: Any) -> Any:  # noqa: ANN401 - BSON
        if not isinstance(value, Binary) or value.subtype != _CIPHERTEXT:
            raise TypeError("a field that is marked as encrypted is stored in plain text")
        try:
            text: str = await self._encryption.decrypt(value)
        except EncryptionError as error:
            if "not all keys requested were satisfied" in str(error):
                raise KeyDestroyed("This organization's data was destroyed.") from error
            raise
        self._recent.put(bytes(value), text)
        return text

    async def _key(self, name: str) -> Binary:
        """The id of the data key of that name, made if there is none."""
        row = await self._vault.find_one({"keyAltNames": name}, {"_id": 1})
        if row is None:
            try:
                key_id = await self._encryption.create_data_key("local", key_alt_names=[name])
            except (DuplicateKeyError, EncryptionError) as error:
                row = await self._vault.find_one({"keyAltNames": name}, {"_id": 1})
                if row is None:
                    raise
                del error  # another process was faster
            else:
                self._key_ids[name] = key_id
                return key_id
        self._key_ids[name] = row["_id"]
        return self._key_ids[name]


class _Recent:
    """What was decrypted lately: lists are read again and again, and decrypting one costs more than all else.

    Kept no longer than the keys that would decrypt it again.
    """

    def __init__(self) -> None:
        self._texts: dict[bytes, str] = {}
        self._began = time.monotonic()

    def texts(self) -> Mapping[bytes, str]:
        """By ciphertext; to be asked for again for every read."""
        if time.monotonic() - self._began > CACHE_S:
            self.clear()
        return self._texts

    def put(self, ciphertext: bytes, text: str) -> None:
        if len(self._texts) >= _RECENT_VALUES:
            self.clear()
        self._texts[ciphertext] = text

    def clear(self) -> None:
        self._texts.clear()
        self._began = time.monotonic()


@cache
def marks_of(shape: type[BaseModel | Struct]) -> Marks:
    """The encrypted fields of a document, or of a Struct stored within one.

    Raises:
        TypeError: a field is marked that is not text.
    """
    marks: dict[str, Encrypted | Marks] = {}
    for name, annotation, metadata in _fields_of(shape):
        if mark := _mark_of(f"{shape.__name__}.{name}", annotation, metadata):
            marks[name] = mark
    return marks


def _fields_of(shape: type[BaseModel | Struct]) -> list[tuple[str, Any, tuple[Any, ...]]]:
    if issubclass(shape, BaseModel):
        return [(name, field.annotation, tuple(field.metadata)) for name, field in shape.model_fields.items()]
    hints = get_type_hints(shape, include_extras=True)
    return [(field.encode_name, hints[field.name], ()) for field in msgspec.structs.fields(shape)]


def _marked_values(marks: Marks, raw: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str, Any]]:
    """Every value that is marked, with the mapping and the name it stands under."""
    for name, mark in marks.items():
        value = raw.get(name)
        if value is None:
            continue
        if isinstance(mark, Encrypted):
            yield raw, name, value
        else:
            for item in cast("list[dict[str, Any]]", value if isinstance(value, list) else [value]):
                yield from _marked_values(mark, item)


def _mark_of(name: str, annotation: Any, metadata: tuple[Any, ...]) -> Encrypted | Marks | None:  # noqa: ANN401 - any type
    own = next((item for item in metadata if isinstance(item, Encrypted)), None)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if hasattr(annotation, "__metadata__"):
        return _mark_of(name, arguments[0], (*metadata, *annotation.__metadata__))
    if origin in {Union, UnionType}:
        parts = [part for part in arguments if part is not type(None)]
        found = [mark for part in parts if (mark := _mark_of(name, part, metadata))]
        if found and len(parts) > 1:
            raise TypeError(f"{name}: a choice of types cannot be encrypted")
        return found[0] if found else None
    if own is not None:
        if annotation is not str:
            raise TypeError(f"{name}: only text can be encrypted")
        return own
    if origin in {list, tuple}:
        inner = _mark_of(name, arguments[0], ())
        if isinstance(inner, Encrypted):
            raise TypeError(f"{name}: a list of encrypted texts is not supported")
        return inner
    if isinstance(annotation, type) and issubclass(annotation, (BaseModel, Struct)):
        return marks_of(annotation) or None
    return None


def _mark_at(marks: Marks, path: str) -> Encrypted | None:
    mark: Encrypted | Marks | None = marks
    for part in path.split("."):
        if isinstance(mark, Encrypted) or mark is None:
            return None
        mark = mark if part.isdigit() else mark.get(part)
    return mark if isinstance(mark, Encrypted) else None

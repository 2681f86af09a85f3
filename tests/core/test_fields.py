"""Identifiers are ciphertext at rest, can still be looked up, and come back as they were."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from bson.binary import Binary
from hypothesis import HealthCheck, given
from hypothesis import settings as how
from hypothesis import strategies as st
from made_up_room import Contact, Letter, letter, letters, store
from msgspec import Struct
from pydantic import BaseModel
from pymongo.asynchronous.encryption import AsyncClientEncryption

from core import fields
from core.access import Access, Transaction
from core.database import Database
from core.encrypted import Encrypted
from core.fields import marks_of
from core.mongo import RawDatabase
from core.stored_structs import StoredStruct

TEXTS = st.text(max_size=40).filter(lambda text: "\x00" not in text)


@how(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30)
@given(name=TEXTS, email=st.none() | TEXTS, phones=st.lists(TEXTS, max_size=3))
async def test_whatever_is_encrypted_comes_back_as_it_was(
    database: Database, name: str, email: str | None, phones: list[str]
) -> None:
    raw: dict[str, Any] = {
        "_id": "let_1",
        "name": name,
        "email": email,
        "pages": 3,
        "contact": {"relation": "aunt", "phone": name},
        "others": [{"relation": "son", "phone": phone} for phone in phones],
    }
    encrypted = await database.fields.encrypt_document("org_a", Letter, raw)
    assert encrypted["pages"] == 3
    assert encrypted["contact"]["relation"] == "aunt"
    for value in (
        encrypted["name"],
        encrypted["contact"]["phone"],
        *(each["phone"] for each in encrypted["others"]),
    ):
        assert isinstance(value, Binary)
        assert value.subtype == 6
    assert (encrypted["email"] is None) == (email is None)
    await database.fields.decrypt_documents(Letter, [encrypted])
    assert encrypted == raw


async def test_equal_names_look_different_and_equal_look_up_values_alike_within_an_organization(
    database: Database,
) -> None:
    raw = {"name": "Ada", "email": "ada@example.org"}
    first, second = [await database.fields.encrypt_document("org_a", Letter, raw) for _ in range(2)]
    other = await database.fields.encrypt_document("org_b", Letter, raw)
    assert first["name"] != second["name"]
    assert first["email"] == second["email"]
    assert first["email"] != other["email"]


async def test_nothing_readable_is_stored(system: Access, raw: RawDatabase) -> None:
    stored = letter(
        system.organization_id,
        name="Ada Lovelace",
        email="ada@example.org",
        contact=Contact(relation="aunt", phone="+15550100"),
        others=[Contact(relation="son", phone="+15550101")],
    )
    await store(system, stored)

    async def change(tx: Transaction) -> None:
        await letters.update(
            tx,
            stored.id,
            {"name": "Ada King", "contact": Contact(relation="aunt", phone="+15550102"), "others": []},
        )

    await system.transact(change)
    for collection in await raw.list_collection_names():
        text = repr(await raw[collection].find({}).to_list())
        for identifier in ("Lovelace", "King", "example.org", "1555010"):
            assert identifier not in text, collection


class TestLookingUp:
    @pytest.fixture
    async def stored(self, system: Access) -> Letter:
        stored = letter(system.organization_id, email="ada@example.org")
        await store(system, stored, letter(system.organization_id, email="grace@example.org"))
        await store(system, letter(system.organization_id, email=None))
        return stored

    @pytest.mark.parametrize(
        ("query", "count"),
        [
            ({"email": "ada@example.org"}, 1),
            ({"email": "nobody@example.org"}, 0),
            ({"email": None}, 1),
            ({"email": {"$in": ["ada@example.org", "grace@example.org", None]}}, 3),
            ({"email": {"$ne": "ada@example.org"}}, 2),
            ({"$or": [{"email": "ada@example.org"}, {"email": "grace@example.org"}]}, 2),
            ({"$and": [{"email": "ada@example.org"}, {"subject": "knee"}]}, 1),
            ({"name": {"$exists": True}}, 3),
        ],
    )
    async def test_finds_by_equality(
        self, system: Access, stored: Letter, query: dict[str, Any], count: int
    ) -> None:
        del stored
        assert len(await letters.find(system, query)) == count

    @pytest.mark.parametrize(
        "query",
        [
            {"name": "Ada Lovelace"},
            {"email": {"$gt": "a"}},
            {"email": {"$regex": "^ada"}},
            {"contact.phone": "+15550100"},
        ],
    )
    async def test_a_question_that_ciphertext_cannot_answer_is_an_error_not_an_empty_list(
        self, system: Access, query: dict[str, Any]
    ) -> None:
        with pytest.raises(TypeError, match="encrypted"):
            await letters.find(system, query)


async def test_a_marked_field_stored_in_plain_text_is_noticed(system: Access, raw: RawDatabase) -> None:
    stored = letter(system.organization_id)
    await store(system, stored)
    await raw["test_letters"].update_one({"_id": stored.id}, {"$set": {"name": "plain"}})
    with pytest.raises(TypeError, match="plain text"):
        await letters.get(system, stored.id)


async def test_what_was_decrypted_is_remembered_for_a_minute_only(
    system: Access, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = letter(system.organization_id)
    await store(system, stored)
    decrypted: list[object] = []
    real: Any = AsyncClientEncryption.decrypt  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - generic

    async def counted(self: AsyncClientEncryption[Any], value: Binary) -> Any:  # noqa: ANN401 - BSON
        decrypted.append(value)
        return await real(self, value)

    monkeypatch.setattr(AsyncClientEncryption, "decrypt", counted)

    async def read() -> int:
        before = len(decrypted)
        assert (await letters.get(system, stored.id)).name == "Ada Lovelace"
        return len(decrypted) - before

    assert [await read(), await read()] == [1, 0]
    monkeypatch.setattr(fields, "CACHE_S", -1.0)
    assert await read() == 1
    monkeypatch.setattr(fields, "CACHE_S", 60.0)
    database.fields.forget()
    assert [await read(), await read()] == [1, 0]


def test_only_text_can_be_marked() -> None:
    class Wrong(BaseModel):
        age: Annotated[int, Encrypted()]

    class Undecided(BaseModel):
        name: Annotated[str, Encrypted()] | int

    class Listed(BaseModel):
        names: list[Annotated[str, Encrypted()]]

    for document in (Wrong, Undecided, Listed):
        with pytest.raises(TypeError):
            marks_of(document)


class Remark(Struct):
    at: int
    text: Annotated[str | None, Encrypted()] = None


class Chapter(Struct):
    remarks: tuple[Remark, ...]


def test_marks_are_found_in_structs_that_a_document_holds() -> None:
    class Book(BaseModel):
        chapters: list[Annotated[Chapter, StoredStruct()]]

    assert marks_of(Book) == {"chapters": {"remarks": {"text": Encrypted()}}}


def test_marks_are_found_wherever_the_annotation_puts_them() -> None:
    class Person(BaseModel):
        plain: str
        direct: Annotated[str, Encrypted()]
        optional: Annotated[str | None, Encrypted(lookup=True)] = None
        within: Annotated[str, Encrypted()] | None = None
        nested: Contact | None = None
        listed: list[Contact] = []

    assert marks_of(Person) == {
        "direct": Encrypted(),
        "optional": Encrypted(lookup=True),
        "within": Encrypted(),
        "nested": {"phone": Encrypted()},
        "listed": {"phone": Encrypted()},
    }

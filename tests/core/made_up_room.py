"""Documents of a made-up room: enough to show what core does for every room."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec
from pydantic import BaseModel, Field

from core.access import Access, Actor, Transaction
from core.database import Database
from core.documents import PatientDocument, TenantDocument
from core.encrypted import Encrypted
from core.ids import new_id
from core.indexes import ASCENDING, IndexModel
from core.repository import Repository


class Contact(BaseModel):
    """Somebody to call, nested within a letter."""

    relation: str
    phone: Annotated[str, Encrypted()]


class Letter(PatientDocument):
    """A document about a patient, with identifiers of every kind that can be encrypted."""

    id_prefix: ClassVar[str] = "let"

    subject: str = "knee"
    pages: int = 1
    name: Annotated[str, Encrypted()] = "Ada Lovelace"
    email: Annotated[str | None, Encrypted(lookup=True)] = None
    contact: Contact | None = None
    others: list[Contact] = Field(default_factory=list[Contact])

    class Settings(TenantDocument.Settings):
        name = "test_letters"
        indexes: ClassVar[list[IndexModel]] = [
            IndexModel(
                [("organization_id", ASCENDING), ("email", ASCENDING)],
                name="one_per_email",
                unique=True,
                partialFilterExpression={"email": {"$exists": True, "$type": "binData"}},
            ),
            IndexModel([("organization_id", ASCENDING), ("pages", ASCENDING)], name="by_pages"),
        ]


class Stamp(TenantDocument):
    """A document that is about no patient and holds no health data."""

    id_prefix: ClassVar[str] = "sta"
    health_data: ClassVar[bool] = False

    value: int = 0

    class Settings(TenantDocument.Settings):
        name = "test_stamps"


class LetterView(msgspec.Struct):
    """What a list shows of a letter."""

    id: str
    subject: str
    pages: int
    name: str
    email: str | None
    version: int


class StampView(msgspec.Struct):
    """What a list shows of a stamp."""

    id: str
    value: int


letters = Repository(Letter)
stamps = Repository(Stamp)


def letter(organization_id: str, **fields: object) -> Letter:
    """A letter that is not stored yet."""
    given: dict[str, object] = {
        "patient_id": "pat_1",
        "location_id": "loc_1",
        "id": letters.new_id(),
        **fields,
    }
    return Letter.model_validate({"organization_id": organization_id, **given})


async def store(access: Access, *documents: Letter) -> None:
    """Store letters in one transaction."""

    async def write(tx: Transaction) -> None:
        for document in documents:
            await letters.insert(tx, document)

    await access.transact(write)


def therapist(database: Database, organization_id: str, *location_ids: str) -> Access:
    """A therapist, bound to locations if any are given."""
    bound = frozenset(location_ids) if location_ids else None
    return database.access(Actor(organization_id, "staff", new_id("stf"), frozenset({"therapist"}), bound))


def patient(database: Database, organization_id: str, patient_id: str) -> Access:
    return database.access(Actor(organization_id, "patient", patient_id))

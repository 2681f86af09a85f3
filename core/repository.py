"""The only way to stored documents: every call takes an `Access`, and with it an organization.

Another organization's document does not exist here: it is `NotFound`, as a made-up id is. The same goes for
another patient's document when a patient asks, and for another location's when staff are bound to theirs.
Every write leaves an entry for the audit log in its transaction, and every read of health data by a person is
recorded before it is returned. Reads come as msgspec Structs (`view=`), several times cheaper than documents,
or as whole documents.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Generic, Literal, TypeVar, cast, overload

import msgspec
from beanie.odm.utils.dump import get_dict
from beanie.odm.utils.parsing import parse_obj
from pymongo import ASCENDING
from pymongo.errors import DuplicateKeyError

from core.access import Access, Change, Transaction
from core.documents import PatientDocument, TenantDocument
from core.errors import Conflict, NotFound, Stale
from core.ids import new_id
from core.mongo import RawCollection, raw_collection
from core.pages import Page, cursor_after, decode_cursor

Document = TypeVar("Document", bound=TenantDocument)
View = TypeVar("View", bound=msgspec.Struct)

Query = Mapping[str, Any]
Sort = Sequence[tuple[str, int]]


# What a document is and whose: set when it is made, or by the repository itself.
_IDENTITY = frozenset({"id", "organization_id", "patient_id", "version", "created_at", "updated_at"})
_BEYOND_THE_COLLECTION = frozenset({"$lookup", "$graphLookup", "$unionWith", "$out", "$merge"})


class Repository(Generic[Document]):
    """Documents of one kind, always within the organization of the `Access` given."""

    def __init__(self, document: type[Document]) -> None:
        self.document = document

    def new_id(self) -> str:
        return new_id(self.document.id_prefix)

    @overload
    async def get(self, access: Access, document_id: str) -> Document: ...
    @overload
    async def get(self, access: Access, document_id: str, *, view: type[View]) -> View: ...
    async def get(
        self, access: Access, document_id: str, *, view: type[View] | None = None
    ) -> Document | View:
        """The document of that id, or `NotFound`."""
        raw = await self._find_one(access, {"_id": document_id}, view)
        if raw is None:
            raise NotFound(f"There is no such {self._noun}.")
        return self._shape(raw, view)

    async def require(self, access: Access, document_id: str) -> None:
        """`NotFound` unless the document of that id is within reach.

        Nothing of it is returned, so that the audit log has nothing to record.
        """
        query = {"_id": document_id, **self._reach(access)}
        if await self._collection(access).find_one(query, {"_id": 1}, session=access.session) is None:
            raise NotFound(f"There is no such {self._noun}.")

    @overload
    async def find_one(self, access: Access, query: Query) -> Document | None: ...
    @overload
    async def find_one(self, access: Access, query: Query, *, view: type[View]) -> View | None: ...
    async def find_one(
        self, access: Access, query: Query, *, view: type[View] | None = None
    ) -> Document | View | None:
        """The first document that matches, or None. Encrypted look-up fields are matched by their plain
        value.
        """
        raw = await self._find_one(access, query, view)
        return None if raw is None else self._shape(raw, view)

    @overload
    async def find(
        self, access: Access, query: Query, *, sort: Sort = ..., limit: int = ...
    ) -> list[Document]: ...
    @overload
    async def find(
        self, access: Access, query: Query, *, sort: Sort = ..., limit: int = ..., view: type[View]
    ) -> list[View]: ...
    async def find(
        self,
        access: Access,
        query: Query,
        *,
        sort: Sort = (("_id", ASCENDING),),
        limit: int = 1000,
        view: type[View] | None = None,
    ) -> list[Document] | list[View]:
        """All that match, at most `limit`."""
        rows = await self._find(access, query, sort, limit, view)
        return cast("list[Document] | list[View]", [self._shape(row, view) for row in rows])

    async def page(
        self,
        access: Access,
        query: Query,
        *,
        view: type[View],
        limit: int,
        cursor: str | None,
        sort: str = "_id",
        descending: bool = False,
    ) -> Page[View]:
        """One page in the order of `sort`, then of the id; `cursor` continues where the page before ended."""
        direction = -1 if descending else 1
        bounded: dict[str, Any] = dict(query)
        if cursor is not None:
            bounded = {"$and": [bounded, decode_cursor(cursor, sort, direction)]}
        order = [(sort, direction)] if sort == "_id" else [(sort, direction), ("_id", direction)]
        rows = await self._find(access, bounded, order, limit + 1, view)
        more = len(rows) > limit
        rows = rows[:limit]
        next_cursor = cursor_after(rows[-1], sort) if more else None
        return Page(items=[self._shape(row, view) for row in rows], next_cursor=next_cursor)

    async def count(self, access: Access, query: Query) -> int:
        return await self._collection(access).count_documents(
            await self._scoped(access, query), session=access.session
        )

    async def aggregate(self, access: Access, pipeline: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Rows of an aggregation over this organization's documents only.

        Not audited: return figures, not records.

        Raises:
            ValueError: a stage that reaches beyond this collection.
        """
        if beyond := sorted(_operators(pipeline) & _BEYOND_THE_COLLECTION):
            raise ValueError(f"{', '.join(beyond)} would reach beyond what this actor may see")
        stages = [{"$match": self._reach(access)}, *pipeline]
        async with await self._collection(access).aggregate(stages, session=access.session) as cursor:
            return await cursor.to_list()

    async def insert(self, tx: Transaction, document: Document) -> Document:
        """Store a new document. `Conflict` if one with the same id or unique fields exists."""
        self._require_reach(tx, document)
        raw = await self._encrypted(tx, get_dict(document, to_db=True))
        try:
            await self._collection(tx).insert_one(raw, session=tx.session)
        except DuplicateKeyError as error:
            raise Conflict(f"This {self._noun} exists already.", code="exists") from error
        self._note(tx, "insert", document.id, (), raw.get("patient_id"))
        return document

    async def update(
        self, tx: Transaction, document_id: str, changes: Query, *, expected_version: int | None = None
    ) -> Document:
        """Set the given top-level fields and return the new document.

        The version grows by one. With `expected_version`, `Stale` if somebody was faster.

        Raises:
            ValueError: a field that the document does not have, or that says what and whose it is.
        """
        if wrong := sorted(set(changes) - self._changeable):
            raise ValueError(f"{self.document.__name__}: {', '.join(wrong)} cannot be updated")
        fields = await self._encrypted(tx, self._encode(changes))
        query: dict[str, Any] = {"_id": document_id, **self._reach(tx)}
        if expected_version is not None:
            query["version"] = expected_version
        raw = await self._collection(tx).find_one_and_update(
            query,
            {"$set": {**fields, "updated_at": tx.now()}, "$inc": {"version": 1}},
            return_document=True,
            session=tx.session,
        )
        if raw is None:
            raise await self._refused_update(tx, document_id, expected_version)
        await tx.database.fields.decrypt_documents(self.document, [raw])
        document = self._shape(raw, None)
        self._note(tx, "update", document_id, fields, getattr(document, "patient_id", None))
        return document

    async def delete(self, tx: Transaction, document_id: str) -> None:
        """Remove the document for good, or `NotFound`."""
        raw = await self._collection(tx).find_one_and_delete(
            {"_id": document_id, **self._reach(tx)}, session=tx.session
        )
        if raw is None:
            raise NotFound(f"There is no such {self._noun}.")
        self._note(tx, "delete", document_id, (), raw.get("patient_id"))

    @property
    def _changeable(self) -> set[str]:
        return set(self.document.model_fields) - _IDENTITY

    @property
    def _noun(self) -> str:
        return "".join(
            f" {letter.lower()}" if letter.isupper() else letter for letter in self.document.__name__
        ).strip()

    @property
    def _collection_name(self) -> str:
        return self.document.Settings.name

    def _collection(self, access: Access) -> RawCollection:
        return raw_collection(access.database, self._collection_name)

    async def _scoped(self, access: Access, query: Query) -> dict[str, Any]:
        encrypted = await access.database.fields.encrypt_query(access.organization_id, self.document, query)
        return {"$and": [self._reach(access), encrypted]}

    def _reach(self, access: Access) -> dict[str, Any]:
        """The condition that every query carries: what this actor may see at all."""
        reach: dict[str, Any] = {"organization_id": access.organization_id}
        if issubclass(self.document, PatientDocument):
            if access.actor.kind == "patient":
                reach["patient_id"] = access.actor.id
            elif access.actor.emergency_patient_id is not None:
                reach["patient_id"] = access.actor.emergency_patient_id
            elif access.actor.location_ids is not None:
                reach["location_id"] = {"$in": sorted(access.actor.location_ids)}
        return reach

    def _require_reach(self, access: Access, document: TenantDocument) -> None:
        outside = document.organization_id != access.organization_id
        if isinstance(document, PatientDocument):
            actor = access.actor
            outside |= actor.kind == "patient" and document.patient_id != actor.id
            outside |= actor.emergency_patient_id not in (None, document.patient_id)
            outside |= actor.location_ids is not None and document.location_id not in actor.location_ids
        if outside:
            raise NotFound(f"There is no such {self._noun}.")

    async def _find_one(
        self, access: Access, query: Query, view: type[msgspec.Struct] | None
    ) -> dict[str, Any] | None:
        raw = await self._collection(access).find_one(
            await self._scoped(access, query), self._projection(view), session=access.session
        )
        if raw is not None:
            await self._record_read(access, [raw])
            await access.database.fields.decrypt_documents(self.document, [raw])
        return raw

    async def _find(
        self, access: Access, query: Query, sort: Sort, limit: int, view: type[msgspec.Struct] | None
    ) -> list[dict[str, Any]]:
        projection = self._projection(view, *(name for name, _ in sort))
        cursor = self._collection(access).find(
            await self._scoped(access, query), projection, session=access.session
        )
        rows = await cursor.sort(list(sort)).limit(limit).to_list()
        if rows:
            await self._record_read(access, rows)
            await access.database.fields.decrypt_documents(self.document, rows)
        return rows

    def _projection(self, view: type[msgspec.Struct] | None, *sorted_by: str) -> dict[str, int] | None:
        """Only the fields that a view shows, so that nothing else is sent, decoded or decrypted."""
        if view is None:
            return None
        projection = {
            "_id" if name == "id" else name: 1 for name in (*view.__struct_encode_fields__, *sorted_by)
        }
        if issubclass(self.document, PatientDocument):
            projection["patient_id"] = 1  # for the audit log
        return projection

    async def _record_read(self, access: Access, rows: list[dict[str, Any]]) -> None:
        if not self.document.health_data or access.actor.kind == "system":
            return
        patients = {row.get("patient_id") for row in rows}
        change = Change(
            action="read",
            collection=self._collection_name,
            document_ids=tuple(row["_id"] for row in rows),
            patient_id=patients.pop() if len(patients) == 1 else None,
        )
        if isinstance(access, Transaction):
            access.changes.append(change)
        else:
            await access.database.audit.record_read(access.actor, change)

    def _shape(self, raw: dict[str, Any], view: type[View] | None) -> Any:  # noqa: ANN401 - the overloads say which
        if view is None:
            return parse_obj(self.document, raw)
        raw["id"] = raw.pop("_id")
        return msgspec.convert(raw, view, strict=False)

    def _encode(self, changes: Query) -> dict[str, Any]:
        from beanie.odm.utils.encoder import Encoder  # noqa: PLC0415

        encoder = Encoder(custom_encoders=self.document.get_settings().bson_encoders, to_db=True)
        return {name: encoder.encode(value) for name, value in changes.items()}

    async def _encrypted(self, access: Access, raw: dict[str, Any]) -> dict[str, Any]:
        return await access.database.fields.encrypt_document(access.organization_id, self.document, raw)

    async def _refused_update(
        self, tx: Transaction, document_id: str, expected_version: int | None
    ) -> NotFound | Stale:
        scoped = {"_id": document_id, **self._reach(tx)}
        if expected_version is not None and await self._collection(tx).find_one(scoped, session=tx.session):
            return Stale(
                f"This {self._noun} was changed by somebody else. Read it again, then repeat your change."
            )
        return NotFound(f"There is no such {self._noun}.")

    def _note(
        self,
        tx: Transaction,
        action: Literal["insert", "update", "delete"],
        document_id: str,
        fields: Iterable[str],
        patient_id: str | None,
    ) -> None:
        tx.changes.append(
            Change(
                action=action,
                collection=self._collection_name,
                document_ids=(document_id,),
                patient_id=patient_id,
                fields=tuple(sorted(fields)),
            )
        )


def _operators(part: object) -> set[str]:
    """Every key within a pipeline, also of the pipelines within."""
    if isinstance(part, Mapping):
        fields = cast("Mapping[str, object]", part)
        return set(fields).union(*(_operators(value) for value in fields.values()))
    if isinstance(part, list | tuple):
        return set[str]().union(*(_operators(item) for item in cast("Sequence[object]", part)))
    return set()

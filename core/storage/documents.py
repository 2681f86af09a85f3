"""The ledger of stored objects and of the uploads that fill them."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from core.documents import PatientDocument, TenantDocument
from core.encrypted import Encrypted
from core.indexes import ASCENDING, IndexModel

ObjectState = Literal["writing", "complete", "deleted"]
UploadState = Literal["receiving", "complete", "refused", "terminated", "expired"]


class StoredObject(PatientDocument):
    """One encrypted object: what was acknowledged of it, and what is needed to open it.

    While it is written, `version` is the fence of whoever holds the right to extend it: each holder gets the
    next number, its chunks are stored under that number, and nothing it says counts once the number moved on.
    """

    id_prefix: ClassVar[str] = "obj"

    state: ObjectState = "writing"
    size: int = 0
    """Bytes acknowledged."""
    generations: list[int] = Field(default_factory=list[int])
    """For each chunk, the fence under which its present state was written."""
    wrapped_key: bytes | None
    """The data key under the organization's key; gone once the object is deleted."""
    content_type: str | None = None
    sha256: bytes | None = None
    mac: bytes | None = None
    """Vouches for size, generations and sha256 once the content is whole (see `sealing`)."""
    writer_until: datetime | None = None
    """Until when somebody holds the right to extend it."""
    expires_at: datetime | None = None
    """When it is removed, unless it was completed before."""

    class Settings(TenantDocument.Settings):
        name = "stored_objects"
        indexes: ClassVar[list[IndexModel]] = [
            IndexModel(
                [("organization_id", ASCENDING), ("expires_at", ASCENDING)],
                name="unfinished_by_expiry",
                partialFilterExpression={"state": "writing"},
            ),
        ]


class Upload(PatientDocument):
    """A resumable upload about one patient. What has arrived of it is the size of its object."""

    id_prefix: ClassVar[str] = "upl"
    # An upload says how many bytes arrived, not what they show: asking for the offset reads no health data.
    health_data: ClassVar[bool] = False

    purpose: str
    """What it is for, for instance `exercise_video`."""
    metadata_header: Annotated[str, Encrypted()]
    """`Upload-Metadata` as the client sent it. Encrypted, because file names tend to hold people's names."""
    object_id: str
    length: int
    """Bytes announced."""
    state: UploadState = "receiving"
    refusal: str | None = None
    """Why the content was refused, in words for the person who sent it."""
    expires_at: datetime
    """Until when it can be continued."""
    completed_at: datetime | None = None
    content_type: str | None = None
    job_id: str | None = None
    """The job that its completion started."""

    class Settings(TenantDocument.Settings):
        name = "uploads"
        indexes: ClassVar[list[IndexModel]] = [
            IndexModel(
                [("organization_id", ASCENDING), ("expires_at", ASCENDING)],
                name="receiving_by_expiry",
                partialFilterExpression={"state": "receiving"},
            ),
            IndexModel([("organization_id", ASCENDING), ("object_id", ASCENDING)], name="by_object"),
        ]


DOCUMENTS: list[type[TenantDocument]] = [StoredObject, Upload]

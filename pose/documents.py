"""What is stored about analysed recordings."""

from typing import Annotated, ClassVar

from msgspec import Struct

from core.documents import PatientDocument, TenantDocument
from core.indexes import ASCENDING, IndexModel
from core.repository import Repository
from core.stored_structs import StoredStruct
from pose.analysis import Analysis


class AngleCurve(Struct, frozen=True, kw_only=True):
    """The primary joint angle over the recording: seconds and degrees, None where it is not known.

    `signal` names the angle, as exercises do.
    """

    t_s: list[float]
    deg: list[float | None]
    signal: str


class MovementAnalysis(PatientDocument):
    """The outcome of analysing one recording: one for each upload, whatever it took to get there.

    An unreadable recording has a reason and no analysis.
    """

    id_prefix: ClassVar[str] = "ana"

    exercise_session_id: str
    upload_id: str
    video_object_id: str
    track_object_id: str | None = None
    """The landmark track, as an encrypted object in the form `pose.landmarks.load_track` reads."""
    algorithm: str
    analysis: Annotated[Analysis, StoredStruct()] | None = None
    curve: Annotated[AngleCurve, StoredStruct()] | None = None
    reason_code: str | None = None
    reason: str | None = None

    class Settings(TenantDocument.Settings):
        name = "movement_analyses"
        indexes: ClassVar[list[IndexModel]] = [
            IndexModel(
                [("organization_id", ASCENDING), ("upload_id", ASCENDING)], name="upload", unique=True
            ),
            IndexModel([("organization_id", ASCENDING), ("patient_id", ASCENDING)], name="patient"),
        ]


movement_analyses = Repository(MovementAnalysis)

DOCUMENTS: list[type[TenantDocument]] = [MovementAnalysis]

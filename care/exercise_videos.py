"""Recordings of exercise sessions: whom an upload is about, and what its analysis adds to the session."""

from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace

from care.documents import SessionVideo, exercise_sessions
from care.evidence import Evidence, with_evidence
from care.sessions import announce_evidence
from core.access import Access, Transaction
from core.errors import FieldFault, Invalid
from core.storage.uploads import UploadSubject

SESSION_KEY = "exercise_session_id"
"""The key of the upload's metadata that names the session."""


class _SessionPlace(Struct):
    id: str
    patient_id: str
    location_id: str


class AnalyzedVideo(Struct, frozen=True, kw_only=True):
    """The outcome of an analysis: evidence of what was done, or the reason why there is none."""

    upload_id: str
    analysis_id: str
    evidence: Evidence | None = None
    reason_code: str | None = None
    reason: str | None = None


async def subject_of_upload(access: Access, metadata: Mapping[str, str]) -> UploadSubject:
    """Whom a recording is about, by the session its metadata names; `NotFound` if that is out of reach."""
    session = await exercise_sessions.get(access, session_named(metadata), view=_SessionPlace)
    return UploadSubject(patient_id=session.patient_id, location_id=session.location_id)


def session_named(metadata: Mapping[str, str]) -> str:
    """The id of the session that the metadata names."""
    session_id = metadata.get(SESSION_KEY, "")
    if not session_id:
        raise Invalid(
            "Say which exercise session the video shows.", [FieldFault(f"/{SESSION_KEY}", "is required")]
        )
    return session_id


async def attach_video(tx: Transaction, session_id: str, video: SessionVideo) -> None:
    """Add a recording to its session, once."""
    session = await exercise_sessions.get(tx, session_id)
    videos = [each for each in session.videos if each.upload_id != video.upload_id]
    await exercise_sessions.update(tx, session_id, {"videos": [*videos, video]})


async def record_analysis(tx: Transaction, session_id: str, outcome: AnalyzedVideo) -> None:
    """Keep what the analysis of a recording found. The same outcome twice changes nothing more."""
    session = await exercise_sessions.get(tx, session_id)
    videos = [
        replace(
            video,
            state="unreadable" if outcome.evidence is None else "analyzed",
            analysis_id=outcome.analysis_id,
            reason_code=outcome.reason_code,
            reason=outcome.reason,
        )
        if video.upload_id == outcome.upload_id
        else video
        for video in session.videos
    ]
    changes: dict[str, object] = {"videos": videos}
    if outcome.evidence is not None:
        changes["evidence"] = with_evidence(session.evidence, outcome.evidence)
    changed = await exercise_sessions.update(tx, session_id, changes)
    if outcome.evidence is not None:
        await announce_evidence(tx, changed)

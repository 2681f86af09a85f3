"""The analysis of an exercise session, as a patient or therapist reads it."""

import datetime as dt
from typing import Literal

from msgspec import Struct

from care.documents import SessionVideo, exercise_sessions
from core.access import Access
from pose.analysis import Analysis
from pose.documents import AngleCurve, movement_analyses

AnalysisState = Literal["awaiting_video", "analyzing", "analyzed", "unreadable"]


class SessionAnalysis(Struct, frozen=True, kw_only=True):
    """Where the newest recording of a session stands, and what its analysis found.

    `job_id` names the job whose progress can be followed. `reason_code` and `reason` say why a recording
    could not be analysed.
    """

    exercise_session_id: str
    state: AnalysisState
    upload_id: str | None = None
    job_id: str | None = None
    analysis_id: str | None = None
    analyzed_at: dt.datetime | None = None
    analysis: Analysis | None = None
    curve: AngleCurve | None = None
    reason_code: str | None = None
    reason: str | None = None


class _Session(Struct):
    id: str
    videos: list[SessionVideo]


class _Kept(Struct):
    id: str
    created_at: dt.datetime
    analysis: Analysis | None
    curve: AngleCurve | None


async def analysis_of_session(access: Access, session_id: str) -> SessionAnalysis:
    """The analysis of the session's newest recording; `NotFound` if the session is out of reach."""
    session = await exercise_sessions.get(access, session_id, view=_Session)
    if not session.videos:
        return SessionAnalysis(exercise_session_id=session_id, state="awaiting_video")
    video = session.videos[-1]
    kept = None
    if video.analysis_id is not None:
        kept = await movement_analyses.get(access, video.analysis_id, view=_Kept)
    return SessionAnalysis(
        exercise_session_id=session_id,
        state=video.state,
        upload_id=video.upload_id,
        job_id=video.job_id,
        analysis_id=video.analysis_id,
        analyzed_at=None if kept is None else kept.created_at,
        analysis=None if kept is None else kept.analysis,
        curve=None if kept is None else kept.curve,
        reason_code=video.reason_code,
        reason=video.reason,
    )

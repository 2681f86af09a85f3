"""Uploaded recordings of exercises are analysed in the background: one job for each upload, one outcome.

The job reads the encrypted recording in ranges; a confined child decodes it (`pose.sandbox`). A recording
that cannot be analysed is an outcome with its reason, not a failure to be retried.
"""

from dataclasses import dataclass
from typing import Any

import structlog
from msgspec import Struct

from care.documents import SessionVideo, exercise_sessions
from care.evidence import Evidence
from care.exercise_videos import (
    AnalyzedVideo,
    attach_video,
    record_analysis,
    session_named,
    subject_of_upload,
)
from care.exercises import load_library
from care.prescriptions import Side
from core.access import Transaction
from core.jobs import Commit, JobContext, job
from core.platform import Platform
from core.storage.documents import Upload
from core.storage.metadata import parse_metadata
from core.storage.uploads import on_upload_begin, on_upload_complete
from pose.analysis import ALGORITHM, Analysis
from pose.documents import AngleCurve, MovementAnalysis, movement_analyses
from pose.engine import VideoAnalysis, analyze_source
from pose.errors import UnreadableVideo
from pose.events import ExerciseVideoAnalyzed

PURPOSE = "exercise_video"
"""What an upload that is to be analysed is for."""

TRACK_CONTENT_TYPE = "application/x-npz"

_log = structlog.stdlib.get_logger("homestretch.pose")


class AnalyzeVideo(Struct, frozen=True, kw_only=True):
    """Payload of `pose.analyze`: which recording, and of which exercise session."""

    upload_id: str
    object_id: str
    exercise_session_id: str


class _Recorded(Struct):
    """What the session tells about the recording."""

    id: str
    patient_id: str
    location_id: str
    exercise_id: str
    side: Side


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What is to be kept of one analysis."""

    analysis: Analysis | None = None
    curve: AngleCurve | None = None
    track_object_id: str | None = None
    reason_code: str | None = None
    reason: str | None = None


async def queue_analysis(tx: Transaction, upload: Upload) -> str:
    """Take over a completed upload: attach it to its session and queue its analysis. Returns the job's id."""
    session_id = session_named(parse_metadata(upload.metadata_header))
    payload = AnalyzeVideo(upload_id=upload.id, object_id=upload.object_id, exercise_session_id=session_id)
    job_id = await tx.enqueue("pose.analyze", payload, key=upload.id, patient_id=upload.patient_id)
    video = SessionVideo(upload_id=upload.id, object_id=upload.object_id, state="analyzing", job_id=job_id)
    await attach_video(tx, session_id, video)
    return job_id


# A recording that breaks the decoder is an outcome. What is tried again is mostly an attempt that lost its
# worker, which says nothing about the recording: hence many attempts, and seconds until the next one.
@job("pose.analyze", payload=AnalyzeVideo, max_attempts=8, lease_s=20, timeout_s=900)
async def analyze(context: JobContext, payload: AnalyzeVideo) -> Commit:
    """Analyse one recording and keep what was found, with the evidence it gives the session."""
    session = await exercise_sessions.get(context.access, payload.exercise_session_id, view=_Recorded)
    video = await context.platform.storage.open(context.access, payload.object_id)
    try:
        found = await analyze_source(
            video.read_range,
            video.size,
            exercise=load_library().get(session.exercise_id),
            side=session.side,
            on_progress=context.progress,
        )
    except UnreadableVideo as unreadable:
        _log.info("video_unreadable", job_id=context.job_id, reason=unreadable.code)
        outcome = _Outcome(reason_code=unreadable.code, reason=unreadable.detail)
    else:
        outcome = await _kept(context, session, found)

    async def commit(tx: Transaction) -> None:
        if outcome.track_object_id is not None:
            await context.platform.storage.keep(tx, outcome.track_object_id)
        analysis_id = await _store(context.platform, tx, payload, outcome)
        await record_analysis(tx, session.id, _for_session(payload.upload_id, analysis_id, outcome, tx))
        await tx.publish(
            ExerciseVideoAnalyzed(
                patient_id=session.patient_id,
                exercise_session_id=session.id,
                upload_id=payload.upload_id,
                analysis_id=analysis_id,
                readable=outcome.analysis is not None,
            )
        )

    return commit


async def _kept(context: JobContext, session: _Recorded, found: VideoAnalysis) -> _Outcome:
    """Store the landmark track; an object that the commit never keeps is swept up later."""
    track_object_id = await context.platform.storage.write(
        context.access,
        found.track.to_bytes(),
        patient_id=session.patient_id,
        location_id=session.location_id,
        content_type=TRACK_CONTENT_TYPE,
    )
    drawn = found.curve
    curve = None if drawn is None else AngleCurve(t_s=drawn.t_s, deg=drawn.deg, signal=drawn.signal)
    return _Outcome(analysis=found.analysis, curve=curve, track_object_id=track_object_id)


async def _store(platform: Platform, tx: Transaction, payload: AnalyzeVideo, outcome: _Outcome) -> str:
    """Keep the outcome under the upload's own analysis, also when somebody had the job run again."""
    session = await exercise_sessions.get(tx, payload.exercise_session_id, view=_Recorded)
    kept: dict[str, Any] = {
        "algorithm": ALGORITHM if outcome.analysis is None else outcome.analysis.algorithm,
        "analysis": outcome.analysis,
        "curve": outcome.curve,
        "track_object_id": outcome.track_object_id,
        "reason_code": outcome.reason_code,
        "reason": outcome.reason,
    }
    earlier = await movement_analyses.find_one(tx, {"upload_id": payload.upload_id})
    if earlier is not None:
        if earlier.track_object_id is not None:
            await platform.storage.delete(tx, earlier.track_object_id)
        return (await movement_analyses.update(tx, earlier.id, kept)).id
    document = MovementAnalysis(
        id=movement_analyses.new_id(),
        organization_id=tx.organization_id,
        patient_id=session.patient_id,
        location_id=session.location_id,
        created_at=tx.now(),
        updated_at=tx.now(),
        exercise_session_id=session.id,
        upload_id=payload.upload_id,
        video_object_id=payload.object_id,
        **kept,
    )
    return (await movement_analyses.insert(tx, document)).id


def _for_session(upload_id: str, analysis_id: str, outcome: _Outcome, tx: Transaction) -> AnalyzedVideo:
    analysis = outcome.analysis
    if analysis is None:
        return AnalyzedVideo(
            upload_id=upload_id,
            analysis_id=analysis_id,
            reason_code=outcome.reason_code,
            reason=outcome.reason,
        )
    holds = [repetition.hold_s for repetition in analysis.repetitions if repetition.counted]
    evidence = Evidence(
        grade="video",
        source_id=upload_id,
        at=tx.now(),
        repetitions=analysis.count,
        hold_s=sum(holds) / len(holds) if holds else None,
        rom_deg=None if analysis.rom is None else analysis.rom.median_deg,
        quality=analysis.quality.score,
        algorithm=analysis.algorithm,
    )
    return AnalyzedVideo(upload_id=upload_id, analysis_id=analysis_id, evidence=evidence)


on_upload_begin(PURPOSE, subject_of_upload)
on_upload_complete(PURPOSE, queue_analysis)

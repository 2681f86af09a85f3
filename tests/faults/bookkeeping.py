"""What must be true once everything is over, whatever was killed on the way."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

import httpx
import msgspec

from care.documents import exercise_sessions
from care.sessions import get_session
from core import audit_review
from core.access import Access
from core.clock import utc_now
from core.jobs import get_job, list_jobs
from core.mongo import raw_collection
from core.platform import Platform
from core.storage import uploads as upload_cases
from core.storage.objects import objects
from core.storage.uploads import UNFINISHED_LIFETIME, uploads
from engagement.documents import compliance_scores
from pose.documents import movement_analyses
from tests.faults.installation import Installation
from tests.faults.phones import REPETITIONS, SETS, Phone, Recording

CHECK_S = 0.2
_MOST = 1000


class _Blobs(msgspec.Struct):
    id: str
    state: str
    generations: list[int]


async def all_analyzed(platform: Platform, access: Access, recordings: Sequence[Recording]) -> None:
    """Returns when every recording has been analysed and no background work is left over."""
    for recording in recordings:
        while not (await get_job(access, recording.job_id)).is_final:  # noqa: ASYNC110 - other processes work
            await asyncio.sleep(CHECK_S)
    await nothing_left(platform, access)


async def nothing_left(platform: Platform, access: Access) -> None:
    """Returns when no job waits or runs; a job that was buried is a failure."""
    jobs = raw_collection(platform.database, "jobs")
    unfinished = {"organization_id": access.organization_id, "state": {"$in": ["queued", "running"]}}
    while await jobs.count_documents(unfinished):  # noqa: ASYNC110 - other processes work
        await asyncio.sleep(CHECK_S)
    buried = await list_jobs(access, state="dead")
    assert buried.items == []


async def everything_is_in_order(
    platform: Platform,
    access: Access,
    therapist: httpx.AsyncClient,
    held: Sequence[Phone],
    recordings: Sequence[Recording],
) -> None:
    """Nothing acknowledged is lost, nothing is done twice, nothing is stuck."""
    assert [fault for phone in held for fault in phone.faults] == []
    # A request that was sent again must not have begun a second session.
    assert await exercise_sessions.count(access, {}) == len(recordings)
    await every_recording_is_there(platform, access, recordings)
    count = await every_analysis_ended_once(platform, access, recordings)
    assert count > 0
    await compliance_follows_the_evidence(therapist, access, recordings, count)
    await nobody_holds_anything(platform, access)
    verification = await audit_review.verify(platform.database, access.organization_id)
    assert verification.ok, verification.reason


async def every_recording_is_there(
    platform: Platform, access: Access, recordings: Sequence[Recording]
) -> None:
    """What was acknowledged can be read back from the object storage, byte for byte."""
    for recording in recordings:
        upload = await uploads.get(access, recording.upload_id)
        assert upload.state == "complete"
        content = await platform.storage.read(access, upload.object_id)
        assert hashlib.sha256(content).digest() == recording.sha256, recording.upload_id


async def every_analysis_ended_once(
    platform: Platform, access: Access, recordings: Sequence[Recording]
) -> int:
    """One outcome for each recording, everywhere it leaves a trace. Returns the repetitions in each."""
    assert len({recording.upload_id for recording in recordings}) == len(recordings)
    counts: set[int] = set()
    for recording in recordings:
        job = await get_job(access, recording.job_id)
        assert (job.kind, job.state) == ("pose.analyze", "done")
        (analysis,) = await movement_analyses.find(access, {"upload_id": recording.upload_id}, limit=2)
        assert analysis.analysis is not None, analysis.reason
        counts.add(analysis.analysis.count)
        session = await get_session(access, recording.session_id)
        (video,) = session.videos
        assert (video.upload_id, video.state, video.analysis_id) == (
            recording.upload_id,
            "analyzed",
            analysis.id,
        )
        (evidence,) = session.evidence
        assert (evidence.grade, evidence.source_id) == ("video", recording.upload_id)
        assert evidence.repetitions == analysis.analysis.count
    assert await movement_analyses.count(access, {}) == len(recordings)
    done = {"organization_id": access.organization_id, "kind": "pose.analyze"}
    assert await raw_collection(platform.database, "jobs").count_documents(done) == len(recordings)
    told = {"organization_id": access.organization_id, "name": "pose.exercise_video_analyzed"}
    assert await raw_collection(platform.database, "events").count_documents(told) == len(recordings)
    (count,) = counts  # all show the same movement
    return count


async def compliance_follows_the_evidence(
    therapist: httpx.AsyncClient, access: Access, recordings: Sequence[Recording], count: int
) -> None:
    """Each set that was filmed counts once, in what a therapist reads and in what is stored."""
    filmed = Counter(recording.program_id for recording in recordings)
    for program_id, sets in filmed.items():
        read = (await therapist.get(f"/v1/programs/{program_id}/compliance")).raise_for_status().json()
        assert read["completed_doses"] == round(sets * count / (SETS * REPETITIONS), 4)
        query = {"program_id": program_id, "period": "program"}
        (stored,) = await compliance_scores.find(access, query, limit=2)
        assert (stored.score, stored.credited_doses) == (read["score"], read["credited_doses"])
        mine = {recording.session_id for recording in recordings if recording.program_id == program_id}
        assert mine == set(stored.session_ids)


async def nobody_holds_anything(platform: Platform, access: Access) -> None:
    """No lease outlives its holder, and no session is left that was never begun."""
    held = {"organization_id": access.organization_id, "writer_until": {"$gt": utc_now()}}
    assert await raw_collection(platform.database, "stored_objects").count_documents(held) == 0
    slots = {"organization_id": access.organization_id, "slot": {"$exists": True}}
    assert await raw_collection(platform.database, "jobs").count_documents(slots) == 0


async def only_named_blobs_remain(installation: Installation, organization_id: str) -> int:
    """Once the time for finishing is over, what nobody finished is removed: bytes nobody knows do not stay.

    Returns how many unfinished things had to be tidied up. Needs a worker that runs.
    """
    later = UNFINISHED_LIFETIME + timedelta(days=1)
    async with installation.opened(lambda: utc_now() + later) as platform:
        access = platform.database.as_system(organization_id, "test")
        unfinished = await objects.count(access, {"state": "writing"})
        await upload_cases.tidy(access, platform.storage)
        assert await objects.count(access, {"state": "writing"}) == 0
        assert await uploads.count(access, {"state": "receiving"}) == 0
        await nothing_left(platform, access)
        complete = await objects.find(access, {"state": "complete"}, view=_Blobs, limit=_MOST)
        named = {
            f"{organization_id}/{each.id}/{index}.{generation}"
            for each in complete
            for index, generation in enumerate(each.generations)
        }
        # The files themselves: a listing of the store passes over what was being written.
        folder = installation.folder / "objects"
        present = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
        assert present == named
        return unfinished

"""From an uploaded recording to evidence in the exercise session: the job `pose.analyze`."""

import io
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from care.sessions import NewSession, SessionView, get_session, start_session
from core.access import Access
from core.errors import NotFound
from core.jobs import get_job
from core.mongo import RawDatabase
from core.platform import Platform
from core.storage.metadata import format_metadata
from core.storage.uploads import append, begin
from engagement.scoring import compliance_of_patient
from pose.documents import movement_analyses
from pose.jobs import PURPOSE, AnalyzeVideo
from pose.landmarks import load_track
from pose.session_analysis import analysis_of_session
from tests.clinic import Clinic
from tests.clinic_fixtures import WorkOff, clinic, clock, database, work_off
from tests.pose.recordings import CLIPS

__all__ = ["clinic", "clock", "database", "work_off"]

SIT_TO_STAND = CLIPS / "26_sit_to_stand_side.mp4"
MOVEMENTS = len(json.loads((CLIPS / "truth.json").read_text())[SIT_TO_STAND.name]["repetitions"])
MOST_BYTES = 50_000_000


@dataclass
class Filming:
    """A patient with a phone."""

    clinic: Clinic
    platform: Platform
    patient: Access
    session: SessionView

    async def upload(self, content: bytes, *, access: Access | None = None) -> str:
        """Upload a recording of the session. Returns the id of the job that analyses it."""
        who = access or self.patient
        metadata = format_metadata({"exercise_session_id": self.session.id, "filename": "IMG_0001.mov"})
        status = await begin(
            who,
            self.platform.storage,
            purpose=PURPOSE,
            length=len(content),
            metadata_header=metadata,
            max_bytes=MOST_BYTES,
        )
        status = await append(who, self.platform.storage, status.id, offset=0, body=_stream(content))
        assert status.job_id is not None
        return status.job_id


async def _stream(content: bytes) -> AsyncIterator[bytes]:
    yield content


def only_a_header(path: Path = SIT_TO_STAND) -> bytes:
    """What begins like a video and goes on as noise."""
    return path.read_bytes()[:64] + bytes(range(256)) * 64


@pytest.fixture
async def filming(clinic: Clinic, platform: Platform) -> Filming:
    patient = clinic.patient((await clinic.new_patient()).id)
    program = await clinic.new_program(patient.actor.id)
    new = NewSession(program_id=program.id, prescription_id=program.prescriptions[0].id, evidence="video")
    return Filming(clinic, platform, patient, await start_session(patient, new))


@pytest.mark.video
async def test_a_filmed_set_becomes_counted_evidence_and_changes_compliance(
    filming: Filming, work_off: WorkOff, raw: RawDatabase
) -> None:
    before = await compliance_of_patient(filming.clinic.therapist, filming.patient.actor.id)
    job_id = await filming.upload(SIT_TO_STAND.read_bytes())
    waiting = await analysis_of_session(filming.patient, filming.session.id)
    assert (waiting.state, waiting.job_id, waiting.analysis) == ("analyzing", job_id, None)

    await work_off()

    assert (await get_job(filming.patient, job_id)).state == "done"
    found = await analysis_of_session(filming.patient, filming.session.id)
    assert found.state == "analyzed"
    assert found.analysis is not None
    assert found.analysis.count + found.analysis.partial_count == MOVEMENTS
    assert found.curve is not None
    assert len(found.curve.t_s) == len(found.curve.deg) > 0

    (evidence,) = (await get_session(filming.patient, filming.session.id)).evidence
    assert (evidence.grade, evidence.source_id) == ("video", found.upload_id)
    assert evidence.repetitions == found.analysis.count
    assert (evidence.quality, evidence.algorithm) == (
        found.analysis.quality.score,
        found.analysis.algorithm,
    )
    after = await compliance_of_patient(filming.clinic.therapist, filming.patient.actor.id)
    assert after.credited_doses == before.credited_doses + min(1, found.analysis.count / 5)

    kept = await movement_analyses.get(filming.clinic.system, found.analysis_id or "")
    track = await filming.platform.storage.read(filming.clinic.therapist, kept.track_object_id or "")
    assert load_track(io.BytesIO(track)).frames == found.analysis.tracking.frames_analyzed
    assert await raw["events"].count_documents({"name": "pose.exercise_video_analyzed"}) == 1


async def test_an_unreadable_recording_ends_with_its_reason_and_is_not_tried_again(
    filming: Filming, work_off: WorkOff
) -> None:
    job_id = await filming.upload(only_a_header())
    await work_off()
    job = await get_job(filming.patient, job_id)
    assert (job.state, job.attempts) == ("done", 1)
    found = await analysis_of_session(filming.patient, filming.session.id)
    assert (found.state, found.analysis) == ("unreadable", None)
    assert found.reason_code == "truncated_unreadable"
    assert found.reason
    assert (await get_session(filming.patient, filming.session.id)).evidence == []


async def test_one_upload_has_one_analysis_however_often_it_is_analysed(
    filming: Filming, work_off: WorkOff
) -> None:
    await filming.upload(only_a_header())
    await work_off()
    (video,) = (await get_session(filming.patient, filming.session.id)).videos
    again = AnalyzeVideo(
        upload_id=video.upload_id,
        object_id=video.object_id,
        exercise_session_id=filming.session.id,
    )
    await work_off(("pose.analyze", again))
    assert await movement_analyses.count(filming.clinic.system, {"upload_id": video.upload_id}) == 1
    assert (await get_session(filming.patient, filming.session.id)).videos == [video]


async def test_nobody_uploads_for_another_patient(filming: Filming) -> None:
    stranger = filming.clinic.patient((await filming.clinic.new_patient()).id)
    with pytest.raises(NotFound):
        await filming.upload(only_a_header(), access=stranger)


async def test_a_therapist_uploads_what_was_filmed_in_the_clinic(filming: Filming) -> None:
    job_id = await filming.upload(only_a_header(), access=filming.clinic.therapist)
    assert (await get_job(filming.patient, job_id)).patient_id == filming.patient.actor.id

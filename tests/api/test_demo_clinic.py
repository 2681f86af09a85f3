"""The demo clinic that a first start sets up."""

import datetime as dt
import json
import os
import stat
from collections import Counter
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.rooms import DOCUMENTS
from api.seed.history import WEEKS, adherence, due_on, history_of
from api.seed.plan import Trajectory, demo_clinic
from api.seed.recordings import examples, placeholder_clip, retold
from care.documents import exercise_sessions, patients, programs
from care.exercises import load_library
from core import audit_review
from core.access import Access
from core.jobs import list_jobs
from core.mongo import raw_collection
from core.platform import Platform, open_platform
from core.settings import load_settings
from engagement.documents import notifications
from engagement.scoring import compliance_of_program
from identity.documents import locations, organizations, staff
from pose.documents import movement_analyses
from pose.sniffing import sniff
from tests.api.command_line import homestretch

DAYS = WEEKS * 7
FIRST = dt.date(2026, 9, 28)


@dataclass
class Seeded:
    platform: Platform
    system: Access
    printed: dict[str, Any]
    environment: dict[str, str]


@pytest.fixture(scope="module")
async def seeded(tmp_path_factory: pytest.TempPathFactory, mongodb_uri: str) -> AsyncGenerator[Seeded]:
    """One demo clinic, set up as a person would, in a database of its own."""
    environment = {
        "HOMESTRETCH_DATA": str(tmp_path_factory.mktemp("demo")),
        "HOMESTRETCH_MONGODB_URI": mongodb_uri,
        "HOMESTRETCH_MONGODB_DATABASE": f"demo_{os.getpid()}",
    }
    done = homestretch("seed", "--json", environment=environment)
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    async with open_platform(load_settings(environment), DOCUMENTS) as platform:
        system = platform.database.as_system(printed["organization_id"], "test")
        yield Seeded(platform, system, printed, environment)
        database = raw_collection(platform.database, "patients").database
        for name in await database.list_collection_names():
            await database.drop_collection(name)


async def test_it_says_of_itself_that_it_is_a_demo(seeded: Seeded) -> None:
    organization = await organizations.get(seeded.system, seeded.system.organization_id)
    assert organization.demo
    names = [organization.name]
    names += [each.name for each in await locations.find(seeded.system, {})]
    names += [each.name for each in await staff.find(seeded.system, {})]
    names += [each.family_name for each in await patients.find(seeded.system, {})]
    assert all("Demo" in name for name in names)


async def test_it_has_two_locations_three_therapists_and_a_dozen_patients(seeded: Seeded) -> None:
    places = await locations.find(seeded.system, {})
    assert len({place.time_zone for place in places}) == len(places) == 2
    roles = Counter(role for member in await staff.find(seeded.system, {}) for role in member.roles)
    assert roles["therapist"] == 3
    assert set(roles) == {
        "therapist",
        "assistant",
        "front_desk",
        "biller",
        "manager",
        "administrator",
    }
    assert len(await patients.find(seeded.system, {})) == 12


async def test_eight_weeks_have_gone_by_and_nothing_lies_ahead(seeded: Seeded) -> None:
    sessions = await exercise_sessions.find(seeded.system, {}, limit=5000)
    now = seeded.system.now()
    assert max(each.performed_at for each in sessions) <= now
    first = min(each.local_date for each in sessions)
    weeks = {(each.local_date - first).days // 7 for each in sessions}
    assert weeks >= set(range(WEEKS - 1))
    assert all(each.created_at <= now for each in sessions)


async def test_evidence_is_mixed_and_leads_to_what_it_rests_on(seeded: Seeded) -> None:
    sessions = await exercise_sessions.find(seeded.system, {}, limit=5000)
    grades = Counter(piece.grade for each in sessions for piece in each.evidence)
    assert set(grades) == {"video", "self_report", "clinician_observed"}
    analyses = {each.id: each for each in await movement_analyses.find(seeded.system, {}, limit=5000)}
    filmed = [piece for each in sessions for piece in each.evidence if piece.grade == "video"]
    for piece in filmed:
        analysis = analyses[piece.source_id].analysis
        assert analysis is not None
        assert piece.repetitions == analysis.count
        assert "demo" in [warning.code for warning in analysis.warnings]
    clip = await seeded.platform.storage.read(seeded.system, analyses[filmed[0].source_id].video_object_id)
    assert clip == placeholder_clip()


async def test_some_keep_up_and_some_fall_behind_and_hear_of_it(seeded: Seeded) -> None:
    completion = [
        (await compliance_of_program(seeded.system, each.id)).completion
        for each in await programs.find(seeded.system, {})
    ]
    assert max(each for each in completion if each is not None) > 0.9
    assert min(each for each in completion if each is not None) < 0.5
    assert {each.state for each in await notifications.find(seeded.system, {})} == {"sent"}


async def test_the_audit_log_holds(seeded: Seeded) -> None:
    verified = await audit_review.verify(seeded.platform.database, seeded.system.organization_id)
    assert verified.ok
    assert verified.entries > 1000


async def test_hardly_any_work_is_left_for_the_first_worker(seeded: Seeded) -> None:
    kinds = {each.kind for each in (await list_jobs(seeded.system, limit=200)).items}
    assert kinds <= {"engagement.deliver"}


async def test_the_logins_are_kept_for_their_owner_alone(seeded: Seeded) -> None:
    kept = Path(seeded.environment["HOMESTRETCH_DATA"]) / "demo-logins.json"
    assert json.loads(kept.read_text()) == seeded.printed
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


async def test_a_second_start_only_renews_the_invitation(seeded: Seeded) -> None:
    done = homestretch("seed", "--if-empty", "--json", environment=seeded.environment)
    assert done.returncode == 0, done.stderr
    renewed = json.loads(done.stdout)
    assert renewed["staff"] == seeded.printed["staff"]
    assert renewed["patient"]["link"] != seeded.printed["patient"]["link"]
    assert len(await patients.find(seeded.system, {})) == 12


async def test_it_is_not_set_up_beside_anything_else(seeded: Seeded) -> None:
    done = homestretch("seed", environment=seeded.environment)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1


def test_it_does_not_belong_into_production() -> None:
    production = {"HOMESTRETCH_ENV": "production", "HOMESTRETCH_MONGODB_URI": "mongodb://nowhere.invalid/"}
    done = homestretch("seed", environment=production)
    assert done.returncode == 2
    assert "production" in done.stderr


def test_every_declared_exercise_is_in_the_library() -> None:
    for patient in demo_clinic().patients:
        for draft in patient.program.exercises:
            load_library().get(draft.exercise_id)
    assert set(examples()) <= {each.id for each in load_library().all()}


def test_the_same_seed_tells_the_same_story() -> None:
    patient = demo_clinic().patients[0]
    trajectory = demo_clinic().trajectories[patient.trajectory]
    once, again, other = (history_of(patient, trajectory, FIRST, DAYS, seed) for seed in (1, 1, 2))
    assert once == again
    assert once != other


@given(share=st.floats(0, 1), seed=st.integers(0, 1000))
def test_the_share_that_is_done_is_the_one_declared(share: float, seed: int) -> None:
    patient = demo_clinic().patients[0]
    days = 400
    history = history_of(patient, Trajectory(first=share, last=share), FIRST, days, seed)
    assert abs(adherence(patient, history, FIRST, days) - share) < 0.1


@given(seed=st.integers())
def test_only_what_is_due_is_done_and_never_more_than_prescribed(seed: int) -> None:
    patient = demo_clinic().patients[seed % 12]
    drafts = patient.program.exercises
    for day in history_of(patient, demo_clinic().trajectories[patient.trajectory], FIRST, DAYS, seed):
        for dose in day.doses:
            assert due_on(drafts[dose.exercise], day.date)
            assert 1 <= dose.sets <= drafts[dose.exercise].sets
            assert 0 <= dose.pain_before <= 10
            assert 0 <= dose.pain_after <= 10


@given(factor=st.floats(0.5, 1.2))
def test_a_recording_told_again_agrees_with_itself(factor: float) -> None:
    for example in examples().values():
        again = retold(example, "right", factor).analysis
        assert again.rom is not None
        assert example.analysis.rom is not None
        assert again.rom.median_deg == pytest.approx(example.analysis.rom.median_deg * factor, abs=0.1)
        assert again.count + again.partial_count == len(again.repetitions)
        assert {each.side for each in again.repetitions} <= {"right", "both"}


def test_the_placeholder_is_a_video() -> None:
    assert sniff(placeholder_clip()[:4096]) is not None

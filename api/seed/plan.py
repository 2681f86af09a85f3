"""Who is in the demo clinic, as `data/clinic.yaml` declares it."""

import datetime as dt
from functools import cache
from pathlib import Path
from typing import Annotated

import msgspec
import yaml

from care.exercises import Language
from care.prescriptions import PrescriptionDraft, Side

DATA = Path(__file__).parent / "data"

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Pain = Annotated[int, msgspec.Meta(ge=0, le=10)]


class DemoOrganization(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str
    time_zone: str


class DemoLocation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    id: str
    name: str
    time_zone: str
    address: str


class DemoStaff(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    id: str
    name: str
    role: str
    at: str | None

    @property
    def email(self) -> str:
        return f"demo.{self.id}@example.com"


class Trajectory(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The share of prescribed doses that is done, in the first and in the last week."""

    first: Share
    last: Share


class PainCourse(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Usual pain (NPRS) at the beginning and at the end."""

    first: Pain
    last: Pain


class DemoProgram(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    title: str
    exercises: list[PrescriptionDraft]


class DemoPatient(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    given_name: str
    family_name: str
    birth_date: dt.date
    language: Language
    at: str
    therapist: str
    diagnosis: str
    diagnosis_codes: list[str]
    side: Side | None
    trajectory: str
    pain: PainCourse
    program: DemoProgram


class DemoClinic(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    as_of: dt.date
    organization: DemoOrganization
    locations: list[DemoLocation]
    staff: list[DemoStaff]
    trajectories: dict[str, Trajectory]
    patients: list[DemoPatient]


@cache
def demo_clinic() -> DemoClinic:
    """The declared clinic."""
    return msgspec.convert(yaml.safe_load((DATA / "clinic.yaml").read_text("utf-8")), DemoClinic)

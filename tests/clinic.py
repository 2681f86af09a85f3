"""A made-up practice with its people, as the rooms above identity need it in their tests."""

import datetime as dt
from dataclasses import dataclass, field

from care.episodes import NewEpisode, open_episode
from care.patients import NewPatient, PatientView, register_patient
from care.prescriptions import PrescriptionDraft
from care.programs import NewProgram, ProgramView, prescribe
from core.access import Access, Actor, Transaction
from core.database import Database
from identity.documents import Location, StaffMember, locations, staff

NEW_YORK = "America/New_York"
HONOLULU = "Pacific/Honolulu"


@dataclass
class Clock:
    """A clock that stands still until a test moves it."""

    now: dt.datetime = field(default_factory=lambda: dt.datetime(2026, 3, 4, 17, 0, tzinfo=dt.UTC))

    def __call__(self) -> dt.datetime:
        return self.now

    def forward(self, **amount: float) -> None:
        self.now += dt.timedelta(**amount)


@dataclass
class Clinic:
    """One organization: a main location in New York, a second one in Honolulu, a therapist, a front desk."""

    database: Database
    organization_id: str
    main: str = "loc_main"
    second: str = "loc_second"
    therapist_id: str = "stf_therapist"

    @property
    def system(self) -> Access:
        return self.database.as_system(self.organization_id, "test")

    @property
    def therapist(self) -> Access:
        """A therapist who works at all locations."""
        return self.staff()

    def staff(self, *roles: str, at: str | None = None, id: str | None = None) -> Access:  # noqa: A002 - the field's name
        return self.database.access(
            Actor(
                organization_id=self.organization_id,
                kind="staff",
                id=id or self.therapist_id,
                roles=frozenset(roles or ("therapist",)),
                location_ids=None if at is None else frozenset({at}),
            )
        )

    def patient(self, patient_id: str) -> Access:
        return self.database.access(Actor(self.organization_id, "patient", patient_id))

    async def open(self) -> None:
        """Make the locations and the therapist."""

        async def write(tx: Transaction) -> None:
            for location_id, zone in ((self.main, NEW_YORK), (self.second, HONOLULU)):
                place = Location(
                    id=location_id, organization_id=tx.organization_id, name=location_id, time_zone=zone
                )
                await locations.insert(tx, place)
            member = StaffMember(
                id=self.therapist_id,
                organization_id=tx.organization_id,
                name="Tess Therapist",
                email="tess@example.org",
                roles=["therapist"],
                location_ids=None,
            )
            await staff.insert(tx, member)

        await self.system.transact(write)

    async def new_patient(
        self,
        *,
        at: str | None = None,
        given_name: str = "Ada",
        family_name: str = "Muñoz",
        phone: str | None = None,
        email: str | None = None,
        language: str = "en",
    ) -> PatientView:
        new = NewPatient(
            location_id=at or self.main,
            given_name=given_name,
            family_name=family_name,
            birth_date=dt.date(1961, 5, 17),
            phone=phone,
            email=email,
            language="es" if language == "es" else "en",
        )
        return await register_patient(self.therapist, new)

    async def new_program(
        self,
        patient_id: str,
        *drafts: PrescriptionDraft,
        starts_on: dt.date = dt.date(2026, 3, 2),
        ends_on: dt.date | None = None,
    ) -> ProgramView:
        """A program for the patient: sit-to-stand once five times every day, unless drafts are given."""
        episode = await open_episode(
            self.therapist, patient_id, NewEpisode(diagnosis="Knee osteoarthritis", started_on=starts_on)
        )
        new = NewProgram(
            title="Stronger knees",
            starts_on=starts_on,
            ends_on=ends_on,
            prescriptions=list(drafts) or [daily()],
        )
        return await prescribe(self.therapist, episode.id, new)


def daily(
    exercise_id: str = "sit_to_stand", *, sets: int = 1, repetitions: int = 5, hold_s: float = 0
) -> PrescriptionDraft:
    return PrescriptionDraft(
        exercise_id=exercise_id, sets=sets, repetitions=repetitions, hold_s=hold_s, days_per_week=7
    )

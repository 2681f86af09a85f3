"""Setting up the demo clinic: every document through the use case that makes it, in the order of time.

The clock of the database is moved through the eight weeks, so that what was done then is recorded as done
then, by whoever did it; the audit log holds from the first entry to the last.
"""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from api.seed.history import WEEKS, ActiveDay, DoneDose, history_of
from api.seed.logins import DemoLogins, PatientLogin, StaffLogin
from api.seed.plan import DemoClinic, DemoPatient, DemoStaff
from api.seed.recordings import examples, placeholder_clip, retold
from care.documents import SessionVideo, exercise_sessions
from care.episodes import NewEpisode, open_episode
from care.evidence import Evidence, with_evidence
from care.patients import NewPatient, get_patient, register_patient
from care.programs import NewProgram, ProgramView, prescribe
from care.sessions import DoneSets, NewSession, SessionChanges, change_session, start_session
from core.access import Access, Actor, Transaction
from core.clock import utc_now
from core.platform import Platform
from engagement.documents import notifications
from engagement.notifications import NewDevice, deliver, register_device
from engagement.nudges import evaluate_day
from engagement.scoring import rescore
from identity.invitations import invite_patient
from identity.organizations import add_location, create_organization
from identity.staff import add_staff, set_password
from pose.documents import MovementAnalysis, movement_analyses

SEED = 20_261_123
_EVALUATED_AT = dt.time(9, 30)
_CONSONANTS, _VOWELS = "bdfghjklmnprstvz", "aeiou"


class MovableClock:
    """The clock of the database while its history is written."""

    def __init__(self) -> None:
        self.now: dt.datetime | None = None

    def __call__(self) -> dt.datetime:
        return self.now or utc_now()


@dataclass
class _Someone:
    """A demo patient as set up."""

    plan: DemoPatient
    id: str
    zone: ZoneInfo
    location_id: str
    access: Access
    therapist: Access
    program: ProgramView
    clip_id: str
    days: list[ActiveDay] = field(default_factory=list[ActiveDay])


class ClinicSeeder:
    """Writes one demo clinic into an empty database."""

    def __init__(self, platform: Platform, clock: MovableClock, clinic: DemoClinic, seed: int = SEED) -> None:
        self.platform = platform
        self.clock = clock
        self.clinic = clinic
        self.seed = seed
        self.until = utc_now()
        self.locations: dict[str, str] = {}
        self.zones: dict[str, ZoneInfo] = {place.id: ZoneInfo(place.time_zone) for place in clinic.locations}
        self.staff: dict[str, Access] = {}
        self.password = memorable_password()

    async def run(self, progress: Callable[[list[dt.date]], Iterable[dt.date]] = iter) -> DemoLogins:
        """Set the clinic up. `progress` sees the days go by."""
        first = self.until.date() - dt.timedelta(weeks=WEEKS)
        self.clock.now = dt.datetime.combine(first, dt.time(14), dt.UTC) - dt.timedelta(days=1)
        system = await create_organization(
            self.platform.database,
            name=self.clinic.organization.name,
            time_zone=self.clinic.organization.time_zone,
            demo=True,
        )
        for place in self.clinic.locations:
            added = await add_location(
                system, name=place.name, time_zone=place.time_zone, address=place.address
            )
            self.locations[place.id] = added.id
        logins = [await self._hire(system, member) for member in self.clinic.staff]
        people = [await self._admit(plan, first) for plan in self.clinic.patients]
        for date in progress([first + dt.timedelta(days=number) for number in range(WEEKS * 7)]):
            await self._live(system, people, date)
        self.clock.now = None
        for someone in people:
            await system.transact(lambda tx, each=someone: rescore(tx, each.program.id, since=first))
        return DemoLogins(
            organization_id=system.organization_id,
            patient_id=people[0].id,
            staff=logins,
            patient=await invitation_of(self.platform, system, people[0].id),
        )

    async def _hire(self, system: Access, member: DemoStaff) -> StaffLogin:
        at = None if member.at is None else [self.locations[member.at]]
        added = await add_staff(
            system, name=member.name, email=member.email, roles=[member.role], location_ids=at
        )
        await set_password(system, added.id, self.password)
        self.staff[member.id] = self.platform.database.access(
            Actor(
                organization_id=system.organization_id,
                kind="staff",
                id=added.id,
                roles=frozenset({member.role}),
                location_ids=None if at is None else frozenset(at),
            )
        )
        return StaffLogin(role=member.role, name=member.name, email=member.email, password=self.password)

    async def _admit(self, plan: DemoPatient, first: dt.date) -> _Someone:
        """Register the patient, open an episode, prescribe the program; they put the app on their phone."""
        therapist = self.staff[plan.therapist]
        new = NewPatient(
            location_id=self.locations[plan.at],
            given_name=plan.given_name,
            family_name=plan.family_name,
            birth_date=plan.birth_date,
            email=f"demo.{plan.given_name.lower()}@example.com",
            address="3 Demo Road, Demo Town",
            insurance_member_id=f"DEMO-{plan.given_name.upper()}",
            language=plan.language,
        )
        patient = await register_patient(self.staff["frontdesk"], new)
        episode = await open_episode(
            therapist,
            patient.id,
            NewEpisode(
                diagnosis=plan.diagnosis,
                diagnosis_codes=plan.diagnosis_codes,
                side=plan.side,
                started_on=first,
                therapist_id=therapist.actor.id,
            ),
        )
        program = await prescribe(
            therapist,
            episode.id,
            NewProgram(title=plan.program.title, starts_on=first, prescriptions=plan.program.exercises),
        )
        access = self.platform.database.access(Actor(therapist.organization_id, "patient", patient.id))
        await register_device(
            access, NewDevice(platform="web", name="Demo phone", target=f"demo:{patient.id}")
        )
        trajectory = self.clinic.trajectories[plan.trajectory]
        return _Someone(
            plan=plan,
            id=patient.id,
            zone=self.zones[plan.at],
            location_id=patient.location_id,
            access=access,
            therapist=therapist,
            program=program,
            clip_id=await self._keep_clip(access, patient.id, patient.location_id),
            days=history_of(plan, trajectory, first, WEEKS * 7, self.seed),
        )

    async def _keep_clip(self, access: Access, patient_id: str, location_id: str) -> str:
        storage = self.platform.storage
        object_id = await storage.write(
            access,
            placeholder_clip(),
            patient_id=patient_id,
            location_id=location_id,
            content_type="video/mp4",
        )
        await access.transact(lambda tx: storage.keep(tx, object_id))
        return object_id

    async def _live(self, system: Access, people: list[_Someone], date: dt.date) -> None:
        """One day of everybody: yesterday is looked back on, then today's exercises are done."""
        for someone in people:
            if date.weekday() == 0:
                self.clock.now = _instant(date, _EVALUATED_AT, someone.zone)
                await self._look_back(system, someone, date - dt.timedelta(days=1))
            for day in someone.days:
                begins = _instant(day.date, day.begins, someone.zone)
                if day.date == date and begins < self.until:
                    await self._exercise(someone, day, begins)

    async def _look_back(self, system: Access, someone: _Someone, date: dt.date) -> None:
        async def write(tx: Transaction) -> None:
            evaluation = await evaluate_day(tx, someone.id, date)
            if evaluation.nudge == "queued" and evaluation.notification_id is not None:
                notification = await notifications.get(tx, evaluation.notification_id)
                self.clock.now = max(tx.now(), notification.send_after)
                await deliver(tx, notification.id)

        if date >= someone.program.starts_on:
            await system.transact(write)

    async def _exercise(self, someone: _Someone, day: ActiveDay, begins: dt.datetime) -> None:
        """The day's exercises, in one transaction for each of those who tell about them."""
        for told, access in (("self_report", someone.access), ("clinician_observed", someone.therapist)):
            doses = [dose for dose in day.doses if dose.told == told]

            async def write(tx: Transaction, doses: list[DoneDose] = doses) -> None:
                for dose in doses:
                    self.clock.now = begins + dt.timedelta(minutes=6 * dose.exercise)
                    await self._record(tx, someone, dose)

            if doses:
                await access.transact(write)

    async def _record(self, tx: Transaction, someone: _Someone, dose: DoneDose) -> None:
        prescription = someone.program.prescriptions[dose.exercise]
        done = DoneSets(sets=dose.sets, repetitions=prescription.repetitions)
        session = await start_session(
            tx,
            NewSession(
                program_id=someone.program.id,
                prescription_id=prescription.id,
                evidence=dose.told,
                self_report=done if dose.told == "self_report" else None,
                observed=done if dose.told == "clinician_observed" else None,
                pain_before=dose.pain_before,
            ),
        )
        changes = SessionChanges(pain_after=dose.pain_after, exertion_after=dose.exertion_after)
        changed = await change_session(tx, session.id, changes, expected_version=session.version)
        if dose.filmed and prescription.exercise_id in examples():
            await self._film(tx, someone, changed.id, prescription.exercise_id)

    async def _film(self, tx: Transaction, someone: _Someone, session_id: str, exercise_id: str) -> None:
        """What an upload and its analysis would have left behind."""
        session = await exercise_sessions.get(tx, session_id)
        weeks = (session.local_date - someone.program.starts_on).days / 7
        example = retold(examples()[exercise_id], session.side, 0.85 + 0.02 * weeks)
        upload_id = f"demo-{session_id}"
        analysis = MovementAnalysis(
            id=movement_analyses.new_id(),
            organization_id=tx.organization_id,
            patient_id=someone.id,
            location_id=someone.location_id,
            created_at=tx.now(),
            updated_at=tx.now(),
            exercise_session_id=session_id,
            upload_id=upload_id,
            video_object_id=someone.clip_id,
            algorithm=example.analysis.algorithm,
            analysis=example.analysis,
            curve=example.curve,
        )
        await movement_analyses.insert(tx, analysis)
        rom = example.analysis.rom
        seen = Evidence(
            grade="video",
            source_id=analysis.id,
            at=tx.now(),
            repetitions=example.analysis.count,
            rom_deg=None if rom is None else rom.median_deg,
            quality=example.analysis.quality.score,
            algorithm=analysis.algorithm,
        )
        video = SessionVideo(
            upload_id=upload_id,
            object_id=someone.clip_id,
            state="analyzed",
            job_id="",
            analysis_id=analysis.id,
        )
        await exercise_sessions.update(
            tx, session_id, {"videos": [video], "evidence": with_evidence(session.evidence, seen)}
        )


async def invitation_of(platform: Platform, system: Access, patient_id: str) -> PatientLogin:
    """A new invitation for the demo patient, good for one device."""
    patient = await get_patient(system, patient_id)
    issued = await invite_patient(system, patient_id, public_url=platform.settings.external_url)
    return PatientLogin(
        name=f"{patient.given_name} {patient.family_name}", link=issued.link, code=issued.code
    )


def _instant(date: dt.date, time: dt.time, zone: ZoneInfo) -> dt.datetime:
    return dt.datetime.combine(date, time, zone).astimezone(dt.UTC)


def memorable_password() -> str:
    """A random password that can be read out and typed: four words of no language, 53 bits."""
    words = ("".join(secrets.choice(letters) for letters in (_CONSONANTS, _VOWELS) * 2) for _ in range(4))
    return "-".join(words)

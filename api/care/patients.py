"""Routes of patients, and of what is theirs."""

import datetime as dt
from typing import Annotated

from litestar import Controller, Response, get, patch, post
from litestar.params import FromPath, JSONBody, QueryParameter

from api.authorization import needs
from api.dependencies import Given
from api.etags import IfMatch, expected_version, tagged
from api.pagination import DEFAULT_LIMIT, Cursor, Limit
from care.episodes import EpisodeView, NewEpisode, list_episodes, open_episode
from care.patients import (
    NewPatient,
    PatientChanges,
    PatientView,
    change_patient,
    get_patient,
    list_patients,
    register_patient,
)
from care.programs import ProgramView, list_programs
from care.sessions import SessionView, list_sessions
from care.todays_plan import Today, todays_plan
from core.access import Access
from core.pages import Page
from identity.authority import Authority
from identity.invitations import IssuedInvitation, invite_patient
from identity.policy import Permission

_Search = Annotated[
    str | None,
    QueryParameter(
        max_length=200,
        description="A family name, birth date, telephone number or e-mail address, typed in full.",
    ),
]
_Day = Annotated[dt.date | None, QueryParameter(description="Another day than today (patient-local).")]


class PatientController(Controller):
    path = "/patients"
    tags = ("Patients",)

    @get("/", opt=needs(Permission.PATIENTS_LIST))
    async def list_patients(
        self,
        access: Given[Access],
        q: _Search = None,
        limit: Limit = DEFAULT_LIMIT,
        cursor: Cursor = None,
    ) -> Page[PatientView]:
        """List or find patients."""
        return await list_patients(access, text=q, limit=limit, cursor=cursor)

    @post("/", opt=needs(Permission.PATIENT_MANAGE))
    async def register_patient(
        self, access: Given[Access], data: JSONBody[NewPatient]
    ) -> Response[PatientView]:
        """Register a patient."""
        patient = await register_patient(access, data)
        return tagged(patient, patient.version, status_code=201)

    @get("/{patient_id:str}", opt=needs(Permission.PATIENT_READ))
    async def get_patient(self, access: Given[Access], patient_id: FromPath[str]) -> Response[PatientView]:
        """Get a patient's demographics."""
        patient = await get_patient(access, patient_id)
        return tagged(patient, patient.version)

    @patch("/{patient_id:str}", opt=needs(Permission.PATIENT_MANAGE))
    async def change_patient(
        self,
        access: Given[Access],
        patient_id: FromPath[str],
        data: JSONBody[PatientChanges],
        if_match: IfMatch = None,
    ) -> Response[PatientView]:
        """Correct a patient's demographics, or move the patient to another location."""
        patient = await change_patient(access, patient_id, data, expected_version=expected_version(if_match))
        return tagged(patient, patient.version)

    @post("/{patient_id:str}/invitation", opt=needs(Permission.PATIENT_MANAGE))
    async def invite_patient(
        self,
        authority: Given[Authority],
        access: Given[Access],
        patient_id: FromPath[str],
    ) -> IssuedInvitation:
        """Invite a patient to the app. Hand over the link and the code on separate channels."""
        patient = await get_patient(access, patient_id)
        return await invite_patient(access, patient.id, public_url=authority.public_url)

    @get("/{patient_id:str}/episodes", opt=needs(Permission.EPISODE_READ))
    async def list_episodes(
        self,
        access: Given[Access],
        patient_id: FromPath[str],
        limit: Limit = DEFAULT_LIMIT,
        cursor: Cursor = None,
    ) -> Page[EpisodeView]:
        """List a patient's episodes of care, the newest first."""
        return await list_episodes(access, patient_id, limit=limit, cursor=cursor)

    @post("/{patient_id:str}/episodes", opt=needs(Permission.EPISODE_MANAGE))
    async def open_episode(
        self, access: Given[Access], patient_id: FromPath[str], data: JSONBody[NewEpisode]
    ) -> Response[EpisodeView]:
        """Open an episode of care."""
        episode = await open_episode(access, patient_id, data)
        return tagged(episode, episode.version, status_code=201)

    @get("/{patient_id:str}/programs", opt=needs(Permission.PROGRAM_READ))
    async def list_programs(
        self,
        access: Given[Access],
        patient_id: FromPath[str],
        limit: Limit = DEFAULT_LIMIT,
        cursor: Cursor = None,
    ) -> Page[ProgramView]:
        """List a patient's home exercise programs, the newest first."""
        return await list_programs(access, patient_id, limit=limit, cursor=cursor)

    @get("/{patient_id:str}/today", opt=needs(Permission.PROGRAM_READ))
    async def get_today(self, access: Given[Access], patient_id: FromPath[str], date: _Day = None) -> Today:
        """Get the patient's day: what is prescribed, and how much of it is done."""
        return await todays_plan(access, patient_id, date=date)

    @get("/{patient_id:str}/exercise-sessions", opt=needs(Permission.SESSION_READ))
    async def list_sessions(
        self,
        access: Given[Access],
        patient_id: FromPath[str],
        limit: Limit = DEFAULT_LIMIT,
        cursor: Cursor = None,
    ) -> Page[SessionView]:
        """List a patient's exercise sessions, the latest first."""
        return await list_sessions(access, patient_id, limit=limit, cursor=cursor)

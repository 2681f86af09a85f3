"""Who may do what: a table from roles to permissions, and the one function that enforces it.

A role answers *what kind of thing* a person may do; *whose* data they reach is narrowed further by the
repository (a patient: their own; staff: the locations they work at). A person may hold several roles and then
has the sum.

The table follows the minimum-necessary standard of the HIPAA privacy rule, 45 CFR 164.502(b) and
164.514(d)(2): each role gets what its work needs, and no role of a person is granted everything.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from core.access import Actor
from core.errors import Forbidden


class Role(StrEnum):
    """What a person is to the organization. `PATIENT` and `SYSTEM` are never given to staff."""

    THERAPIST = "therapist"
    ASSISTANT = "assistant"
    FRONT_DESK = "front_desk"
    BILLER = "biller"
    MANAGER = "manager"
    ADMINISTRATOR = "administrator"
    PATIENT = "patient"
    SYSTEM = "system"


STAFF_ROLES = frozenset(Role) - {Role.PATIENT, Role.SYSTEM}
"""The roles that can be given to a member of staff."""


class Permission(StrEnum):
    """One kind of thing a person can be allowed to do. Every route of the API declares exactly one."""

    PUBLIC = "public"
    """Reachable without signing in."""

    CREDENTIALS_MANAGE = "credentials:manage"
    """One's own sign-in: second factor, passkeys, sign-out. All that an unfinished enrolment may do."""
    PROFILE_READ = "profile:read"
    """Who am I."""

    ORGANIZATION_READ = "organization:read"
    ORGANIZATION_MANAGE = "organization:manage"
    STAFF_READ = "staff:read"
    STAFF_MANAGE = "staff:manage"

    EMERGENCY_ACCESS_USE = "emergency_access:use"
    EMERGENCY_ACCESS_REVIEW = "emergency_access:review"
    AUDIT_READ = "audit:read"
    """The audit log and its verification. Entries name documents and people by id, never by content."""

    PATIENTS_LIST = "patients:list"
    """Search and page through patients."""
    PATIENT_READ = "patient:read"
    """One patient's demographics."""
    PATIENT_MANAGE = "patient:manage"
    """Register a patient, correct demographics, hand out an invitation."""
    EPISODE_READ = "episode:read"
    """Episodes of care: diagnosis, dates, referring clinician."""
    EPISODE_MANAGE = "episode:manage"

    EXERCISES_READ = "exercises:read"
    """The exercise library, which holds no personal data."""
    PROGRAM_READ = "program:read"
    """Home exercise programs and the day's prescriptions."""
    PROGRAM_PRESCRIBE = "program:prescribe"
    SESSION_READ = "session:read"
    """Exercise sessions with pain, exertion, notes and the movement analysis."""
    SESSION_RECORD = "session:record"
    """Record that exercises were done."""
    VIDEO_UPLOAD = "video:upload"
    VIDEO_WATCH = "video:watch"
    """The pictures themselves: the most intimate data here."""
    COMPLIANCE_READ = "compliance:read"
    """The evidence summary: prescribed against done, by day, week and program."""

    JOB_FOLLOW = "job:follow"
    """Watch one job that works on data one may see."""
    JOBS_OPERATE = "jobs:operate"
    """List all jobs of the organization, retry failed ones."""

    NOTIFICATION_READ = "notification:read"
    """Messages to one patient."""
    NOTIFICATIONS_LIST = "notifications:list"
    """Messages to all patients one may reach."""
    DEVICE_REGISTER = "device:register"
    """Register one's own device for notifications."""


_P = Permission

_SIGNED_IN = frozenset({_P.CREDENTIALS_MANAGE, _P.PROFILE_READ})

_STAFF = _SIGNED_IN | {_P.ORGANIZATION_READ, _P.STAFF_READ, _P.DEVICE_REGISTER}

# Who treats: the whole course of care, because all of it bears on the next clinical decision.
_TREATING = _STAFF | {
    _P.PATIENTS_LIST,
    _P.PATIENT_READ,
    _P.EPISODE_READ,
    _P.EXERCISES_READ,
    _P.PROGRAM_READ,
    _P.SESSION_READ,
    _P.SESSION_RECORD,
    _P.VIDEO_UPLOAD,
    _P.VIDEO_WATCH,
    _P.COMPLIANCE_READ,
    _P.JOB_FOLLOW,
    _P.NOTIFICATION_READ,
    _P.NOTIFICATIONS_LIST,
    _P.EMERGENCY_ACCESS_USE,
}

_TABLE: dict[Role, frozenset[Permission]] = {
    # Evaluates, sets the plan of care and prescribes.
    Role.THERAPIST: _TREATING | {_P.PATIENT_MANAGE, _P.EPISODE_MANAGE, _P.PROGRAM_PRESCRIBE},
    # Carries out the plan under a therapist's direction: sees all of it, sets none of it. Evaluation and
    # clinical decisions stay with the therapist (Medicare Benefit Policy Manual, ch. 15, section 230.1 C).
    Role.ASSISTANT: _TREATING,
    # Registers patients and books them: demographics, no diagnosis, no exercise data, no pictures.
    Role.FRONT_DESK: _STAFF | {_P.PATIENTS_LIST, _P.PATIENT_READ, _P.PATIENT_MANAGE},
    # Needs what a claim states (who, which diagnosis, which days of evidence), not how the patient moved
    # or felt.
    Role.BILLER: _STAFF | {_P.PATIENTS_LIST, _P.PATIENT_READ, _P.EPISODE_READ, _P.COMPLIANCE_READ},
    # Runs a location: follows adherence and messages, reviews emergency access and the audit log.
    # Clinical detail only with a treating role besides.
    Role.MANAGER: _STAFF
    | {
        _P.PATIENTS_LIST,
        _P.PATIENT_READ,
        _P.PATIENT_MANAGE,
        _P.EXERCISES_READ,
        _P.COMPLIANCE_READ,
        _P.NOTIFICATION_READ,
        _P.NOTIFICATIONS_LIST,
        _P.EMERGENCY_ACCESS_REVIEW,
        _P.AUDIT_READ,
    },
    # Runs the system: settings, accounts and jobs. Administers who may see patients without seeing them.
    Role.ADMINISTRATOR: _STAFF
    | {
        _P.ORGANIZATION_MANAGE,
        _P.STAFF_MANAGE,
        _P.EXERCISES_READ,
        _P.JOB_FOLLOW,
        _P.JOBS_OPERATE,
        _P.EMERGENCY_ACCESS_REVIEW,
        _P.AUDIT_READ,
    },
    # Their own data only, which the repository sees to; everything the clinic knows from the home exercises.
    Role.PATIENT: _SIGNED_IN
    | {
        _P.PATIENT_READ,
        _P.EPISODE_READ,
        _P.EXERCISES_READ,
        _P.PROGRAM_READ,
        _P.SESSION_READ,
        _P.SESSION_RECORD,
        _P.VIDEO_UPLOAD,
        _P.VIDEO_WATCH,
        _P.COMPLIANCE_READ,
        _P.JOB_FOLLOW,
        _P.NOTIFICATION_READ,
        _P.DEVICE_REGISTER,
    },
    # Jobs and the command line act with it; it never arrives over HTTP.
    Role.SYSTEM: frozenset(Permission) - {_P.PUBLIC},
}

ROLE_PERMISSIONS: Mapping[Role, frozenset[Permission]] = MappingProxyType(_TABLE)
"""The whole policy, read-only."""

ENROLMENT_PERMISSIONS = _SIGNED_IN
"""What a person may do who has a password but not yet the second factor their organization requires."""

EMERGENCY_PERMISSIONS = frozenset(
    {
        _P.PROFILE_READ,
        _P.PATIENT_READ,
        _P.EPISODE_READ,
        _P.EXERCISES_READ,
        _P.PROGRAM_READ,
        _P.SESSION_READ,
        _P.COMPLIANCE_READ,
    }
)
"""What emergency access opens, of what the person's roles allow: reading one patient's clinical record.

No writing and no pictures: neither helps in an emergency.
"""


def permissions_of(actor: Actor) -> frozenset[Permission]:
    """Everything `actor` may do: the sum over their roles. A role that is not in the table grants nothing."""
    match actor.kind:
        case "patient":
            return ROLE_PERMISSIONS[Role.PATIENT]
        case "system":
            return ROLE_PERMISSIONS[Role.SYSTEM]
        case "staff":
            granted: frozenset[Permission] = frozenset()
            for role in STAFF_ROLES:
                if role.value in actor.roles:
                    granted |= ROLE_PERMISSIONS[role]
            return granted


def allows(actor: Actor, permission: Permission) -> bool:
    return permission is Permission.PUBLIC or permission in permissions_of(actor)


def require(actor: Actor, permission: Permission) -> None:
    """Raise `Forbidden` unless one of the actor's roles has `permission`."""
    if not allows(actor, permission):
        raise Forbidden("Your role does not allow this.")

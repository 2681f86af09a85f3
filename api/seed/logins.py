"""How to get into the demo clinic: made anew for each installation, kept beside its data for its owner alone.

Passwords that stand in public source code would open every demo that somebody puts on the network.
"""

from pathlib import Path

import msgspec

from core.settings import Settings


class StaffLogin(msgspec.Struct, frozen=True):
    """One colleague of the demo clinic."""

    role: str
    name: str
    email: str
    password: str


class PatientLogin(msgspec.Struct, frozen=True):
    """The invitation of one demo patient. It lets one device in, once."""

    name: str
    link: str
    code: str


class DemoLogins(msgspec.Struct, frozen=True):
    """Everybody who can sign in to the demo clinic."""

    organization_id: str
    patient_id: str
    """Whose invitation is renewed at every start."""
    staff: list[StaffLogin]
    patient: PatientLogin


def read_logins(settings: Settings) -> DemoLogins | None:
    """The logins of this installation's demo clinic; None if it has none."""
    try:
        return msgspec.json.decode(_path(settings).read_bytes(), type=DemoLogins)
    except FileNotFoundError:
        return None


def keep_logins(settings: Settings, logins: DemoLogins) -> None:
    """Keep the logins where only the owner of the data folder can read them."""
    path = _path(settings)
    unfinished = path.with_suffix(".part")
    unfinished.touch(mode=0o600)
    unfinished.write_bytes(msgspec.json.format(msgspec.json.encode(logins)))
    unfinished.replace(path)


def described(logins: DemoLogins) -> list[str]:
    """The logins as lines for a person to read."""
    widths = [max(len(getattr(login, field)) for login in logins.staff) for field in ("role", "email")]
    return [
        "",
        "Demo clinic (made-up people):",
        *(f"  {each.role:<{widths[0]}}  {each.email:<{widths[1]}}  {each.password}" for each in logins.staff),
        f"  patient {logins.patient.name}: open {logins.patient.link}",
        f"  {'':<{len('patient ') + len(logins.patient.name)}}  and type the code {logins.patient.code}",
    ]


def _path(settings: Settings) -> Path:
    return settings.data / "demo-logins.json"

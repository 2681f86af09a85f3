"""Codes that prove possession of a phone or of a sheet of paper: TOTP (RFC 6238) and recovery codes."""

import base64
import secrets

from pyotp import random_base32
from pyotp.totp import TOTP

from core.clock import Clock
from identity.tokens import digest

_ISSUER = "Homestretch"
_STEPS_AROUND = 1
_RECOVERY_CODES = 10
_RECOVERY_BYTES = 10


def new_totp_secret() -> str:
    """160 random bits in base32, as authenticator apps take them."""
    return random_base32()


def otpauth_uri(secret: str, account_name: str) -> str:
    """What an authenticator app reads from a QR code."""
    return TOTP(secret).provisioning_uri(name=account_name, issuer_name=_ISSUER)


def totp_step(secret: str, code: str, clock: Clock, last_step: int) -> int | None:
    """The 30-second step that `code` belongs to, None if it is wrong or not newer than `last_step`.

    A clock that is half a minute off is forgiven. Keep the step: RFC 6238, section 5.2, forbids using a code
    twice.
    """
    given = code.replace(" ", "")
    totp = TOTP(secret)
    now = totp.timecode(clock())
    for step in range(now - _STEPS_AROUND, now + _STEPS_AROUND + 1):
        if secrets.compare_digest(totp.generate_otp(step).encode(), given.encode()) and step > last_step:
            return step
    return None


def new_recovery_codes() -> list[str]:
    """Ten codes of 80 random bits, in groups that can be copied by hand."""
    codes = [
        base64.b32encode(secrets.token_bytes(_RECOVERY_BYTES)).decode().lower()
        for _ in range(_RECOVERY_CODES)
    ]
    return ["-".join(code[start : start + 4] for start in range(0, len(code), 4)) for code in codes]


def recovery_digest(account_id: str, code: str) -> str:
    """What is stored of a recovery code. Spaces, dashes and capitals do not matter."""
    return digest(account_id, "".join(code.split()).replace("-", "").lower())

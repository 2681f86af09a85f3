"""The shapes of tokens: how each is made and read. Whether one is still good is for sessions to say.

- Access token: a JWT (RFC 9068 profile, HMAC-SHA-256) that names a session; lives ten minutes.
- Refresh token: `hsr_<organization>.<session>.<generation>.<secret>`; the secret is derived from the
  session's seed and the generation, so that a refresh whose answer was lost can be answered again with the
  same token, and a token of an older generation is recognised as genuine but used twice.
- Challenge: a signed statement of how far a sign-in has come, good for five minutes and, by its id, once.
"""

import base64
import hashlib
import hmac
import re
import secrets
from datetime import datetime
from typing import Any, Literal, TypeVar

import msgspec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from core.errors import Unauthenticated

ACCESS_TOKEN_S = 600
CHALLENGE_S = 300

_ISSUER = "homestretch"
_ALGORITHMS = ["HS256"]

SubjectKind = Literal["staff", "patient"]
Purpose = Literal["second_factor", "passkey_registration", "passkey_sign_in"]


class InvalidToken(Unauthenticated):
    """The token is malformed, forged, expired or revoked; which of them is not said."""

    code = "invalid-token"

    def __init__(self) -> None:
        super().__init__("The token is not valid or no longer valid. Sign in again.")


class AccessClaims(msgspec.Struct, frozen=True, kw_only=True):
    """What an access token says. `expires_at` is in Unix seconds."""

    organization_id: str = msgspec.field(name="org")
    session_id: str = msgspec.field(name="sid")
    subject_id: str = msgspec.field(name="sub")
    expires_at: int = msgspec.field(name="exp")
    emergency_access_id: str | None = msgspec.field(name="emg", default=None)


class ChallengeClaims(msgspec.Struct, frozen=True, kw_only=True):
    """What a challenge says. `account_id` is absent while a passkey has yet to tell who is signing in."""

    id: str = msgspec.field(name="jti")
    purpose: Purpose = msgspec.field(name="pur")
    expires_at: int = msgspec.field(name="exp")
    organization_id: str | None = msgspec.field(name="org", default=None)
    account_id: str | None = msgspec.field(name="sub", default=None)


Claims = TypeVar("Claims", AccessClaims, ChallengeClaims)


class TokenSigner:
    """Signs and reads the tokens of one purpose with one 32-byte key."""

    def __init__(self, key: bytes, typ: str) -> None:
        self._key = OctKey.import_key(key)
        self._typ = typ

    def sign(self, claims: msgspec.Struct, issued_at: datetime) -> str:
        payload: dict[str, Any] = {
            "iss": _ISSUER,
            "iat": int(issued_at.timestamp()),
            **{name: value for name, value in msgspec.to_builtins(claims).items() if value is not None},
        }
        return jwt.encode({"alg": "HS256", "typ": self._typ}, payload, self._key, algorithms=_ALGORITHMS)

    def read(self, token: str, shape: type[Claims], now: datetime) -> Claims:
        """The claims, or `InvalidToken`."""
        try:
            decoded = jwt.decode(token, self._key, algorithms=_ALGORITHMS)
            claims = msgspec.convert(decoded.claims, shape)
        except (JoseError, ValueError, msgspec.ValidationError) as error:
            raise InvalidToken from error
        genuine = decoded.header.get("typ") == self._typ and decoded.claims.get("iss") == _ISSUER
        if not genuine or claims.expires_at <= now.timestamp():
            raise InvalidToken
        return claims


class RefreshToken(msgspec.Struct, frozen=True):
    """A refresh token taken apart."""

    organization_id: str
    session_id: str
    generation: int
    secret: str

    def __str__(self) -> str:
        return f"hsr_{self.organization_id}.{self.session_id}.{self.generation}.{self.secret}"

    @classmethod
    def parse(cls, text: str) -> "RefreshToken":
        """Take a token apart; `InvalidToken` if it has not the shape of one."""
        match = _REFRESH.fullmatch(text)
        if match is None:
            raise InvalidToken
        return cls(match["organization"], match["session"], int(match["generation"]), match["secret"])


_REFRESH = re.compile(
    r"hsr_(?P<organization>org_[0-9a-z]{1,40})\.(?P<session>ses_[0-9a-z]{1,40})"
    r"\.(?P<generation>[0-9]{1,9})\.(?P<secret>[A-Za-z0-9_-]{43})"
)


def new_secret() -> str:
    """256 random bits, base64url: 43 characters."""
    return secrets.token_urlsafe(32)


def refresh_secret(seed: str, session_id: str, generation: int) -> str:
    """The secret of one generation of a session's refresh token."""
    message = f"refresh:{session_id}:{generation}".encode()
    return base64.urlsafe_b64encode(hmac.digest(seed.encode(), message, hashlib.sha256)).decode().rstrip("=")


def equal(one: str, other: str) -> bool:
    """Whether two secrets are the same, in time that does not depend on where they differ."""
    return hmac.compare_digest(one.encode(), other.encode())


def digest(*parts: str) -> str:
    """SHA-256 of a high-entropy secret, for storing; guessable secrets need a password hash instead."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()

"""Challenges: proof that a sign-in has come so far, good for five minutes and once.

A challenge is a signed token and costs no storage until it is spent, so that nobody fills the database with
sign-ins that go nowhere. Spending stores its id, which cannot be stored twice. What an authenticator signs
(WebAuthn's challenge) is this token, byte for byte.
"""

import base64
import binascii
import secrets
from datetime import UTC, datetime, timedelta

import msgspec

from core.access import Transaction
from core.errors import Conflict
from identity.authority import Authority
from identity.documents import Account, SpentChallenge, spent_challenges
from identity.tokens import CHALLENGE_S, ChallengeClaims, InvalidToken, Purpose


def issue_challenge(authority: Authority, purpose: Purpose, account: Account | None = None) -> str:
    """A new challenge; without an account for whoever will answer it."""
    now = authority.database.clock()
    claims = ChallengeClaims(
        id=secrets.token_urlsafe(16),
        purpose=purpose,
        expires_at=int((now + timedelta(seconds=CHALLENGE_S)).timestamp()),
        organization_id=None if account is None else account.organization_id,
        account_id=None if account is None else account.id,
    )
    return authority.challenges.sign(claims, now)


def read_challenge(authority: Authority, challenge: str, *purposes: Purpose) -> ChallengeClaims:
    """What a challenge says; `InvalidToken` if it is not ours, has expired or was made for something else."""
    claims = authority.challenges.read(challenge, ChallengeClaims, authority.database.clock())
    if claims.purpose not in purposes:
        raise InvalidToken
    return claims


async def spend_challenge(tx: Transaction, claims: ChallengeClaims) -> None:
    """Mark the challenge as used, with the rest of `tx`; `InvalidToken` if it has been used before."""
    expires_at = datetime.fromtimestamp(claims.expires_at, UTC)
    spent = SpentChallenge(
        id=f"{SpentChallenge.id_prefix}_{claims.id}",
        organization_id=tx.organization_id,
        expires_at=expires_at,
    )
    try:
        await spent_challenges.insert(tx, spent)
    except Conflict as error:
        raise InvalidToken from error


class _ClientData(msgspec.Struct):
    challenge: str


def challenge_in(client_data_json: object) -> str:
    """The challenge inside WebAuthn's base64url `clientDataJSON`; `InvalidToken` if there is none."""
    try:
        if not isinstance(client_data_json, str):
            raise TypeError("clientDataJSON is text")  # noqa: TRY301 - one handler for every fault
        return _decode(msgspec.json.decode(_decode(client_data_json), type=_ClientData).challenge).decode()
    except (binascii.Error, TypeError, ValueError, msgspec.MsgspecError) as error:
        raise InvalidToken from error


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))

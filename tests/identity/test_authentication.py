"""Access tokens on every request: cheap to check, and soon wrong when something was taken away."""

import asyncio
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from core.access import Transaction
from core.errors import TooManyRequests
from core.master_key import MasterKey
from core.settings import Settings
from identity import authentication
from identity.authentication import SESSION_CHECK_S, Authenticator
from identity.authority import Authority
from identity.documents import staff
from identity.sessions import sign_out_everywhere
from identity.sign_in import WrongCredentials
from identity.staff import StaffChanges, change_staff
from identity.tokens import AccessClaims, ChallengeClaims, InvalidToken, TokenSigner
from tests.clinic import Clock
from tests.identity.practice import Practice


class Elsewhere:
    """Another process, as far as caches go: its own authenticator, and its own count of seconds."""

    def __init__(self, authority: Authority) -> None:
        self.seconds = 0.0
        self.callers = Authenticator(
            authority.database, authority.access_tokens, monotonic=lambda: self.seconds
        )


async def test_another_process_notices_a_sign_out_within_five_seconds(practice: Practice) -> None:
    await practice.hire()
    admission = await practice.sign_in()
    token = admission.tokens.access_token
    elsewhere = Elsewhere(practice.authority)
    await elsewhere.callers.caller(token)
    await sign_out_everywhere(practice.authority, await practice.access_of(admission))
    elsewhere.seconds = SESSION_CHECK_S
    with pytest.raises(InvalidToken):
        await elsewhere.callers.caller(token)
    assert SESSION_CHECK_S <= 5


async def test_roles_and_locations_are_those_of_now_not_of_the_sign_in(practice: Practice) -> None:
    member = await practice.hire(roles=("therapist", "biller"))
    token = (await practice.sign_in()).tokens.access_token
    elsewhere = Elsewhere(practice.authority)
    await elsewhere.callers.caller(token)
    changes = StaffChanges(roles=["biller"], location_ids=[practice.south.id])
    await change_staff(practice.authority, practice.access, member.id, changes)
    for callers in (practice.authority.callers, elsewhere.callers):
        elsewhere.seconds += SESSION_CHECK_S
        actor = (await callers.caller(token)).actor
        assert actor.roles == {"biller"}
        assert actor.location_ids == {practice.south.id}


async def test_who_is_let_go_is_out_at_once(practice: Practice) -> None:
    member = await practice.hire()
    token = (await practice.sign_in()).tokens.access_token
    await practice.authority.callers.caller(token)
    await change_staff(practice.authority, practice.access, member.id, StaffChanges(active=False))
    with pytest.raises(InvalidToken):
        await practice.authority.callers.caller(token)


async def test_between_looks_neither_signature_nor_database_are_asked(
    practice: Practice, monkeypatch: pytest.MonkeyPatch
) -> None:
    await practice.hire()
    token = (await practice.sign_in()).tokens.access_token
    elsewhere = Elsewhere(practice.authority)
    first = await elsewhere.callers.caller(token)

    def refuse(*_: object, **__: object) -> Any:  # noqa: ANN401 - stands in for whatever must not be called
        raise AssertionError("this costs time on every request")

    monkeypatch.setattr(TokenSigner, "read", refuse)
    monkeypatch.setattr(authentication.sign_in_sessions, "find_one", refuse)
    assert await elsewhere.callers.caller(token) is first


async def test_what_was_read_before_a_sign_out_is_not_remembered_after_it(
    practice: Practice, monkeypatch: pytest.MonkeyPatch
) -> None:
    await practice.hire()
    admission = await practice.sign_in()
    access = await practice.access_of(admission)
    callers = Authenticator(practice.authority.database, practice.authority.access_tokens)
    authority = replace(practice.authority, callers=callers)
    look = callers._look  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - where the race is

    async def slow_look(claims: AccessClaims) -> Any:  # noqa: ANN401 - passed through
        standing = await look(claims)
        await sign_out_everywhere(authority, access)
        return standing

    monkeypatch.setattr(callers, "_look", slow_look)
    await callers.caller(admission.tokens.access_token)
    monkeypatch.setattr(callers, "_look", look)
    with pytest.raises(InvalidToken):
        await callers.caller(admission.tokens.access_token)


async def test_forged_foreign_and_expired_tokens_are_refused(practice: Practice, clock: Clock) -> None:
    await practice.hire()
    admission = await practice.sign_in()
    token = admission.tokens.access_token
    header, payload, signature = token.split(".")
    claims = AccessClaims(
        organization_id=admission.session.organization_id,
        session_id=admission.session.id,
        subject_id="stf_somebodyelse",
        expires_at=int(clock().timestamp()) + 60,
    )
    forged = [
        "",
        "x.y.z",
        f"{header}.{payload}.",
        f"{header}.{payload}.{signature[:-4]}AAAA",
        f"eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0.{payload}.",
        TokenSigner(b"another key of thirty-two bytes!", "at+jwt").sign(claims, clock()),
        practice.authority.access_tokens.sign(claims, clock()),  # a session of somebody else
        practice.authority.access_tokens.sign(msgspec.structs.replace(claims, session_id="ses_0"), clock()),
        practice.authority.access_tokens.sign(
            msgspec.structs.replace(claims, organization_id="org_0"), clock()
        ),
    ]
    for bad in forged:
        with pytest.raises(InvalidToken):
            await practice.authority.callers.caller(bad)
    assert await practice.authority.callers.caller(token)
    clock.forward(minutes=10)
    with pytest.raises(InvalidToken):
        await practice.authority.callers.caller(token)


def test_a_token_of_one_purpose_is_not_read_for_another(clock: Clock) -> None:
    key = b"the very same thirty-two bytes!!"
    claims = ChallengeClaims(id="1", purpose="second_factor", expires_at=int(clock().timestamp()) + 60)
    token = TokenSigner(key, "challenge+jwt").sign(claims, clock())
    with pytest.raises(InvalidToken):
        TokenSigner(key, "at+jwt").read(token, ChallengeClaims, clock())


async def test_what_another_process_does_holds_here(
    practice: Practice, settings: Settings, master_key: MasterKey, tmp_path: Path
) -> None:
    await practice.hire()
    await practice.hire("otto@larkspur.example")
    token = (await practice.sign_in()).tokens.access_token
    moments = Elsewhere(practice.authority)
    await moments.callers.caller(token)
    master_key.write(tmp_path / "master.key")
    environment = {
        **os.environ,
        "HOMESTRETCH_DATA": str(tmp_path),
        "HOMESTRETCH_MONGODB_URI": settings.mongodb_uri.reveal() if settings.mongodb_uri else "",
        "HOMESTRETCH_MONGODB_DATABASE": settings.mongodb_database,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.identity.other_process", token, env=environment
    )
    assert await process.wait() == 0
    moments.seconds += SESSION_CHECK_S
    with pytest.raises(InvalidToken):  # it signed the therapist out everywhere
        await moments.callers.caller(token)
    with pytest.raises(WrongCredentials):  # it guessed nine times at Otto's password
        await practice.attempt("otto@larkspur.example", "the tenth wrong one")
    with pytest.raises(TooManyRequests):
        await practice.attempt("otto@larkspur.example")


async def test_a_session_opened_while_somebody_was_being_let_go_is_worth_nothing(
    practice: Practice,
) -> None:
    member = await practice.hire()
    token = (await practice.sign_in()).tokens.access_token

    async def let_go(tx: Transaction) -> None:  # as if the sign-in had come in between
        await staff.update(tx, member.id, {"active": False})

    await practice.access.transact(let_go)
    with pytest.raises(InvalidToken):
        await practice.authority.callers.caller(token)

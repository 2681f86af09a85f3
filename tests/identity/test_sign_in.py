"""Signing in with e-mail and password, and what a stranger learns from trying: nothing."""

import asyncio

import pytest

from core.errors import TooManyRequests
from identity import sign_in as sign_in_module
from identity.authority import Authority
from identity.organizations import create_organization
from identity.sessions import Admission
from identity.sign_in import WrongCredentials, sign_in
from identity.staff import StaffChanges, add_staff, change_staff, set_password
from tests.identity.practice import NOWHERE, PASSWORD, Practice


async def test_a_therapist_signs_in_and_is_recognised_by_the_token(practice: Practice) -> None:
    member = await practice.hire(roles=("therapist", "manager"), location_ids=[practice.north.id])
    admission = await practice.sign_in()
    caller = await practice.authority.callers.caller(admission.tokens.access_token)
    assert caller.actor.id == member.id
    assert caller.actor.roles == {"therapist", "manager"}
    assert caller.actor.location_ids == {practice.north.id}
    assert caller.actor.organization_id == practice.access.organization_id
    assert admission.tokens.expires_in_s == 600


async def test_case_and_blanks_in_the_address_do_not_matter(practice: Practice) -> None:
    await practice.hire("Tess@Larkspur.example")
    assert await practice.sign_in(" TESS@larkspur.EXAMPLE ")


@pytest.mark.parametrize(
    ("email", "password"),
    [("tess@larkspur.example", "walnut ferry cactus lamb"), ("nobody@larkspur.example", PASSWORD)],
)
async def test_every_refusal_reads_the_same(practice: Practice, email: str, password: str) -> None:
    await practice.hire()
    with pytest.raises(WrongCredentials) as refusal:
        await practice.attempt(email, password)
    assert refusal.value.detail == "The e-mail address or the password is wrong."
    assert refusal.value.code == "wrong-credentials"


async def test_an_unknown_address_costs_the_same_work_as_a_wrong_password(
    practice: Practice, monkeypatch: pytest.MonkeyPatch
) -> None:
    await practice.hire()
    gone = await practice.hire("gone@larkspur.example")
    await change_staff(practice.authority, practice.access, gone.id, StaffChanges(active=False))
    work: list[str] = []
    verify_password, load = sign_in_module.verify_password, sign_in_module._load  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - the work that is compared

    async def counted_verify(password: str, stored: str | None) -> bool:
        work.append("hash")
        return await verify_password(password, stored)

    async def counted_load(*arguments: object) -> object:
        work.append("look up")
        return await load(*arguments)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] - passed through

    monkeypatch.setattr(sign_in_module, "verify_password", counted_verify)
    monkeypatch.setattr(sign_in_module, "_load", counted_load)
    costs: dict[str, list[str]] = {}
    for email in ("tess@larkspur.example", "nobody@larkspur.example", "gone@larkspur.example"):
        work.clear()
        with pytest.raises(WrongCredentials):
            await practice.attempt(email, "not the password at all")
        costs[email] = list(work)
    assert set(map(tuple, costs.values())) == {("look up", "hash")}


async def test_somebody_who_left_does_not_get_in(practice: Practice) -> None:
    member = await practice.hire()
    await change_staff(practice.authority, practice.access, member.id, StaffChanges(active=False))
    with pytest.raises(WrongCredentials):
        await practice.attempt()


async def test_after_ten_wrong_passwords_even_the_right_one_has_to_wait(practice: Practice) -> None:
    await practice.hire()
    for number in range(10):
        with pytest.raises(WrongCredentials):
            await practice.attempt(password=f"wrong password {number}", client_address=f"192.0.2.{number}")
    with pytest.raises(TooManyRequests) as refusal:
        await practice.attempt(client_address="198.51.100.7")
    assert 0 < refusal.value.retry_after_s <= 360


async def test_guessing_at_an_address_that_nobody_has_is_locked_just_the_same(practice: Practice) -> None:
    for number in range(10):
        with pytest.raises(WrongCredentials):
            await practice.attempt("nobody@larkspur.example", f"wrong password {number}")
    with pytest.raises(TooManyRequests):
        await practice.attempt("nobody@larkspur.example")


async def test_many_guesses_at_the_same_moment_are_no_way_around_the_lock(practice: Practice) -> None:
    await practice.hire()
    outcomes = await asyncio.gather(
        *(practice.attempt(password=f"wrong password {number}") for number in range(14)),
        return_exceptions=True,
    )
    assert sum(isinstance(outcome, WrongCredentials) for outcome in outcomes) == 10
    assert sum(isinstance(outcome, TooManyRequests) for outcome in outcomes) == 4


async def test_the_right_password_makes_earlier_slips_forgotten(practice: Practice) -> None:
    await practice.hire()
    for _ in range(3):
        for number in range(4):
            with pytest.raises(WrongCredentials):
                await practice.attempt(password=f"wrong password {number}")
        await practice.sign_in()


async def test_one_client_cannot_try_one_password_on_everybody(
    practice: Practice, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def wrong(_password: str, _stored: str | None) -> bool:
        return False

    monkeypatch.setattr(sign_in_module, "verify_password", wrong)  # two hundred hashes would take a while
    for number in range(200):
        with pytest.raises(WrongCredentials):
            await practice.attempt(f"person{number}@larkspur.example")
    with pytest.raises(TooManyRequests):
        await practice.attempt("person200@larkspur.example")
    with pytest.raises(WrongCredentials):
        await practice.attempt("person200@larkspur.example", client_address="198.51.100.7")


async def test_who_works_for_two_organizations_says_which(authority: Authority, practice: Practice) -> None:
    await practice.hire()
    other = await create_organization(authority.database, name="Elsewhere", time_zone="Europe/Berlin")
    there = await add_staff(
        other, name="Tess Trainor", email="tess@larkspur.example", roles=["biller"], location_ids=None
    )
    await set_password(other, there.id, "paper lantern gutter seven")
    # Different passwords tell by themselves which organization is meant.
    admission = await practice.attempt(password="paper lantern gutter seven")
    assert isinstance(admission, Admission)
    assert admission.actor.id == there.id
    named = await sign_in(
        authority,
        email="tess@larkspur.example",
        password=PASSWORD,
        device=NOWHERE,
        client_address="192.0.2.1",
        organization_id=practice.access.organization_id,
    )
    assert isinstance(named, Admission)
    assert named.actor.organization_id == practice.access.organization_id
    with pytest.raises(WrongCredentials):
        await sign_in(
            authority,
            email="tess@larkspur.example",
            password=PASSWORD,
            device=NOWHERE,
            client_address="192.0.2.1",
            organization_id=other.organization_id,
        )

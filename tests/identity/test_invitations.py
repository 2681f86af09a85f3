"""Invitations: a link and a code on separate channels, good once, for a while, and for few guesses."""

import asyncio

import pytest

from core.access import Access
from core.errors import Conflict, Invalid, TooManyRequests
from identity import lockout
from identity.documents import sign_in_sessions
from identity.invitations import (
    IssuedInvitation,
    UnusableInvitation,
    accept_as_patient,
    accept_as_staff,
    invite_patient,
    invite_staff,
)
from identity.sessions import Admission
from identity.sign_in import SecondFactorRequired, WrongCredentials
from identity.staff import StaffChanges, add_staff, change_staff
from identity.tokens import InvalidToken
from tests.clinic import Clock
from tests.identity.practice import NOWHERE, PASSWORD, Phone, Practice, token_of

URL = "https://clinic.example"


async def invited(practice: Practice, patient_id: str = "pat_ana") -> IssuedInvitation:
    return await invite_patient(practice.access, patient_id, public_url=URL)


async def accept(
    practice: Practice, invitation: IssuedInvitation, code: str | None = None, address: str = "192.0.2.1"
) -> Admission:
    return await accept_as_patient(
        practice.authority,
        token=token_of(invitation.link),
        code=invitation.code if code is None else code,
        device=Phone().device,
        client_address=address,
    )


async def accept_staff(
    practice: Practice, invitation: IssuedInvitation, password: str = PASSWORD
) -> Admission | SecondFactorRequired:
    return await accept_as_staff(
        practice.authority,
        token=token_of(invitation.link),
        code=invitation.code,
        password=password,
        device=NOWHERE,
        client_address="192.0.2.1",
    )


def another(code: str, step: int = 1) -> str:
    return f"{(int(code) + step) % 10**8:08}"


async def test_a_patient_gets_in_with_link_and_code(practice: Practice) -> None:
    invitation = await invited(practice)
    assert invitation.link.startswith(f"{URL}/app/#/invitation/hsi_")
    assert len(invitation.code) == 8
    admission = await accept(practice, invitation, f"{invitation.code[:4]} {invitation.code[4:]}")
    assert (admission.actor.kind, admission.actor.id) == ("patient", "pat_ana")
    assert admission.session.device_name == "Ana's phone"


async def test_it_works_once(practice: Practice) -> None:
    invitation = await invited(practice)
    await accept(practice, invitation)
    with pytest.raises(UnusableInvitation):
        await accept(practice, invitation)


async def test_of_two_who_accept_at_the_same_moment_one_gets_in(practice: Practice) -> None:
    invitation = await invited(practice)
    outcomes = await asyncio.gather(*(accept(practice, invitation) for _ in range(4)), return_exceptions=True)
    assert sum(isinstance(outcome, Admission) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, UnusableInvitation) for outcome in outcomes) == 3
    assert await sign_in_sessions.count(practice.access, {}) == 1


async def test_it_expires_after_a_week(practice: Practice, clock: Clock) -> None:
    invitation = await invited(practice)
    clock.forward(days=7)
    with pytest.raises(UnusableInvitation):
        await accept(practice, invitation)


async def test_a_newer_one_replaces_it(practice: Practice) -> None:
    first, second = await invited(practice), await invited(practice)
    with pytest.raises(UnusableInvitation):
        await accept(practice, first)
    assert await accept(practice, second)


async def test_five_wrong_codes_close_it(practice: Practice) -> None:
    invitation = await invited(practice)
    for step in range(1, 6):
        with pytest.raises(UnusableInvitation):
            await accept(practice, invitation, another(invitation.code, step))
    with pytest.raises(UnusableInvitation):
        await accept(practice, invitation)


async def test_a_slip_or_two_do_not(practice: Practice) -> None:
    invitation = await invited(practice)
    for step in range(1, 5):
        with pytest.raises(UnusableInvitation):
            await accept(practice, invitation, another(invitation.code, step))
    assert await accept(practice, invitation)


async def test_guessing_from_many_places_at_once_does_not_help(practice: Practice) -> None:
    invitation = await invited(practice)
    wrong = [another(invitation.code, step) for step in range(1, 20)]
    outcomes = await asyncio.gather(
        *(accept(practice, invitation, code, f"203.0.113.{n}") for n, code in enumerate(wrong)),
        return_exceptions=True,
    )
    assert all(isinstance(outcome, UnusableInvitation) for outcome in outcomes)
    with pytest.raises(UnusableInvitation):
        await accept(practice, invitation)


async def test_without_the_link_guesses_do_not_even_count(practice: Practice) -> None:
    invitation = await invited(practice)
    token = token_of(invitation.link)
    head, secret = token.rsplit(".", 1)
    for bad in (f"{head}.{'A' * 43}", f"{head}.{secret[::-1]}", token[:-1], "hsi_org_0.inv_0." + secret, ""):
        with pytest.raises(UnusableInvitation):
            await accept_as_patient(
                practice.authority, token=bad, code=invitation.code, device=NOWHERE, client_address="x"
            )
    assert await accept(practice, invitation)


async def test_a_client_that_tries_link_after_link_has_to_wait(practice: Practice) -> None:
    invitation = await invited(practice)
    limits = practice.authority.database.rate_limits
    for _ in range(lockout.ATTEMPTS_BY_ADDRESS.limit):
        await limits.hit("203.0.113.5", lockout.ATTEMPTS_BY_ADDRESS)
    with pytest.raises(TooManyRequests):
        await accept(practice, invitation, address="203.0.113.5")


async def test_a_patients_link_is_not_one_for_staff(practice: Practice) -> None:
    with pytest.raises(UnusableInvitation):
        await accept_staff(practice, await invited(practice))
    member = await practice.hire()
    with pytest.raises(UnusableInvitation):
        await accept(practice, await invite_staff(practice.access, member.id, public_url=URL))


async def new_colleague(access: Access) -> str:
    member = await add_staff(
        access, name="Otto Okafor", email="otto@larkspur.example", roles=["assistant"], location_ids=None
    )
    return member.id


async def test_a_colleague_chooses_a_password_and_is_signed_in(practice: Practice) -> None:
    staff_id = await new_colleague(practice.access)
    invitation = await invite_staff(practice.access, staff_id, public_url=URL)
    admission = await accept_staff(practice, invitation)
    assert isinstance(admission, Admission)
    assert admission.actor.id == staff_id
    assert admission.actor.roles == {"assistant"}
    assert (await practice.sign_in("otto@larkspur.example")).actor.id == staff_id


async def test_a_weak_password_leaves_the_invitation_good(practice: Practice) -> None:
    invitation = await invite_staff(practice.access, await new_colleague(practice.access), public_url=URL)
    for password in ("short", "Password2026!", "otto okafor larkspur"):
        with pytest.raises(Invalid):
            await accept_staff(practice, invitation, password)
    assert await accept_staff(practice, invitation)


async def test_who_forgot_the_password_is_invited_again_and_old_sessions_end(practice: Practice) -> None:
    member = await practice.hire()
    before = await practice.sign_in()
    await practice.access_of(before)
    invitation = await invite_staff(practice.access, member.id, public_url=URL)
    await accept_staff(practice, invitation, "paper lantern gutter seven")
    with pytest.raises(InvalidToken):
        await practice.authority.callers.caller(before.tokens.access_token)
    with pytest.raises(WrongCredentials):
        await practice.attempt()
    assert await practice.sign_in(password="paper lantern gutter seven")


async def test_a_new_password_does_not_get_around_the_second_factor(practice: Practice) -> None:
    member = await practice.hire()
    await practice.enrol_app(await practice.sign_in())
    invitation = await invite_staff(practice.access, member.id, public_url=URL)
    assert isinstance(await accept_staff(practice, invitation), SecondFactorRequired)


async def test_who_has_left_is_not_invited_and_cannot_accept(practice: Practice) -> None:
    staff_id = await new_colleague(practice.access)
    invitation = await invite_staff(practice.access, staff_id, public_url=URL)
    await change_staff(practice.authority, practice.access, staff_id, StaffChanges(active=False))
    with pytest.raises(Conflict):
        await invite_staff(practice.access, staff_id, public_url=URL)
    with pytest.raises(WrongCredentials):
        await accept_staff(practice, invitation)

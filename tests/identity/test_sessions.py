"""Refresh tokens: rotated at each use, bound to the device, ended when two parties hold them."""

import asyncio
import re

import pytest

from core.access import Transaction
from core.errors import Invalid
from identity.device_keys import DeviceKey
from identity.documents import SessionPolicy, organizations
from identity.sessions import Device, IssuedTokens, refresh, sign_out, sign_out_everywhere
from identity.tokens import InvalidToken, RefreshToken, new_secret
from tests.clinic import Clock
from tests.identity.practice import NOWHERE, Phone, Practice


async def test_each_refresh_gives_a_new_pair_and_spends_the_old(practice: Practice, clock: Clock) -> None:
    await practice.hire()
    first = (await practice.sign_in()).tokens
    clock.forward(minutes=9)
    second = await refresh(practice.authority, first.refresh_token)
    assert second.refresh_token != first.refresh_token
    clock.forward(minutes=2)
    with pytest.raises(InvalidToken):
        await practice.authority.callers.caller(first.access_token)  # ten minutes are over
    assert await practice.authority.callers.caller(second.access_token)


async def test_when_the_answer_was_lost_the_same_refresh_gives_the_same_successor(
    practice: Practice, clock: Clock
) -> None:
    await practice.hire()
    first = (await practice.sign_in()).tokens
    second = await refresh(practice.authority, first.refresh_token)
    clock.forward(seconds=59)
    again = await refresh(practice.authority, first.refresh_token)
    assert again.refresh_token == second.refresh_token
    assert await refresh(practice.authority, second.refresh_token)


async def test_two_tabs_that_refresh_at_once_end_up_with_the_same_token(practice: Practice) -> None:
    await practice.hire()
    first = (await practice.sign_in()).tokens
    both: list[IssuedTokens] = list(
        await asyncio.gather(*(refresh(practice.authority, first.refresh_token) for _ in range(2)))
    )
    assert both[0].refresh_token == both[1].refresh_token
    assert RefreshToken.parse(both[0].refresh_token).generation == 1


async def test_a_stolen_token_used_later_ends_the_session_for_both(practice: Practice, clock: Clock) -> None:
    await practice.hire()
    stolen = (await practice.sign_in()).tokens
    current = await refresh(practice.authority, stolen.refresh_token)
    clock.forward(seconds=61)
    with pytest.raises(InvalidToken):
        await refresh(practice.authority, stolen.refresh_token)
    with pytest.raises(InvalidToken):
        await refresh(practice.authority, current.refresh_token)
    with pytest.raises(InvalidToken):
        await practice.authority.callers.caller(current.access_token)


async def test_a_token_two_generations_old_ends_the_session_even_within_the_grace(practice: Practice) -> None:
    await practice.hire()
    stolen = (await practice.sign_in()).tokens
    second = await refresh(practice.authority, stolen.refresh_token)
    third = await refresh(practice.authority, second.refresh_token)
    with pytest.raises(InvalidToken):
        await refresh(practice.authority, stolen.refresh_token)
    with pytest.raises(InvalidToken):
        await refresh(practice.authority, third.refresh_token)


async def test_made_up_tokens_are_refused_and_end_nobodys_session(practice: Practice) -> None:
    await practice.hire()
    real = RefreshToken.parse((await practice.sign_in()).tokens.refresh_token)
    forged = [
        RefreshToken(real.organization_id, real.session_id, 0, new_secret()),
        RefreshToken(real.organization_id, real.session_id, 7, real.secret),
        RefreshToken(real.organization_id, "ses_0", 0, real.secret),
        RefreshToken("org_0", real.session_id, 0, real.secret),
    ]
    for token in [*map(str, forged), "", "hsr_", "nonsense", str(real) + "x"]:
        with pytest.raises(InvalidToken):
            await refresh(practice.authority, token)
    assert await refresh(practice.authority, str(real))


async def test_a_copied_token_is_worth_nothing_without_the_phone(practice: Practice) -> None:
    phone, thief = Phone(), Phone()
    token = (await practice.sign_in_patient("pat_ana", phone.device)).tokens.refresh_token
    for proof in (None, "", "AAAA", thief.proof(token), phone.proof(f"{token} ")):
        with pytest.raises(InvalidToken):
            await refresh(practice.authority, token, proof)
    renewed = await refresh(practice.authority, token, phone.proof(token))
    with pytest.raises(InvalidToken):  # each token takes a signature of its own
        await refresh(practice.authority, renewed.refresh_token, phone.proof(token))
    assert await refresh(practice.authority, renewed.refresh_token, phone.proof(renewed.refresh_token))


async def test_a_patients_phone_stays_signed_in_for_weeks_but_not_forever(
    practice: Practice, clock: Clock
) -> None:
    phone = Phone()
    token = (await practice.sign_in_patient("pat_ana", phone.device)).tokens.refresh_token
    for _ in range(6):
        clock.forward(days=29)
        token = (await refresh(practice.authority, token, phone.proof(token))).refresh_token
    clock.forward(days=7)
    with pytest.raises(InvalidToken):  # half a year since the invitation
        await refresh(practice.authority, token, phone.proof(token))


async def test_a_patient_without_a_device_key_is_signed_in_for_a_day(
    practice: Practice, clock: Clock
) -> None:
    token = (await practice.sign_in_patient("pat_ana", NOWHERE)).tokens.refresh_token
    clock.forward(hours=23)
    token = (await refresh(practice.authority, token)).refresh_token
    clock.forward(hours=2)
    with pytest.raises(InvalidToken):
        await refresh(practice.authority, token)


async def test_staff_who_do_nothing_for_an_hour_sign_in_again(practice: Practice, clock: Clock) -> None:
    await practice.hire()
    token = (await practice.sign_in()).tokens.refresh_token
    clock.forward(minutes=59)
    token = (await refresh(practice.authority, token)).refresh_token
    clock.forward(minutes=61)
    with pytest.raises(InvalidToken):
        await refresh(practice.authority, token)


async def test_an_organization_can_choose_how_long_a_sign_in_lasts(practice: Practice, clock: Clock) -> None:
    policy = SessionPolicy(staff_idle_s=600, staff_lifetime_s=900)

    async def write(tx: Transaction) -> None:
        await organizations.update(tx, tx.organization_id, {"sessions": policy})

    await practice.access.transact(write)
    await practice.hire()
    tokens = (await practice.sign_in()).tokens
    clock.forward(minutes=9)
    tokens = await refresh(practice.authority, tokens.refresh_token)
    assert tokens.expires_in_s == 360  # an access token does not outlive its session
    clock.forward(minutes=6)
    with pytest.raises(InvalidToken):
        await refresh(practice.authority, tokens.refresh_token)


async def test_signing_out_ends_this_device_only(practice: Practice) -> None:
    await practice.hire()
    here, there = await practice.sign_in(), await practice.sign_in()
    await sign_out(practice.authority, await practice.access_of(here))
    with pytest.raises(InvalidToken):
        await practice.authority.callers.caller(here.tokens.access_token)
    with pytest.raises(InvalidToken):
        await refresh(practice.authority, here.tokens.refresh_token)
    assert await practice.authority.callers.caller(there.tokens.access_token)


async def test_signing_out_everywhere_ends_all_devices_of_this_person_only(practice: Practice) -> None:
    await practice.hire()
    await practice.hire("otto@larkspur.example")
    mine = [await practice.sign_in() for _ in range(3)]
    others = await practice.sign_in("otto@larkspur.example")
    for admission in mine:
        await practice.authority.callers.caller(admission.tokens.access_token)
    assert await sign_out_everywhere(practice.authority, await practice.access_of(mine[0])) == 3
    for admission in mine:
        with pytest.raises(InvalidToken):
            await practice.authority.callers.caller(admission.tokens.access_token)
        with pytest.raises(InvalidToken):
            await refresh(practice.authority, admission.tokens.refresh_token)
    assert await practice.authority.callers.caller(others.tokens.access_token)


async def test_a_device_key_that_is_no_point_of_the_curve_is_refused(practice: Practice) -> None:
    key = DeviceKey(kty="EC", crv="P-256", x="A" * 43, y="A" * 43)
    with pytest.raises(Invalid):
        await practice.sign_in_patient("pat_ana", Device(key=key))


async def test_tokens_look_like_what_secret_scanners_and_people_expect(practice: Practice) -> None:
    await practice.hire()
    tokens = (await practice.sign_in()).tokens
    assert re.fullmatch(r"hsr_org_\w{26}\.ses_\w{26}\.0\.[\w-]{43}", tokens.refresh_token)
    assert tokens.access_token.count(".") == 2

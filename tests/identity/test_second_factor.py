"""The second step: authenticator app, recovery codes, and an organization that insists on it."""

import pytest
from pyotp.totp import TOTP

from core.errors import Conflict, Forbidden, Invalid, TooManyRequests
from identity.authority import Authority
from identity.documents import accounts
from identity.organizations import OrganizationChanges, change_organization
from identity.policy import ENROLMENT_PERMISSIONS, Permission
from identity.second_factor import (
    Answer,
    RecoveryCode,
    TotpCode,
    begin_totp,
    confirm_totp,
    finish_sign_in,
    remove_totp,
)
from identity.sessions import Admission
from identity.sign_in import SecondFactorRequired, WrongCredentials
from identity.tokens import InvalidToken
from tests.clinic import Clock
from tests.identity.practice import NOWHERE, Practice


async def challenged(practice: Practice) -> str:
    outcome = await practice.attempt()
    assert isinstance(outcome, SecondFactorRequired)
    return outcome.challenge


async def answer(practice: Practice, challenge: str, given: Answer) -> Admission:
    return await finish_sign_in(
        practice.authority, challenge=challenge, answer=given, device=NOWHERE, client_address="192.0.2.1"
    )


async def test_once_enrolled_the_password_alone_is_not_enough(practice: Practice, clock: Clock) -> None:
    member = await practice.hire()
    app = await practice.enrol_app(await practice.sign_in())
    outcome = await practice.attempt()
    assert isinstance(outcome, SecondFactorRequired)
    assert outcome.factors == ["totp"]
    clock.forward(seconds=30)
    admission = await answer(practice, outcome.challenge, TotpCode(app.at(clock())))
    assert admission.actor.id == member.id


async def test_a_code_is_good_once(practice: Practice, clock: Clock) -> None:
    await practice.hire()
    app = await practice.enrol_app(await practice.sign_in())
    with pytest.raises(WrongCredentials):  # the code that confirmed the enrolment
        await answer(practice, await challenged(practice), TotpCode(app.at(clock())))
    clock.forward(seconds=30)
    code = app.at(clock())
    await answer(practice, await challenged(practice), TotpCode(code))
    with pytest.raises(WrongCredentials):
        await answer(practice, await challenged(practice), TotpCode(code))


@pytest.mark.parametrize(("seconds_off", "accepted"), [(-30, True), (30, True), (-60, False), (60, False)])
async def test_a_clock_that_is_half_a_minute_off_is_forgiven(
    practice: Practice,
    clock: Clock,
    seconds_off: int,
    accepted: bool,  # noqa: FBT001 - a parameter of the table
) -> None:
    await practice.hire()
    app = await practice.enrol_app(await practice.sign_in())
    clock.forward(minutes=5)
    code = TotpCode(app.at(int(clock().timestamp()) + seconds_off))
    challenge = await challenged(practice)
    if accepted:
        await answer(practice, challenge, code)
    else:
        with pytest.raises(WrongCredentials):
            await answer(practice, challenge, code)


async def test_a_mistyped_code_may_be_typed_again_but_a_challenge_opens_once(
    practice: Practice, clock: Clock
) -> None:
    await practice.hire()
    app = await practice.enrol_app(await practice.sign_in())
    challenge = await challenged(practice)
    clock.forward(seconds=30)
    with pytest.raises(WrongCredentials):
        await answer(practice, challenge, TotpCode("000000"))
    await answer(practice, challenge, TotpCode(app.at(clock())))
    clock.forward(seconds=30)
    with pytest.raises(InvalidToken):
        await answer(practice, challenge, TotpCode(app.at(clock())))


async def test_a_challenge_is_good_for_five_minutes(practice: Practice, clock: Clock) -> None:
    await practice.hire()
    app = await practice.enrol_app(await practice.sign_in())
    challenge = await challenged(practice)
    clock.forward(seconds=301)
    with pytest.raises(InvalidToken):
        await answer(practice, challenge, TotpCode(app.at(clock())))


async def test_an_access_token_is_no_challenge_and_a_challenge_no_access_token(practice: Practice) -> None:
    await practice.hire()
    admission = await practice.sign_in()
    with pytest.raises(InvalidToken):
        await answer(practice, admission.tokens.access_token, TotpCode("123456"))
    await practice.enrol_app(admission)
    with pytest.raises(InvalidToken):
        await practice.authority.callers.caller(await challenged(practice))


async def test_guessing_codes_locks_the_account(practice: Practice, clock: Clock) -> None:
    await practice.hire()
    app = await practice.enrol_app(await practice.sign_in())
    clock.forward(minutes=5)
    right = app.at(clock())
    wrong = f"{(int(right) + 500_000) % 1_000_000:06}"
    for _ in range(5):
        with pytest.raises(WrongCredentials):
            await answer(practice, await challenged(practice), TotpCode(wrong))
    with pytest.raises(TooManyRequests):
        await answer(practice, await challenged(practice), TotpCode(right))


async def test_a_recovery_code_opens_once_however_it_is_typed(practice: Practice, clock: Clock) -> None:
    await practice.hire()
    access = await practice.access_of(await practice.sign_in())
    app = TOTP((await begin_totp(access, account_name="Tess")).secret)
    codes = await confirm_totp(practice.authority, access, app.at(clock()))
    assert len(set(codes)) == 10
    typed = codes[3].upper().replace("-", " ")
    await answer(practice, await challenged(practice), RecoveryCode(typed))
    with pytest.raises(WrongCredentials):
        await answer(practice, await challenged(practice), RecoveryCode(codes[3]))
    await answer(practice, await challenged(practice), RecoveryCode(codes[4]))


async def test_an_organization_can_require_it_and_lets_in_just_far_enough_to_enrol(
    authority: Authority, clock: Clock
) -> None:
    practice = await Practice.open(authority, second_factor_required=True)
    await practice.hire(roles=("administrator",))
    admission = await practice.sign_in()
    assert admission.enrolment_only
    token = admission.tokens.access_token
    assert (await authority.callers.caller(token)).permissions == ENROLMENT_PERMISSIONS
    app = await practice.enrol_app(admission)
    opened = await authority.callers.caller(token)  # the same token, at once
    assert Permission.STAFF_MANAGE in opened.permissions
    clock.forward(minutes=1)
    complete = await answer(practice, await challenged(practice), TotpCode(app.at(clock())))
    assert not complete.enrolment_only


async def test_requiring_it_later_catches_people_at_their_next_sign_in(practice: Practice) -> None:
    await practice.hire()
    assert not (await practice.sign_in()).enrolment_only
    await change_organization(practice.access, OrganizationChanges(second_factor_required=True))
    assert (await practice.sign_in()).enrolment_only


async def test_what_is_required_cannot_be_removed(authority: Authority) -> None:
    practice = await Practice.open(authority, second_factor_required=True)
    await practice.hire()
    admission = await practice.sign_in()
    await practice.enrol_app(admission)
    with pytest.raises(Conflict):
        await remove_totp(await practice.access_of(admission))


async def test_removing_it_takes_a_recent_sign_in(practice: Practice, clock: Clock) -> None:
    member = await practice.hire()
    admission = await practice.sign_in()
    await practice.enrol_app(admission)
    access = await practice.access_of(admission)
    clock.forward(minutes=11)
    with pytest.raises(Forbidden) as refusal:
        await remove_totp(access)
    assert refusal.value.code == "recent-sign-in-required"
    clock.forward(minutes=-11)
    await remove_totp(access)
    account = await accounts.find_one(practice.access, {"subject_id": member.id})
    assert account is not None
    assert account.totp_secret is None
    assert account.recovery_code_hashes == []
    await practice.sign_in()


async def test_a_wrong_first_code_changes_nothing(practice: Practice) -> None:
    await practice.hire()
    access = await practice.access_of(await practice.sign_in())
    await begin_totp(access, account_name="Tess")
    with pytest.raises(Invalid):
        await confirm_totp(practice.authority, access, "000000")
    await practice.sign_in()


async def test_enrolling_ends_sessions_opened_with_the_password_alone(practice: Practice) -> None:
    await practice.hire()
    elsewhere = await practice.sign_in()
    here = await practice.sign_in()
    await practice.enrol_app(here)
    assert await practice.authority.callers.caller(here.tokens.access_token)
    with pytest.raises(InvalidToken):
        await practice.authority.callers.caller(elsewhere.tokens.access_token)


async def test_the_secret_is_not_readable_in_the_database(practice: Practice) -> None:
    member = await practice.hire()
    access = await practice.access_of(await practice.sign_in())
    secret = (await begin_totp(access, account_name="Tess")).secret
    pipeline = [{"$match": {"subject_id": member.id}}, {"$project": {"totp_pending_secret": 1}}]
    (stored,) = await accounts.aggregate(practice.access, pipeline)
    assert secret.encode() not in bytes(stored["totp_pending_secret"])


async def test_a_challenge_of_one_account_is_nothing_to_another(practice: Practice, clock: Clock) -> None:
    await practice.hire()
    await practice.enrol_app(await practice.sign_in())
    await practice.hire("otto@larkspur.example")
    others_app = await practice.enrol_app(await practice.sign_in("otto@larkspur.example"))
    clock.forward(seconds=30)
    with pytest.raises(WrongCredentials):
        await answer(practice, await challenged(practice), TotpCode(others_app.at(clock())))

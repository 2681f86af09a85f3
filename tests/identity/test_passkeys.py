"""Passkeys, made and used by a software authenticator and verified for real."""

from collections.abc import Iterator
from typing import Any

import pytest

from core.access import Access
from core.errors import Conflict, NotFound
from identity.authority import RelyingParty
from identity.challenges import issue_challenge
from identity.documents import accounts
from identity.passkeys import (
    account_of,
    assertion_options,
    check_assertion,
    list_passkeys,
    register_passkey,
    registration_options,
    remove_passkey,
)
from identity.second_factor import PasskeyAssertion, finish_sign_in
from identity.sessions import Admission, sign_out_everywhere
from identity.sign_in import SecondFactorRequired, WrongCredentials
from identity.tokens import InvalidToken
from tests.clinic import Clock
from tests.identity.practice import NOWHERE, Phone, Practice
from tests.identity.software_authenticator import SoftwareAuthenticator, encoded


@pytest.fixture
def phone(practice: Practice) -> SoftwareAuthenticator:
    return SoftwareAuthenticator(practice.authority.relying_party.origins[-1])


async def ana(practice: Practice) -> Access:
    """A patient who has just accepted an invitation."""
    return await practice.access_of(await practice.sign_in_patient("pat_ana", NOWHERE))


async def register(practice: Practice, access: Access, phone: SoftwareAuthenticator) -> None:
    options = await registration_options(practice.authority, access, user_name="Ana Alder")
    await register_passkey(practice.authority, access, phone.create(options), name="Ana's phone")


async def assert_with(practice: Practice, challenge: str, credential: dict[str, Any]) -> Admission:
    return await finish_sign_in(
        practice.authority,
        challenge=challenge,
        answer=PasskeyAssertion(credential),
        device=NOWHERE,
        client_address="192.0.2.1",
    )


async def sign_in_alone(practice: Practice, phone: SoftwareAuthenticator) -> Admission:
    challenge = issue_challenge(practice.authority, "passkey_sign_in")
    return await assert_with(practice, challenge, phone.get(assertion_options(practice.authority, challenge)))


async def test_a_patient_registers_a_passkey_and_comes_back_with_it(
    practice: Practice, phone: SoftwareAuthenticator, clock: Clock
) -> None:
    admission = await practice.sign_in_patient("pat_ana", Phone().device)
    access = await practice.access_of(admission)
    await register(practice, access, phone)
    await sign_out_everywhere(practice.authority, access)
    clock.forward(days=40)
    again = await sign_in_alone(practice, phone)
    assert (again.actor.kind, again.actor.id) == ("patient", "pat_ana")
    (kept,) = await list_passkeys(await practice.access_of(again))
    assert kept.name == "Ana's phone"
    assert kept.last_used_at == clock()


async def test_a_passkey_serves_staff_as_second_factor(
    practice: Practice, phone: SoftwareAuthenticator
) -> None:
    await practice.hire()
    await register(practice, await practice.access_of(await practice.sign_in()), phone)
    outcome = await practice.attempt()
    assert isinstance(outcome, SecondFactorRequired)
    assert outcome.factors == ["passkey"]
    options = assertion_options(practice.authority, outcome.challenge, outcome.account)
    assert [allowed["id"] for allowed in options["allowCredentials"]] == [encoded(phone.credential_id)]
    assert await assert_with(practice, outcome.challenge, phone.get(options))


async def test_signing_in_needs_no_name_and_the_options_tell_nothing(practice: Practice) -> None:
    options = assertion_options(practice.authority, issue_challenge(practice.authority, "passkey_sign_in"))
    assert options["allowCredentials"] == []
    assert options["userVerification"] == "required"


async def test_alone_a_passkey_must_have_asked_for_the_finger_or_pin(
    practice: Practice, phone: SoftwareAuthenticator
) -> None:
    await register(
        practice, await practice.access_of(await practice.sign_in_patient("pat_ana", NOWHERE)), phone
    )
    phone.verifies_user = False
    with pytest.raises(WrongCredentials):
        await sign_in_alone(practice, phone)
    phone.verifies_user = True
    assert await sign_in_alone(practice, phone)


async def test_an_answer_is_good_once(practice: Practice, phone: SoftwareAuthenticator) -> None:
    await register(
        practice, await practice.access_of(await practice.sign_in_patient("pat_ana", NOWHERE)), phone
    )
    challenge = issue_challenge(practice.authority, "passkey_sign_in")
    options = assertion_options(practice.authority, challenge)
    await assert_with(practice, challenge, phone.get(options))
    with pytest.raises(InvalidToken):
        await assert_with(practice, challenge, phone.get(options))


async def test_a_registration_is_good_once_and_only_for_whom_it_was_made(
    practice: Practice, phone: SoftwareAuthenticator
) -> None:
    access = await ana(practice)
    options = await registration_options(practice.authority, access, user_name="Ana")
    others = await practice.access_of(await practice.sign_in_patient("pat_ben", NOWHERE))
    with pytest.raises(InvalidToken):
        await register_passkey(practice.authority, others, phone.create(options), name="not Ana's")
    await register_passkey(practice.authority, access, phone.create(options), name="Ana's phone")
    other_phone = SoftwareAuthenticator(phone.origin)
    with pytest.raises(InvalidToken):
        await register_passkey(practice.authority, access, other_phone.create(options), name="second")
    with pytest.raises(Conflict):
        await register(practice, access, phone)


async def test_another_site_or_another_key_or_a_copied_passkey_is_refused(
    practice: Practice, phone: SoftwareAuthenticator
) -> None:
    await register(
        practice, await practice.access_of(await practice.sign_in_patient("pat_ana", NOWHERE)), phone
    )
    await sign_in_alone(practice, phone)
    phishing = SoftwareAuthenticator(
        "https://cl1nic.example",
        credential_id=phone.credential_id,
        private_key=phone.private_key,
        sign_count=phone.sign_count,
        user_handle=phone.user_handle,
    )
    other_key = SoftwareAuthenticator(
        phone.origin, credential_id=phone.credential_id, sign_count=9, user_handle=phone.user_handle
    )
    cloned = SoftwareAuthenticator(  # its counter stands where the original's has been already
        phone.origin,
        credential_id=phone.credential_id,
        private_key=phone.private_key,
        user_handle=phone.user_handle,
    )
    for impostor in (phishing, other_key, cloned):
        with pytest.raises(WrongCredentials):
            await sign_in_alone(practice, impostor)
    assert await sign_in_alone(practice, phone)


@pytest.mark.parametrize("handle", [b"", b"nonsense", b"org_0:acc_0", b"\xff\xfe"])
async def test_a_handle_that_leads_nowhere_is_refused_like_any_other(
    practice: Practice, phone: SoftwareAuthenticator, handle: bytes
) -> None:
    phone.user_handle = handle
    with pytest.raises(WrongCredentials):
        await sign_in_alone(practice, phone)


ODD_VALUES: tuple[Any, ...] = (None, 5, "", "!!", "AAAA", "é", "A" * 5000, {}, [], {"a": 1}, True, "\x00")


def spoiled(credential: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The credential with each of its parts missing, or replaced by something that does not belong there."""
    yield {}
    for name in credential:
        yield {key: value for key, value in credential.items() if key != name}
        yield from ({**credential, name: value} for value in ODD_VALUES)
    response: dict[str, Any] = credential["response"]
    for name in response:
        yield {**credential, "response": {key: value for key, value in response.items() if key != name}}
        for value in ODD_VALUES:
            yield {**credential, "response": {**response, name: value}}


async def test_malformed_registrations_are_refused_not_crashed_on(
    practice: Practice, phone: SoftwareAuthenticator
) -> None:
    access = await ana(practice)
    options = await registration_options(practice.authority, access, user_name="Ana")
    made = phone.create(options)
    for credential in spoiled(made):
        with pytest.raises((WrongCredentials, InvalidToken)):
            await register_passkey(practice.authority, access, credential, name="x")
    assert await register_passkey(practice.authority, access, made, name="Ana's phone")


async def test_malformed_answers_are_refused_not_crashed_on(
    practice: Practice, phone: SoftwareAuthenticator
) -> None:
    await register(practice, await ana(practice), phone)
    challenge = issue_challenge(practice.authority, "passkey_sign_in")
    signed = phone.get(assertion_options(practice.authority, challenge))
    anas = await accounts.find_one(practice.access, {"subject_id": "pat_ana"})
    assert anas is not None

    async def verify(credential: dict[str, Any]) -> str:
        check_assertion(practice.authority, anas, credential, challenge, alone=True)
        return (await account_of(practice.authority, credential)).id

    for credential in spoiled(signed):
        with pytest.raises(WrongCredentials):
            await verify(credential)
    assert await verify(signed) == anas.id


async def test_a_lost_passkey_is_removed_and_opens_nothing_any_more(
    practice: Practice, phone: SoftwareAuthenticator
) -> None:
    access = await ana(practice)
    await register(practice, access, phone)
    (kept,) = await list_passkeys(access)
    await remove_passkey(access, kept.id)
    with pytest.raises(WrongCredentials):
        await sign_in_alone(practice, phone)
    with pytest.raises(NotFound):
        await remove_passkey(access, kept.id)


async def test_a_passkey_satisfies_an_organization_that_requires_a_second_factor(
    practice: Practice, phone: SoftwareAuthenticator
) -> None:
    strict = await Practice.open(practice.authority, second_factor_required=True)
    await strict.hire("otto@larkspur.example")
    admission = await strict.sign_in("otto@larkspur.example")
    assert admission.enrolment_only
    access = await strict.access_of(admission)
    await register(strict, access, phone)
    account = await accounts.find_one(strict.access, {"subject_id": admission.actor.id})
    assert account is not None
    assert account.has_second_factor
    with pytest.raises(Conflict):
        await remove_passkey(access, account.passkeys[0].id)
    assert not (await sign_in_alone(strict, phone)).enrolment_only


def test_on_the_loopback_address_the_relying_party_is_localhost() -> None:
    party = RelyingParty.of("http://127.0.0.1:8123")
    assert party.id == "localhost"
    assert party.origins == ["http://127.0.0.1:8123", "http://localhost:8123"]
    assert RelyingParty.of("https://care.clinic.example") == RelyingParty(
        "care.clinic.example", ["https://care.clinic.example"]
    )

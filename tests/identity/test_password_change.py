"""Changing one's own password."""

import pytest

from core.errors import Invalid, NotFound, TooManyRequests
from identity.password_change import change_password
from identity.sign_in import WrongCredentials
from identity.tokens import InvalidToken
from tests.identity.practice import NOWHERE, PASSWORD, Practice

NEW = "paper lantern gutter seven"


async def test_the_new_password_opens_and_the_old_one_does_not(practice: Practice) -> None:
    await practice.hire()
    elsewhere, here = await practice.sign_in(), await practice.sign_in()
    await change_password(practice.authority, await practice.access_of(here), current=PASSWORD, new=NEW)
    assert await practice.sign_in(password=NEW)
    with pytest.raises(WrongCredentials):
        await practice.attempt()
    assert await practice.authority.callers.caller(here.tokens.access_token)
    with pytest.raises(InvalidToken):
        await practice.authority.callers.caller(elsewhere.tokens.access_token)


@pytest.mark.parametrize(
    ("current", "new", "pointer"),
    [
        ("not my password at all", NEW, "/current_password"),
        (PASSWORD, "short", "/new_password"),
        (PASSWORD, "Tess-Trainor-26", "/new_password"),
    ],
)
async def test_what_is_wrong_is_named_and_nothing_changes(
    practice: Practice, current: str, new: str, pointer: str
) -> None:
    await practice.hire()
    access = await practice.access_of(await practice.sign_in())
    with pytest.raises(Invalid) as refusal:
        await change_password(practice.authority, access, current=current, new=new)
    assert [fault.pointer for fault in refusal.value.faults] == [pointer]
    assert await practice.sign_in()


async def test_who_finds_a_device_unlocked_cannot_guess_on_it(practice: Practice) -> None:
    await practice.hire()
    access = await practice.access_of(await practice.sign_in())
    for number in range(10):
        with pytest.raises(Invalid):
            await change_password(practice.authority, access, current=f"guess number {number}", new=NEW)
    with pytest.raises(TooManyRequests):
        await change_password(practice.authority, access, current=PASSWORD, new=NEW)


async def test_patients_have_no_password_to_change(practice: Practice) -> None:
    access = await practice.access_of(await practice.sign_in_patient("pat_ana", NOWHERE))
    with pytest.raises(NotFound):
        await change_password(practice.authority, access, current=PASSWORD, new=NEW)

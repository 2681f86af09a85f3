"""What proves who somebody is: passwords, codes, device signatures, tokens. Pure logic."""

import datetime as dt
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyotp.totp import TOTP

from identity.device_keys import proves_possession
from identity.one_time_codes import (
    new_recovery_codes,
    new_totp_secret,
    otpauth_uri,
    recovery_digest,
    totp_step,
)
from identity.passwords import MINIMUM_LENGTH, hash_password, verify_password, weakness
from identity.tokens import (
    AccessClaims,
    InvalidToken,
    RefreshToken,
    TokenSigner,
    new_secret,
    refresh_secret,
)
from tests.identity.practice import Phone

NOW = dt.datetime(2026, 3, 4, 17, 0, tzinfo=dt.UTC)
SIGNER = TokenSigner(bytes(range(32)), "at+jwt")

# --- passwords ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "password",
    [
        "walnut ferry cactus lamp",
        "Tr4mway-Otter-Pickle",
        "Vögel über Mühlen",
        "correct mare charger clip",
        "xkqv jzwp mfgh",
    ],
)
def test_a_long_unusual_password_is_good_without_digits_or_signs(password: str) -> None:
    assert weakness(password) is None


@pytest.mark.parametrize(
    "password",
    [
        "short",
        "elevenchars",
        "password1234",
        "P@ssw0rd2026!",
        "Passw0rd!Passw0rd!",
        "iloveyou12345678",
        "123456789012",
        "987654321098",
        "aaaaaaaaaaaaaaaa",
        "abcabcabcabcabc",
        "qwertyuiop123!",
        "PhysicalTherapy1",
        "correct horse battery staple",
    ],
)
def test_what_guessing_tools_try_first_is_refused(password: str) -> None:
    assert weakness(password) is not None


@pytest.mark.parametrize("password", ["Larkspur-Tess-26", "tess.trainor@larkspur"])
def test_a_password_made_of_ones_own_name_is_refused(password: str) -> None:
    context = ("Tess Trainor", "tess.trainor@larkspur.example", "Larkspur Physical Therapy")
    assert weakness(password, context) is not None
    assert weakness("walnut ferry cactus lamp", context) is None


@given(st.text(max_size=MINIMUM_LENGTH - 1, alphabet=string.ascii_letters + string.digits))
def test_whatever_is_too_short_is_refused(password: str) -> None:
    assert weakness(password) is not None


@given(st.text(max_size=300))
def test_any_text_at_all_can_be_judged(password: str) -> None:
    assert weakness(password) is None or isinstance(weakness(password), str)


async def test_passwords_are_kept_as_argon2id_and_recognised_however_composed() -> None:
    stored = await hash_password("caf\N{LATIN SMALL LETTER E WITH ACUTE} walnut ferry")
    assert stored.startswith("$argon2id$v=19$")
    assert await verify_password("cafe\N{COMBINING ACUTE ACCENT} walnut ferry", stored)
    assert not await verify_password("cafe walnut ferry", stored)


async def test_with_nothing_stored_no_password_is_right() -> None:
    assert not await verify_password("walnut ferry cactus lamp", None)
    assert not await verify_password("x" * 1_000_000, None)


# --- one-time codes -----------------------------------------------------------------------------------------


@given(st.integers(min_value=0, max_value=2**32), st.integers(min_value=-100, max_value=100))
def test_only_codes_of_this_half_minute_and_its_neighbours_open(seconds: int, off: int) -> None:
    secret = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
    instant = dt.datetime.fromtimestamp(seconds + 3600, dt.UTC)
    app = TOTP(secret)
    now = app.timecode(instant)
    codes = {app.generate_otp(now + step): now + step for step in (-1, 0, 1)}
    code = app.generate_otp(max(0, now + off))
    step = totp_step(secret, code, lambda: instant, 0)
    assert step == codes.get(code)


def test_a_code_that_was_accepted_is_not_accepted_again() -> None:
    secret = new_totp_secret()
    code = TOTP(secret).at(NOW)
    step = totp_step(secret, code, lambda: NOW, 0)
    assert step is not None
    assert totp_step(secret, code, lambda: NOW, step) is None


def test_codes_may_be_typed_with_a_gap_and_odd_text_is_just_wrong() -> None:
    secret = new_totp_secret()
    code = TOTP(secret).at(NOW)
    assert totp_step(secret, f"{code[:3]} {code[3:]}", lambda: NOW, 0) is not None
    for odd in ("", "١٢٣٤٥٦", "12345", "x" * 1000):
        assert totp_step(secret, odd, lambda: NOW, 0) is None


def test_the_address_for_the_app_names_issuer_and_account() -> None:
    uri = otpauth_uri(new_totp_secret(), "Larkspur: Tess")
    assert uri.startswith("otpauth://totp/Homestretch:")
    assert "issuer=Homestretch" in uri


def test_recovery_codes_differ_and_mean_something_for_one_account_only() -> None:
    codes = new_recovery_codes()
    assert len(set(codes)) == len(codes) == 10
    assert recovery_digest("acc_1", codes[0]) == recovery_digest("acc_1", f" {codes[0].upper()} ")
    assert recovery_digest("acc_1", codes[0]) != recovery_digest("acc_2", codes[0])


# --- tokens -------------------------------------------------------------------------------------------------

ids = st.text(alphabet=string.digits + string.ascii_lowercase, min_size=1, max_size=26)


@given(ids, ids, st.integers(min_value=0, max_value=999_999_999))
def test_a_refresh_token_reads_back_as_it_was_written(
    organization: str, session: str, generation: int
) -> None:
    token = RefreshToken(f"org_{organization}", f"ses_{session}", generation, new_secret())
    assert RefreshToken.parse(str(token)) == token


@given(st.text(max_size=200))
def test_text_that_is_no_refresh_token_is_refused(text: str) -> None:
    with pytest.raises(InvalidToken):
        RefreshToken.parse(text)


@given(st.integers(min_value=0, max_value=10**6), st.integers(min_value=0, max_value=10**6))
def test_each_generation_of_each_session_has_a_secret_of_its_own(one: int, other: int) -> None:
    seed = "seed"
    same = refresh_secret(seed, "ses_1", one) == refresh_secret(seed, "ses_1", other)
    assert same == (one == other)
    assert refresh_secret(seed, "ses_1", one) != refresh_secret(seed, "ses_2", one)
    assert refresh_secret(seed, "ses_1", one) != refresh_secret("other", "ses_1", one)


@given(st.integers(min_value=1, max_value=100_000), st.integers(min_value=0, max_value=200_000))
def test_an_access_token_is_good_until_it_expires(lifetime: int, later: int) -> None:
    claims = AccessClaims(
        organization_id="org_1",
        session_id="ses_1",
        subject_id="stf_1",
        expires_at=int(NOW.timestamp()) + lifetime,
    )
    token = SIGNER.sign(claims, NOW)
    then = NOW + dt.timedelta(seconds=later)
    if later < lifetime:
        assert SIGNER.read(token, AccessClaims, then) == claims
    else:
        with pytest.raises(InvalidToken):
            SIGNER.read(token, AccessClaims, then)


@given(st.data())
def test_a_token_changed_anywhere_is_refused(data: st.DataObject) -> None:
    claims = AccessClaims(
        organization_id="org_1", session_id="ses_1", subject_id="stf_1", expires_at=int(NOW.timestamp()) + 60
    )
    token = SIGNER.sign(claims, NOW)
    at = data.draw(st.integers(min_value=0, max_value=len(token) - 1))
    letter = data.draw(st.sampled_from(string.ascii_letters + string.digits + "-_."))
    changed = token[:at] + letter + token[at + 1 :]
    # The last character of the signature carries two bits that base64url ignores.
    if changed != token and at < len(token) - 1:
        with pytest.raises(InvalidToken):
            SIGNER.read(changed, AccessClaims, NOW)


# --- device keys --------------------------------------------------------------------------------------------


@given(st.text(max_size=120))
def test_only_the_device_itself_can_sign(other: str) -> None:
    phone = Phone()
    key = phone.device.key
    assert key is not None
    proof = phone.proof("hsr_token")
    assert proves_possession(key, "hsr_token", proof)
    assert not proves_possession(key, "hsr_token2", proof)
    assert not proves_possession(key, "hsr_token", Phone().proof("hsr_token"))
    assert other == proof or not proves_possession(key, "hsr_token", other)

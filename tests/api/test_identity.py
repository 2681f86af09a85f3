"""Identity over HTTP: coming in, being somebody, leaving, and what each may reach."""

from typing import Any

import httpx
import pytest
from litestar import Litestar, get
from litestar.testing import TestClient
from pyotp.totp import TOTP

from api.authorization import check_declarations, permission_of, require_permission, route_handlers
from api.problems import exception_handlers
from identity.authority import Authority
from identity.policy import Permission
from tests.api.conftest import Api, Door
from tests.identity.practice import PASSWORD, Phone, Practice, token_of
from tests.identity.software_authenticator import SoftwareAuthenticator

TESS = "tess@larkspur.example"


async def sign_in(client: httpx.AsyncClient, email: str = TESS, password: str = PASSWORD) -> httpx.Response:
    return await client.post("/v1/auth/sign-in", json={"email": email, "password": password})


def bearer(answer: httpx.Response | dict[str, Any]) -> dict[str, str]:
    content: dict[str, Any] = answer if isinstance(answer, dict) else answer.json()
    return {"Authorization": f"Bearer {content.get('tokens', content)['access_token']}"}


async def new_patient(client: httpx.AsyncClient, location_id: str, family_name: str = "Alder") -> str:
    answer = await client.post(
        "/v1/patients",
        json={
            "location_id": location_id,
            "given_name": "Ana",
            "family_name": family_name,
            "birth_date": "1961-05-17",
        },
    )
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


# --- coming in ----------------------------------------------------------------------------------------------


async def test_a_therapist_signs_in_and_learns_who_they_are(
    anonymous: httpx.AsyncClient, practice: Practice
) -> None:
    member = await practice.hire(location_ids=[practice.north.id])
    answer = await sign_in(anonymous)
    assert answer.status_code == 200
    assert answer.json()["status"] == "signed_in"
    me = await anonymous.get("/v1/me", headers=bearer(answer))
    assert me.json() == answer.json()["me"]
    assert me.json() == {
        "kind": "staff",
        "id": member.id,
        "name": "Tess Trainor",
        "roles": ["therapist"],
        "organization": {
            "id": practice.access.organization_id,
            "name": "Larkspur Physical Therapy",
            "time_zone": "America/Chicago",
            "demo": False,
        },
        "location_ids": [practice.north.id],
        "language": "en",
        "units": "us",
    }


async def test_refusals_say_how_to_sign_in_and_nothing_else(
    anonymous: httpx.AsyncClient, practice: Practice
) -> None:
    await practice.hire()
    wrong = await sign_in(anonymous, password="not the password at all")
    unknown = await sign_in(anonymous, email="nobody@larkspur.example")
    for answer in (wrong, unknown):
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="homestretch"'
        assert answer.headers["Content-Type"] == "application/problem+json"
    one, other = wrong.json(), unknown.json()
    del one["instance"], other["instance"]
    assert one == other


@pytest.mark.parametrize(
    ("header", "error"),
    [
        (None, None),
        ("Basic dGVzczp3b3Jk", None),
        ("Bearer", None),
        ("Bearer nonsense", 'error="invalid_token"'),
        ("bearer x.y.z", 'error="invalid_token"'),
        (b"Bearer \xff\xfe", 'error="invalid_token"'),
    ],
)
async def test_every_401_names_the_scheme_and_an_error_only_if_a_token_came(
    anonymous: httpx.AsyncClient, header: str | bytes | None, error: str | None
) -> None:
    headers = {} if header is None else {"Authorization": header}
    answer = await anonymous.get("/v1/me", headers=headers)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] - bytes too
    assert answer.status_code == 401
    challenge = answer.headers["WWW-Authenticate"]
    assert challenge.startswith('Bearer realm="homestretch"')
    assert ("error=" in challenge) == (error is not None)
    assert error is None or error in challenge


async def test_too_many_guesses_are_told_when_to_come_back(
    anonymous: httpx.AsyncClient, practice: Practice
) -> None:
    await practice.hire()
    for number in range(10):
        assert (await sign_in(anonymous, password=f"wrong password {number}")).status_code == 401
    answer = await sign_in(anonymous)
    assert answer.status_code == 429
    assert 0 < int(answer.headers["Retry-After"]) <= 360


async def test_an_organization_that_requires_a_second_factor(anonymous: httpx.AsyncClient, api: Api) -> None:
    authority: Authority = api.app.state.authority
    strict = await Practice.open(authority, second_factor_required=True)
    await strict.hire(roles=("administrator",))
    first = await sign_in(anonymous)
    assert first.json()["status"] == "enrolment_required"
    assert (await anonymous.get("/v1/staff", headers=bearer(first))).status_code == 403
    enrolment = (await anonymous.post("/v1/auth/totp", headers=bearer(first))).json()
    assert "Larkspur" in enrolment["otpauth_uri"]
    app = TOTP(enrolment["secret"])
    confirmed = await anonymous.post(
        "/v1/auth/totp/confirmation", headers=bearer(first), json={"code": app.now()}
    )
    assert len(confirmed.json()["recovery_codes"]) == 10
    assert (await anonymous.get("/v1/staff", headers=bearer(first))).status_code == 200
    second = await sign_in(anonymous)
    assert second.json()["methods"] == ["totp"]
    assert "tokens" not in second.json()
    challenge = second.json()["challenge"]
    for bad in ({}, {"totp_code": "1", "recovery_code": "2"}):
        refused = await anonymous.post("/v1/auth/second-factor", json={"challenge": challenge, **bad})
        assert refused.status_code == 422
    reused = await anonymous.post(
        "/v1/auth/second-factor", json={"challenge": challenge, "totp_code": app.now()}
    )
    assert reused.status_code == 401
    recovered = await anonymous.post(
        "/v1/auth/second-factor",
        json={"challenge": challenge, "recovery_code": confirmed.json()["recovery_codes"][0]},
    )
    assert recovered.json()["status"] == "signed_in"
    assert (await anonymous.delete("/v1/auth/totp", headers=bearer(recovered))).status_code == 409


async def test_a_passkey_from_registration_to_signing_in_without_a_name(
    anonymous: httpx.AsyncClient, practice: Practice
) -> None:
    await practice.hire()
    headers = bearer(await sign_in(anonymous))
    device = SoftwareAuthenticator(practice.authority.relying_party.origins[-1])
    options = (await anonymous.post("/v1/auth/passkeys/registration", headers=headers)).json()
    registered = await anonymous.post(
        "/v1/auth/passkeys", headers=headers, json={"credential": device.create(options), "name": "Key"}
    )
    assert registered.status_code == 201
    (listed,) = (await anonymous.get("/v1/auth/passkeys", headers=headers)).json()
    assert listed["name"] == "Key"
    challenged = (await sign_in(anonymous)).json()
    assert challenged["methods"] == ["passkey"]
    answered = await anonymous.post(
        "/v1/auth/second-factor",
        json={
            "challenge": challenged["challenge"],
            "passkey": device.get(challenged["passkey_options"]),
        },
    )
    assert answered.json()["status"] == "signed_in"
    begun = (await anonymous.post("/v1/auth/passkeys/authentication")).json()
    alone = await anonymous.post(
        "/v1/auth/second-factor",
        json={"challenge": begun["challenge"], "passkey": device.get(begun["options"])},
    )
    assert alone.json()["me"]["name"] == "Tess Trainor"
    removed = await anonymous.delete(f"/v1/auth/passkeys/{listed['id']}", headers=bearer(alone))
    assert removed.status_code == 204


async def test_a_patient_comes_in_by_invitation_and_stays_with_the_phone(
    anonymous: httpx.AsyncClient, practice: Practice, door: Door
) -> None:
    therapist = await door.staff("therapist")
    patient_id = await new_patient(therapist, practice.north.id)
    invitation = (await therapist.post(f"/v1/patients/{patient_id}/invitation")).json()
    phone = Phone()
    key = phone.device.key
    assert key is not None
    form = {
        "token": token_of(invitation["link"]),
        "code": invitation["code"],
        "device_name": "Ana's phone",
        "device_key": key.to_jwk(),
    }
    accepted = await anonymous.post("/v1/auth/invitations", json=form)
    assert accepted.json()["status"] == "signed_in"
    assert accepted.json()["me"]["name"] == "Ana Alder"
    assert accepted.json()["me"]["location_ids"] == [practice.north.id]
    assert (await anonymous.post("/v1/auth/invitations", json=form)).status_code == 401
    token = accepted.json()["tokens"]["refresh_token"]
    unsigned = await anonymous.post("/v1/auth/refresh", json={"refresh_token": token})
    assert unsigned.status_code == 401
    refreshed = await anonymous.post(
        "/v1/auth/refresh", json={"refresh_token": token, "device_proof": phone.proof(token)}
    )
    assert refreshed.status_code == 200
    me = await anonymous.get("/v1/me", headers=bearer(refreshed))
    assert (me.json()["kind"], me.json()["id"]) == ("patient", patient_id)
    other = await new_patient(therapist, practice.north.id, "Birch")
    assert (await anonymous.get(f"/v1/patients/{patient_id}", headers=bearer(refreshed))).status_code == 200
    assert (await anonymous.get(f"/v1/patients/{other}", headers=bearer(refreshed))).status_code == 404
    assert (await anonymous.get("/v1/patients", headers=bearer(refreshed))).status_code == 403


async def test_a_colleague_is_added_invited_and_chooses_a_password(
    anonymous: httpx.AsyncClient, practice: Practice, door: Door
) -> None:
    administrator = await door.staff("administrator")
    added = await administrator.post(
        "/v1/staff",
        json={
            "name": "Otto Okafor",
            "email": "otto@larkspur.example",
            "roles": ["assistant"],
            "location_ids": [practice.south.id],
        },
    )
    assert added.status_code == 201
    invited = await administrator.post(f"/v1/staff/{added.json()['id']}/invitation")
    assert invited.status_code == 201
    form = {
        "token": token_of(invited.json()["link"]),
        "code": invited.json()["code"],
        "password": "short",
    }
    weak = await anonymous.post("/v1/auth/staff-invitations", json=form)
    assert weak.status_code == 422
    assert [fault["pointer"] for fault in weak.json()["errors"]] == ["/password"]
    accepted = await anonymous.post("/v1/auth/staff-invitations", json={**form, "password": PASSWORD})
    assert accepted.json()["status"] == "signed_in"
    assert (await sign_in(anonymous, "otto@larkspur.example")).json()["me"]["roles"] == ["assistant"]


# --- leaving ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "leaving-now"}])
async def test_signing_out_everywhere_ends_every_token_at_once(
    anonymous: httpx.AsyncClient, practice: Practice, headers: dict[str, str]
) -> None:
    await practice.hire()
    phone, tablet = await sign_in(anonymous), await sign_in(anonymous)
    for answer in (phone, tablet):
        assert (await anonymous.get("/v1/me", headers=bearer(answer))).status_code == 200
    left = await anonymous.post("/v1/auth/sign-out-everywhere", headers={**bearer(phone), **headers})
    assert left.status_code == 204
    for answer in (phone, tablet):
        assert (await anonymous.get("/v1/me", headers=bearer(answer))).status_code == 401
        refresh = {"refresh_token": answer.json()["tokens"]["refresh_token"]}
        assert (await anonymous.post("/v1/auth/refresh", json=refresh)).status_code == 401


async def test_signing_out_leaves_the_other_devices_alone(
    anonymous: httpx.AsyncClient, practice: Practice
) -> None:
    await practice.hire()
    phone, tablet = await sign_in(anonymous), await sign_in(anonymous)
    assert (await anonymous.post("/v1/auth/sign-out", headers=bearer(phone))).status_code == 204
    assert (await anonymous.get("/v1/me", headers=bearer(phone))).status_code == 401
    assert (await anonymous.get("/v1/me", headers=bearer(tablet))).status_code == 200


# --- what each may reach ------------------------------------------------------------------------------------


async def test_staff_are_changed_by_version_and_by_administrators_only(
    practice: Practice, door: Door
) -> None:
    member = await practice.hire()
    administrator, therapist = await door.staff("administrator"), await door.staff("therapist")
    address = f"/v1/staff/{member.id}"
    read = await therapist.get(address)
    assert read.headers["ETag"] == '"1"'
    change = {"name": "Tess T. Trainor"}
    forbidden = await therapist.patch(address, json=change, headers={"If-Match": '"1"'})
    assert forbidden.status_code == 403
    assert (await administrator.patch(address, json=change)).status_code == 428
    changed = await administrator.patch(address, json=change, headers={"If-Match": '"1"'})
    assert (changed.status_code, changed.headers["ETag"]) == (200, '"2"')
    assert (await administrator.patch(address, json=change, headers={"If-Match": '"1"'})).status_code == 412


async def test_another_organizations_staff_and_locations_are_not_found(
    api: Api, practice: Practice, door: Door
) -> None:
    authority: Authority = api.app.state.authority
    elsewhere = await Practice.open(authority)
    stranger = await elsewhere.hire("stranger@elsewhere.example")
    administrator = await door.staff("administrator")
    any_version = {"If-Match": "*"}
    answers = [
        await administrator.get(f"/v1/staff/{stranger.id}"),
        await administrator.patch(f"/v1/staff/{stranger.id}", json={"active": False}, headers=any_version),
        await administrator.post(f"/v1/staff/{stranger.id}/invitation"),
        await administrator.delete(f"/v1/staff/{stranger.id}/second-factor"),
        await administrator.patch(
            f"/v1/locations/{elsewhere.north.id}", json={"active": False}, headers=any_version
        ),
    ]
    assert [answer.status_code for answer in answers] == [404] * 5
    listed = (await administrator.get("/v1/locations")).json()
    assert {location["id"] for location in listed} == {practice.north.id, practice.south.id}


async def test_the_organization_is_described_and_changed(practice: Practice, door: Door) -> None:
    administrator = await door.staff("administrator")
    read = await administrator.get("/v1/organization")
    assert read.json()["name"] == "Larkspur Physical Therapy"
    changed = await administrator.patch(
        "/v1/organization",
        json={"second_factor_required": True},
        headers={"If-Match": read.headers["ETag"]},
    )
    assert changed.json()["second_factor_required"] is True
    opened = await administrator.post("/v1/locations", json={"name": "West", "time_zone": "America/Denver"})
    assert opened.status_code == 201
    closed = await administrator.patch(
        f"/v1/locations/{opened.json()['id']}",
        json={"active": False},
        headers={"If-Match": opened.headers["ETag"]},
    )
    assert closed.json()["active"] is False
    nowhere = await administrator.post("/v1/locations", json={"name": "X", "time_zone": "Mars/Olympus"})
    assert nowhere.status_code == 422
    assert practice.access.organization_id == read.json()["id"]


async def test_emergency_access_over_http(practice: Practice, door: Door) -> None:
    here = await door.staff("therapist", location_ids=[practice.north.id])
    there = await door.staff("therapist", "biller", location_ids=[practice.south.id])
    patient_id = await new_patient(there, practice.south.id)
    other_id = await new_patient(there, practice.south.id, "Birch")
    assert (await here.get(f"/v1/patients/{patient_id}")).status_code == 404
    short = await here.post("/v1/emergency-access", json={"patient_id": patient_id, "reason": "urgent"})
    assert short.status_code == 422
    form = {"patient_id": patient_id, "reason": "Collapsed in the waiting room, therapist away."}
    opened = await here.post("/v1/emergency-access", json=form)
    assert (opened.status_code, opened.json()["expires_in_s"]) == (201, 3600)
    elevated = bearer(opened)
    read = await here.get(f"/v1/patients/{patient_id}", headers=elevated)
    assert read.json()["family_name"] == "Alder"
    assert (await here.get(f"/v1/patients/{other_id}", headers=elevated)).status_code == 404
    change = {"given_name": "Anna"}
    for address in (patient_id, other_id):
        written = await here.patch(
            f"/v1/patients/{address}", json=change, headers={**elevated, "If-Match": "*"}
        )
        assert written.status_code == 403
    assert (await here.post("/v1/emergency-access", headers=elevated, json=form)).status_code == 403
    made_up = await here.post("/v1/emergency-access", json={**form, "patient_id": "pat_0"})
    assert made_up.status_code == 404
    manager = await door.staff("manager")
    (shown,) = (await manager.get("/v1/emergency-access")).json()["items"]
    assert (shown["patient_id"], shown["reason"]) == (patient_id, form["reason"])
    assert (await here.get("/v1/emergency-access")).status_code == 403


async def test_without_a_token_nothing_but_the_public_routes_answers(api: Api) -> None:
    async with httpx.AsyncClient(base_url=api.url) as client:
        refused = 0
        for route in api.app.routes:
            for handler in getattr(route, "route_handlers", ()):
                if permission_of(handler) is Permission.PUBLIC:
                    continue
                address = route.path_format.replace("{", "").replace("}", "")
                for method in handler.http_methods:
                    answer = await client.request(method, address)
                    assert answer.status_code == 401, (method, address)
                    refused += 1
    assert refused > 40


def test_a_route_that_declares_nothing_stops_the_application_from_starting() -> None:
    @get("/forgotten")
    async def forgotten() -> str:
        return "secret"

    app = Litestar([forgotten], on_startup=[check_declarations], openapi_config=None)
    refusal = pytest.RaisesGroup(
        pytest.RaisesExc(RuntimeError, match="forgotten"), allow_unwrapped=True, flatten_subgroups=True
    )
    with refusal, TestClient(app):
        pass


def test_a_route_that_declares_nothing_is_closed_even_so() -> None:
    @get("/forgotten")
    async def forgotten() -> str:
        return "secret"

    app = Litestar(
        [forgotten],
        guards=[require_permission],
        exception_handlers=exception_handlers(),
        openapi_config=None,
        logging_config=None,
    )
    with TestClient(app, raise_server_exceptions=False) as client:
        answer = client.get("/forgotten")
    assert answer.status_code == 401
    assert "secret" not in answer.text


def test_every_route_of_the_application_declares_its_permission(api: Api) -> None:
    check_declarations(api.app)
    declared = {permission_of(handler) for handler in route_handlers(api.app)}
    assert None not in declared

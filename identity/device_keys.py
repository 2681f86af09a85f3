"""Binding a sign-in to the device that made it.

The device creates an ECDSA P-256 key pair it cannot export (WebCrypto, Secure Enclave, Android Keystore),
hands over the public half at sign-in, and signs every refresh token that it redeems. A copied refresh token
is then worth nothing elsewhere. The token itself is what is signed: it changes with every use, so no clock of
a phone and no extra round trip for a nonce is involved.
"""

import base64
import binascii
from typing import Annotated, Literal

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePublicKey,
    EllipticCurvePublicNumbers,
)
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from core.errors import FieldFault, Invalid

_COORDINATE_BYTES = 32
_CONTEXT = b"homestretch-refresh-v1:"


Coordinate = Annotated[
    str,
    msgspec.Meta(
        min_length=43,
        max_length=43,
        pattern="^[A-Za-z0-9_-]+$",
        examples=["MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4"],
    ),
]
"""32 bytes in base64url."""


class DeviceKey(msgspec.Struct, frozen=True):
    """The public half of a device's P-256 key, as `crypto.subtle.exportKey("jwk", key)` gives it."""

    kty: Literal["EC"]
    crv: Literal["P-256"]
    x: Coordinate
    y: Coordinate

    @classmethod
    def from_jwk(cls, jwk: dict[str, str]) -> "DeviceKey":
        return msgspec.convert(jwk, cls)

    def to_jwk(self) -> dict[str, str]:
        """The JSON Web Key (RFC 7517) to store."""
        return {"kty": self.kty, "crv": self.crv, "x": self.x, "y": self.y}

    def public_key(self) -> EllipticCurvePublicKey:
        """The key, or `Invalid` if it is not a point of the curve."""
        try:
            x, y = _decode(self.x), _decode(self.y)
            if len(x) != _COORDINATE_BYTES or len(y) != _COORDINATE_BYTES:
                raise ValueError("a P-256 coordinate has 32 bytes")  # noqa: TRY301 - one handler for every fault
            numbers = EllipticCurvePublicNumbers(int.from_bytes(x), int.from_bytes(y), SECP256R1())
            return numbers.public_key()
        except ValueError as error:
            fault = FieldFault("/device_key", "not a P-256 public key")
            raise Invalid("The device key is not valid.", [fault]) from error


def message_to_sign(refresh_token: str) -> bytes:
    """The bytes that the device signs to redeem `refresh_token`."""
    return _CONTEXT + refresh_token.encode()


def proves_possession(key: DeviceKey, refresh_token: str, proof: str) -> bool:
    """Whether `proof` is the device's signature for `refresh_token`.

    `proof` is base64url of 64 bytes, r then s, as WebCrypto's `sign({name: "ECDSA", hash: "SHA-256"})` gives.
    """
    try:
        signature = _decode(proof)
    except ValueError:
        return False
    if len(signature) != 2 * _COORDINATE_BYTES:
        return False
    r, s = signature[:_COORDINATE_BYTES], signature[_COORDINATE_BYTES:]
    try:
        key.public_key().verify(
            encode_dss_signature(int.from_bytes(r), int.from_bytes(s)),
            message_to_sign(refresh_token),
            ECDSA(SHA256()),
        )
    except InvalidSignature:
        return False
    return True


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError("not base64url") from error

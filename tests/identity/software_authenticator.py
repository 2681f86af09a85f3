"""A passkey authenticator in software: what a phone's secure chip does, as far as WebAuthn can tell.

It makes ES256 credentials with attestation `none` and signs assertions, byte for byte as the W3C
recommendation "Web Authentication Level 3" lays them out (sections 6.1 and 6.5).
"""

import base64
import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.hashes import SHA256
from webauthn.helpers import encode_cbor

_USER_PRESENT = 0x01
_USER_VERIFIED = 0x04
_ATTESTED = 0x40


@dataclass
class SoftwareAuthenticator:
    """Holds one passkey for one relying party."""

    origin: str
    verifies_user: bool = True
    credential_id: bytes = field(default_factory=lambda: secrets.token_bytes(16))
    private_key: EllipticCurvePrivateKey = field(default_factory=lambda: generate_private_key(SECP256R1()))
    sign_count: int = 0
    user_handle: bytes = b""

    def create(self, options: dict[str, Any]) -> dict[str, Any]:
        """What `navigator.credentials.create({publicKey: options})` resolves to, as JSON."""
        self.user_handle = decoded(options["user"]["id"])
        attested = bytes(16) + len(self.credential_id).to_bytes(2) + self.credential_id + self._cose_key()
        auth_data = self._auth_data(options["rp"]["id"], _ATTESTED) + attested
        attestation = encode_cbor({"fmt": "none", "attStmt": {}, "authData": auth_data})
        client_data = self._client_data("webauthn.create", options["challenge"])
        return {
            "id": encoded(self.credential_id),
            "rawId": encoded(self.credential_id),
            "type": "public-key",
            "response": {"clientDataJSON": encoded(client_data), "attestationObject": encoded(attestation)},
        }

    def get(self, options: dict[str, Any]) -> dict[str, Any]:
        """What `navigator.credentials.get({publicKey: options})` resolves to, as JSON."""
        self.sign_count += 1
        auth_data = self._auth_data(options["rpId"], 0)
        client_data = self._client_data("webauthn.get", options["challenge"])
        signature = self.private_key.sign(auth_data + hashlib.sha256(client_data).digest(), ECDSA(SHA256()))
        return {
            "id": encoded(self.credential_id),
            "rawId": encoded(self.credential_id),
            "type": "public-key",
            "response": {
                "clientDataJSON": encoded(client_data),
                "authenticatorData": encoded(auth_data),
                "signature": encoded(signature),
                "userHandle": encoded(self.user_handle),
            },
        }

    def _auth_data(self, rp_id: str, flags: int) -> bytes:
        flags |= _USER_PRESENT | (_USER_VERIFIED if self.verifies_user else 0)
        return hashlib.sha256(rp_id.encode()).digest() + bytes([flags]) + self.sign_count.to_bytes(4)

    def _client_data(self, kind: str, challenge: str) -> bytes:
        return json.dumps(
            {"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False}
        ).encode()

    def _cose_key(self) -> bytes:
        numbers = self.private_key.public_key().public_numbers()
        return encode_cbor({1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32), -3: numbers.y.to_bytes(32)})


def encoded(content: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def decoded(text: str) -> bytes:
    """The bytes behind base64url without padding."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))

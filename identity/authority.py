"""What identity needs at hand in a process: the database, the keys that sign tokens, and who is signed in."""

from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from core.database import Database
from core.platform import Platform
from identity.authentication import Authenticator
from identity.tokens import TokenSigner


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """Who asks for passkeys: a passkey made for one domain is useless on any other."""

    id: str
    """The domain."""
    origins: list[str]
    """Scheme, host and port of the pages that may ask."""

    @classmethod
    def of(cls, url: str) -> "RelyingParty":
        """The relying party behind the public address of this installation.

        WebAuthn knows domains only: an installation without one, on the loopback address, is `localhost`.
        """
        parts = urlsplit(url)
        host = parts.hostname or "localhost"
        origin = f"{parts.scheme}://{parts.netloc}"
        if not _is_address(host):
            return cls(host, [origin])
        port = "" if parts.port is None else f":{parts.port}"
        return cls("localhost", [origin, f"{parts.scheme}://localhost{port}"])


@dataclass(frozen=True, slots=True)
class Authority:
    """Lets people in. One for each process; use cases that need more than an `Access` take it."""

    database: Database
    access_tokens: TokenSigner
    challenges: TokenSigner
    callers: Authenticator
    relying_party: RelyingParty
    public_url: str

    @classmethod
    def of(cls, platform: Platform) -> "Authority":
        """The authority of an opened platform."""
        database = platform.database
        access_tokens = TokenSigner(database.keys.derive("identity/access-token"), "at+jwt")
        return cls(
            database=database,
            access_tokens=access_tokens,
            challenges=TokenSigner(database.keys.derive("identity/challenge"), "challenge+jwt"),
            callers=Authenticator(database, access_tokens),
            relying_party=RelyingParty.of(platform.settings.external_url),
            public_url=platform.settings.external_url,
        )


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True

"""Who stands behind one request, once their token has been verified."""

from dataclasses import dataclass

from core.access import Actor
from identity.policy import Permission


@dataclass(frozen=True, slots=True)
class Caller:
    """The actor of a request and what this sign-in lets them do.

    The permissions are those of the actor's roles, narrowed while a second factor is still to be enrolled and
    during emergency access.
    """

    actor: Actor
    permissions: frozenset[Permission]

"""Passwords: which are strong enough, and how they are kept.

The rule is that of NIST SP 800-63B-4, section 3.1.1.2: a minimum length, a list of values that are known to
be guessed, and no demands on composition or on changing passwords at intervals. Hashes are Argon2id with the
second recommended setting of RFC 9106 (64 MiB, 3 passes), computed off the event loop.
"""

import asyncio
import string
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib.resources import files
from itertools import pairwise
from secrets import token_urlsafe
from typing import TypeVar

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from core.errors import FieldFault, Invalid

Result = TypeVar("Result")

MINIMUM_LENGTH = 12
MAXIMUM_LENGTH = 128
_LEAST_DISTINCT_CHARACTERS = 5
_SHORTEST_CONTEXT_WORD = 4
_DECORATION = string.digits + string.punctuation
_MOST_DECORATION = 8
_LOOK_ALIKES = str.maketrans("@013457$!", "aoieastsi")

_hasher = PasswordHash((Argon2Hasher(),))

_DECOY = _hasher.hash(token_urlsafe(32))

# Each hash takes 64 MiB and a tenth of a CPU second: a burst of sign-ins waits rather than exhausting either.
_hashing = ThreadPoolExecutor(max_workers=2, thread_name_prefix="argon2")


def weakness(password: str, context: tuple[str, ...] = ()) -> str | None:
    """Why `password` is too weak, in words for the person who chose it; None if it is good.

    `context` are words that an attacker would try first: the person's name, e-mail, organization.
    """
    folded = _normal(password).casefold()
    if len(folded) < MINIMUM_LENGTH:
        return f"Use at least {MINIMUM_LENGTH} characters. A few unrelated words make a good password."
    if len(folded) > MAXIMUM_LENGTH:
        return f"Use at most {MAXIMUM_LENGTH} characters."
    if _is_pattern(folded) or _is_dressed_up(folded):
        return "This password is among the first ones an attacker tries. Choose another."
    remainder = folded
    for word in context:
        for part in _words(word):
            remainder = remainder.replace(part, "")
    if len(remainder) < MINIMUM_LENGTH // 2:
        return "Do not build the password from your own name, address or organization."
    return None


def require_strength(password: str, context: tuple[str, ...] = (), *, pointer: str = "/password") -> None:
    """Raise `Invalid` with the reason if `password` is too weak."""
    reason = weakness(password, context)
    if reason is not None:
        raise Invalid("The password is too weak.", [FieldFault(pointer, reason)])


async def hash_password(password: str) -> str:
    """The Argon2id hash to store, in PHC string format."""
    return await _in_turn(_hasher.hash, _normal(password))


async def verify_password(password: str, stored: str | None) -> bool:
    """Whether `password` is the one behind `stored`.

    Costs one hash in any case: with nothing stored, against a hash that no password matches, so that the time
    taken does not tell whether there is an account.
    """
    presented = _normal(password[: MAXIMUM_LENGTH + 1])
    matches = await _in_turn(_hasher.verify, presented, stored or _DECOY)
    return matches and stored is not None


async def _in_turn(work: Callable[..., Result], *arguments: str) -> Result:
    return await asyncio.get_running_loop().run_in_executor(_hashing, work, *arguments)


def _normal(password: str) -> str:
    """The same characters typed on another keyboard are the same password (NFKC, as NIST recommends)."""
    return unicodedata.normalize("NFKC", password)


def _is_pattern(text: str) -> bool:
    """Whether the characters repeat or merely follow each other, as in `aaaa…`, `abcabc…`, `12345678…`."""
    if len(set(text)) < _LEAST_DISTINCT_CHARACTERS:
        return True
    steps = {ord(after) - ord(before) for before, after in pairwise(text)}
    if steps <= {1, -9} or steps <= {-1, 9}:
        return True
    return any(text == (text[:size] * len(text))[: len(text)] for size in range(1, len(text) // 2 + 1))


def _is_dressed_up(folded: str) -> bool:
    """Whether this is one or two common words with digits, signs and look-alikes, as in `P@ssw0rd2026!`."""
    compact = "".join(folded.split())
    core = compact.strip(_DECORATION)
    decoration = compact.replace(core, "", 1) if core else compact
    plain = "".join(letter for letter in core.translate(_LOOK_ALIKES) if letter.isalpha())
    common = _common()
    known = plain in common or any(
        plain[:cut] in common and plain[cut:] in common for cut in range(1, len(plain))
    )
    return known and (len(decoration) <= _MOST_DECORATION or _is_pattern(decoration))


def _words(text: str) -> list[str]:
    separated = "".join(character if character.isalnum() else " " for character in _normal(text).casefold())
    return [word for word in separated.split() if len(word) >= _SHORTEST_CONTEXT_WORD]


@cache
def _common() -> frozenset[str]:
    text = (files("identity") / "data" / "common_passwords.txt").read_text(encoding="utf-8")
    return frozenset(line for line in text.splitlines() if line and not line.startswith("#"))

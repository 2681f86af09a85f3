"""The form of names, birth dates, telephone numbers and e-mail addresses, and how they are found again."""

import contextlib
import datetime as dt
import re
import unicodedata
from collections.abc import Iterator

from core.errors import FieldFault

_PHONE = re.compile(r"\+[1-9]\d{6,14}")
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s.]+(\.[^@\s.]+)+")
_PHONE_PUNCTUATION = str.maketrans("", "", " -().")
_LONGEST_LIFE_YEARS = 130


def look_up_key(name: str) -> str:
    """A name without case, accents and extra spaces, so that Muñoz is found as MUNOZ."""
    decomposed = unicodedata.normalize("NFKD", name.casefold())
    return " ".join("".join(letter for letter in decomposed if not unicodedata.combining(letter)).split())


def plain_phone(phone: str) -> str:
    """The number without the spaces and brackets that people put in."""
    return phone.translate(_PHONE_PUNCTUATION)


def plain_email(email: str) -> str:
    return email.strip().lower()


def faults_of_identifiers(
    *,
    names: dict[str, str],
    birth_date: dt.date | None,
    phone: str | None,
    email: str | None,
    today: dt.date,
) -> Iterator[FieldFault]:
    """What is wrong with the identifiers given, by JSON pointer; `names` by field."""
    for field, name in names.items():
        if not name.strip():
            yield FieldFault(f"/{field}", "is blank")
    if birth_date is not None and not 0 <= today.year - birth_date.year <= _LONGEST_LIFE_YEARS:
        yield FieldFault("/birth_date", "is not the birth date of someone living")
    elif birth_date is not None and birth_date > today:
        yield FieldFault("/birth_date", "is in the future")
    if phone is not None and not _PHONE.fullmatch(plain_phone(phone)):
        yield FieldFault("/phone", "is not an international number (E.164) like +15555550123")
    if email is not None and not _EMAIL.fullmatch(plain_email(email)):
        yield FieldFault("/email", "is not an e-mail address")


def look_up_query(text: str) -> dict[str, object]:
    """The query for patients by what was typed: the family name, with or without the given name, birth date,

    telephone number or e-mail address. Identifiers are encrypted, so each must be typed in full.
    """
    words = look_up_key(text.replace(",", " ")).split()
    keys = sorted({" ".join(words[start:]) for start in range(len(words))} | {words[0]} if words else set())
    conditions: list[dict[str, object]] = [{"family_name_key": {"$in": keys}}]
    if _PHONE.fullmatch(plain_phone(text)):
        conditions.append({"phone": plain_phone(text)})
    if _EMAIL.fullmatch(plain_email(text)):
        conditions.append({"email": plain_email(text)})
    with contextlib.suppress(ValueError):
        conditions.append({"birth_date": dt.date.fromisoformat(text.strip()).isoformat()})
    return {"$or": conditions}

"""Looking for a text in files, in every form in which programs write texts down."""

from __future__ import annotations

import base64
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

_SHORTEST = 8
"""Bytes below which a form would be found by chance."""


@dataclass(frozen=True)
class Trace:
    """A text that was found: in which form, and where."""

    text: str
    form: str
    file: str


def forms_of(text: str) -> dict[str, bytes]:
    """The text as UTF-8, UTF-16, JSON and URL escapes, hexadecimal and Base64, all in lower case.

    Base64 shows a text differently at each of three offsets, and blurs its ends: those are left out.
    """
    variants = {"": text, "unaccented ": _unaccented(text)}
    forms: dict[str, bytes] = {}
    for name, variant in variants.items():
        for cased in (variant, variant.lower(), variant.upper()):
            plain = {
                "utf-8": cased.encode(),
                "latin-1": cased.encode("latin-1"),
                "utf-16-le": cased.encode("utf-16-le"),
                "utf-16-be": cased.encode("utf-16-be"),
            }
            for encoding, content in plain.items():
                # Bytes beyond ASCII have no case to fold, hence each casing by itself.
                forms[f"{name}{encoding} {cased}"] = content.lower()
                forms[f"{name}{encoding} {cased} hex"] = content.hex().encode()
                for offset in range(3):
                    key = f"{name}{encoding} {cased} base64+{offset}"
                    forms[key] = _base64_core(content, offset).lower()
                    forms[f"{key} url"] = forms[key].translate(bytes.maketrans(b"+/", b"-_"))
        forms[f"{name}json"] = variant.encode("ascii", "backslashreplace").replace(b"\\x", b"\\u00").lower()
        forms[f"{name}url"] = quote(variant).encode().lower()
    once = {form: name for name, form in forms.items() if len(form) >= _SHORTEST}
    return {name: form for form, name in once.items()}


def traces_in(folder: Path, texts: Iterable[str]) -> list[Trace]:
    """Every text found in the files below `folder`, in any form and case."""
    wanted: Mapping[str, dict[str, bytes]] = {text: forms_of(text) for text in texts}
    return [
        Trace(text, name, str(file.relative_to(folder)))
        for file, content in _contents(folder)
        for text, forms in wanted.items()
        for name, form in forms.items()
        if form in content
    ]


def _contents(folder: Path) -> Iterator[tuple[Path, bytes]]:
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            yield file, file.read_bytes().lower()


def _base64_core(content: bytes, offset: int) -> bytes:
    encoded = base64.b64encode(bytes(offset) + content)
    first = (offset * 8 + 5) // 6
    whole = (offset + len(content)) * 8 // 6
    return encoded[first:whole]


def _unaccented(text: str) -> str:
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()

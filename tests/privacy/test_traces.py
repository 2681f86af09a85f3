"""The search for identifiers finds what is there, however it is written."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.privacy.traces import traces_in

NAME = "Zéphyrine Quillfeather"

WRITTEN: dict[str, Callable[[str], bytes]] = {
    "UTF-8": lambda name: name.encode(),
    "upper case": lambda name: name.upper().encode(),
    "UTF-16": lambda name: name.encode("utf-16"),
    "big-endian UTF-16": lambda name: name.encode("utf-16-be"),
    "Latin-1": lambda name: name.encode("latin-1"),
    "without accents": lambda name: name.replace("é", "e").encode(),
    "hexadecimal": lambda name: name.encode().hex().upper().encode(),
    "JSON": lambda name: json.dumps({"n": name}).encode(),
    "an address": lambda name: f"/patients?q={quote(name)}".encode(),
    "Base64": lambda name: base64.b64encode(name.encode()),
    "Base64, one byte later": lambda name: base64.b64encode(b"<" + name.encode() + b">"),
    "Base64, two bytes later": lambda name: base64.b64encode(b"<<" + name.encode() + b">>"),
    "Base64 of lower case": lambda name: base64.urlsafe_b64encode(b"x" + name.lower().encode()),
}


@pytest.mark.parametrize("written", WRITTEN)
def test_a_name_is_found_however_it_is_written(tmp_path: Path, written: str) -> None:
    noise = bytes(range(256)) * 8
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "file").write_bytes(noise + WRITTEN[written](NAME) + noise)
    assert {(trace.text, trace.file) for trace in traces_in(tmp_path, [NAME])} == {(NAME, "inner/file")}


def test_nothing_is_found_where_nothing_is(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"Zephyr, Quill & feather" + bytes(range(256)) * 8)
    assert traces_in(tmp_path, [NAME]) == []

"""`Upload-Metadata` of the tus protocol: comma-separated keys, each with an optional Base64 value."""

import base64
import binascii

from core.errors import Invalid

MAX_HEADER_CHARACTERS = 4096


def parse_metadata(header: str) -> dict[str, str]:
    """Keys and decoded values, the empty string for a key without a value.

    Raises:
        Invalid: for a header that is too long, repeats a key, or holds a value that is not Base64 of UTF-8.
    """
    if len(header) > MAX_HEADER_CHARACTERS:
        raise Invalid("Upload-Metadata is too long.")
    metadata: dict[str, str] = {}
    for pair in filter(None, (part.strip() for part in header.split(","))):
        key, _, encoded = pair.partition(" ")
        if not key.isascii() or key in metadata:
            raise Invalid("Each key of Upload-Metadata must be ASCII and appear once.")
        try:
            metadata[key] = base64.b64decode(encoded.strip(), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError) as error:
            raise Invalid("Each value of Upload-Metadata must be Base64 of UTF-8 text.") from error
    return metadata


def format_metadata(metadata: dict[str, str]) -> str:
    """The header that `parse_metadata` reads."""
    return ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in metadata.items())

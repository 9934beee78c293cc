"""Several files in one ZIP, the same bytes for the same content."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

#: The earliest time that a ZIP can name: when it was made is nobody's business.
_DATE_TIME = (1980, 1, 1, 0, 0, 0)
_UNIX = 3
_PLAIN_FILE = 0o100644 << 16
#: Compressed already.
_STORED = (".mp4", ".png")
_CHUNK_BYTES = 1 << 20


def write_zip(path: Path, members: Mapping[str, Path | bytes]) -> None:
    """Write a ZIP with one flat folder.

    Args:
        path: The file to write.
        members: What stands under which name; names without a separator.

    Raises:
        ValueError: A name is a path.
        OSError: A file can't be read or written.
    """
    with zipfile.ZipFile(path, "w") as archive:
        for name in sorted(members):
            _add(archive, name, members[name])


def _add(archive: zipfile.ZipFile, name: str, content: Path | bytes) -> None:
    if not name or name.startswith(".") or any(char in name for char in '/\\:\0"'):
        raise ValueError(f"{name!r} is no name for a file in a ZIP.")
    member = zipfile.ZipInfo(name, _DATE_TIME)
    member.create_system = _UNIX
    member.external_attr = _PLAIN_FILE
    stored = name.endswith(_STORED)
    member.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
    source = io.BytesIO(content) if isinstance(content, bytes) else content.open("rb")
    with source, archive.open(member, "w", force_zip64=True) as target:
        while chunk := source.read(_CHUNK_BYTES):
            target.write(chunk)

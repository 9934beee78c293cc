"""Lists of videos: JSON lines or Parquet with ``video``, and perhaps query and id."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stablechat.cli.batch.storage import fetched, is_remote
from stablechat.cli.texts import one_line
from stablechat.errors import InputError

#: Endings by which a list is known.
MANIFEST_ENDINGS = (".jsonl", ".ndjson", ".parquet")
_COLUMNS = ("video", "query", "id")
_MAX_LINE_BYTES = 1 << 20
_MAX_ID_CHARACTERS = 200
_ROWS_PER_READ = 10_000


@dataclass(frozen=True)
class Row:
    """One line of a list.

    Attributes:
        video: Address; a relative one begins where the list lies.
        query: What to look for; None is what the command line says.
        id: What to call the result; None leaves that to us.
    """

    video: str
    query: str | None = None
    id: str | None = None


def is_manifest(address: str) -> bool:
    """Whether an address means a list of videos, by its ending."""
    return address.lower().endswith(MANIFEST_ENDINGS)


def read_manifest(address: str) -> Iterator[Row]:
    """The rows of a list.

    Args:
        address: Normalised.

    Raises:
        InputError: It can't be read, or a row is none; the message has its number.
        StorageError: Storage does not answer.
    """
    with fetched(address) as path:
        is_table = address.lower().endswith(".parquet")
        rows = _parquet_rows(path) if is_table else _json_rows(path)
        for number, data in rows:
            yield _checked(data, address, number)


def _json_rows(path: Path) -> Iterator[tuple[int, object]]:
    try:
        with path.open("rb") as file:
            for number, line in enumerate(_lines(file), 1):
                if line.strip():
                    yield number, json.loads(line.decode("utf-8-sig"))
    except OSError as error:
        raise InputError(f"{path} can't be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"A line of {path.name} is not JSON: {error}.") from error


def _lines(file: Any) -> Iterator[bytes]:
    while line := file.readline(_MAX_LINE_BYTES + 1):
        if len(line) > _MAX_LINE_BYTES:
            raise ValueError(f"it is longer than {_MAX_LINE_BYTES} bytes")
        yield line


def _parquet_rows(path: Path) -> Iterator[tuple[int, object]]:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError as error:
        raise InputError(
            "Parquet needs pyarrow: pip install -r requirements-ray.txt."
        ) from error
    try:
        with parquet.ParquetFile(path) as table:
            names = [name for name in _COLUMNS if name in table.schema_arrow.names]
            number = 0
            for batch in table.iter_batches(_ROWS_PER_READ, columns=names):
                for row in batch.to_pylist():
                    number += 1
                    yield number, row
    except (OSError, ArrowException) as error:
        raise InputError(f"{path.name} can't be read: {one_line(str(error))}.") from (
            error
        )


def _checked(data: object, address: str, number: int) -> Row:
    about = f"Row {number} of {one_line(address)}"
    if not isinstance(data, Mapping):
        raise InputError(f"{about} must be an object with a video.")
    given: dict[str, str | None] = {}
    for name in _COLUMNS:
        value = data.get(name)
        if value is not None and not isinstance(value, str):
            raise InputError(f"{about}: {name} must be text.")
        given[name] = value
    video, known_as = given["video"], given["id"]
    if not video or "\0" in video:
        raise InputError(f"{about} has no video.")
    if known_as is not None and not _is_id(known_as):
        raise InputError(
            f"{about}: id must be 1 to {_MAX_ID_CHARACTERS} characters of one line."
        )
    return Row(_from_where(address, video), given["query"], known_as)


def _is_id(name: str) -> bool:
    return 0 < len(name) <= _MAX_ID_CHARACTERS and one_line(name) == name


def _from_where(manifest: str, video: str) -> str:
    """A relative address counted from the folder of the list."""
    if "://" in video:
        return video
    if is_remote(manifest):
        return posixpath.join(posixpath.dirname(manifest), video)
    return str(Path(manifest).parent / video)

"""Arguments as the library takes them; bad ones are refused before anything slow."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stablechat.errors import InputError
from stablechat.types import GenerationConfig, TimeSpan

if TYPE_CHECKING:
    from render.encoding import ClipOptions
    from render.exports import ExportFormat
    from stablechat.chat import StableChat


_MAX_QUERIES = 1000
_MAX_QUERIES_CHARACTERS = 1 << 20


@dataclass(frozen=True)
class Named:
    """What the positional arguments of ``ground`` name.

    Attributes:
        videos: As they were written.
        queries: What to look for.
    """

    videos: tuple[str, ...]
    queries: tuple[str, ...]


def named_inputs(args: argparse.Namespace) -> Named:
    """Tell the videos from the query, which stands last unless an option gives it.

    Raises:
        InputError: What stands last is a file, or there is no such file of queries.
    """
    inputs: list[str] = [args.video, *args.more]
    queries = queries_of(args)
    if queries:
        return Named(tuple(inputs), queries)
    *videos, query = inputs
    if not videos:
        return Named((query,), ("",))
    if os.path.exists(query):
        raise InputError(
            f"{query} stands last and is a file; what to look for stands there, or "
            "after --query."
        )
    return Named(tuple(videos), (query,))


def queries_of(args: argparse.Namespace) -> tuple[str, ...]:
    """What ``--query`` and ``--queries`` say to look for, each once.

    Raises:
        InputError: There is no such file of queries.
    """
    queries = list(args.queries)
    if args.queries_file is not None:
        queries += _read_queries(Path(args.queries_file))
    return tuple(dict.fromkeys(queries))


def _read_queries(path: Path) -> list[str]:
    """The lines of a file that are not blank.

    Raises:
        InputError: It can't be read, or holds none or too many.
    """
    try:
        if path.exists() and not path.is_file():  # a pipe would never end
            raise InputError(f"--queries {path} can't be read: it is not a file.")
        with path.open(encoding="utf-8-sig") as file:
            text = file.read(_MAX_QUERIES_CHARACTERS + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise InputError(f"--queries {path} can't be read: {reason}.") from error
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not 0 < len(lines) <= _MAX_QUERIES or len(text) > _MAX_QUERIES_CHARACTERS:
        raise InputError(
            f"--queries {path} must hold 1 to {_MAX_QUERIES} queries, one a line."
        )
    return lines


def set_limits(texts: Sequence[str]) -> None:
    """Take over what ``--limit`` said."""
    if texts:
        from stablechat.video import limits_from_texts, set_default_limits

        set_default_limits(limits_from_texts(texts))


def config_of(args: argparse.Namespace) -> GenerationConfig:
    """How to decode."""
    return GenerationConfig(
        max_new_tokens=args.max_new_tokens,
        temperature=args.temperature,
        top_p=args.top_p,
        seed=args.seed,
        speculation=args.speculation,
        grammar=args.grammar,
    )


def span_of(seconds: Sequence[float] | None) -> TimeSpan | None:
    """Two numbers as a stretch of time."""
    return None if seconds is None else TimeSpan(*seconds)


def check_video(name: str, *, allow_image: bool = False) -> Path:
    """Refuse a bad file before the model is loaded."""
    from stablechat.cli.videos import no_link
    from stablechat.video import probe

    path = Path(no_link(name))
    if allow_image:
        from stablechat.pictures import is_image

        if is_image(path):
            return path
    probe(path)
    return path


def load_chat(
    args: argparse.Namespace,
    report: Callable[[str, float], None] = lambda stage, fraction: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> StableChat:
    """The model.

    Raises:
        ModelError: It can't be found, fetched or loaded.
        CancelledError: ``cancelled`` said so.
    """
    from stablechat.chat import StableChat
    from stablechat.downloads import Watch

    return StableChat.from_pretrained(
        args.model,
        args.device,
        args.dtype,
        revision=args.revision,
        attn=args.attn,
        quantization=args.quantization,
        adapter=args.adapter,
        watch=Watch(report, cancelled),
    )


def export_formats(names: str | None, out: str | None) -> tuple[ExportFormat, ...]:
    """What ``--export`` asks for besides the usual files.

    Raises:
        InputError: There is no such format, or no folder for it.
    """
    if names is None:
        return ()
    if out is None:
        raise InputError("--export needs a folder to write to; give it with --out.")
    from render.exports import formats_named

    return formats_named(names)


def clip_options(args: argparse.Namespace) -> ClipOptions:
    """How ``clip`` cuts and draws.

    Raises:
        InputError: A number is out of range.
    """
    from render.encoding import ClipOptions

    before, after = args.pad
    return ClipOptions(
        pad_before_seconds=before, pad_after_seconds=after, trail_seconds=args.trail
    )

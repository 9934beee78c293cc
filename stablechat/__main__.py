"""The command line: ``python -m stablechat ground|describe|probe|clip``.

The entry point composes the library with ``render``, which nothing else in
``stablechat`` may import. Heavy imports stand where they are used, so that ``--help``
and ``probe`` load neither torch nor MoviePy, and bad input is refused before a model
is loaded.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import logging
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stablechat.arguments import parse_arguments
from stablechat.errors import CancelledError, StableChatError
from stablechat.folders import checked_folder, made_folder
from stablechat.types import GenerationConfig, Grounding, TimeSpan, VideoInfo

if TYPE_CHECKING:
    from types import FrameType

    from stablechat.chat import StableChat

EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130
_EXIT_BROKEN_PIPE = 141

_MAX_QUOTED_CHARACTERS = 300


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: Arguments without the program's name; None takes the process's own.

    Returns:
        The exit code: 0, 2 for bad input, 130 when interrupted.
    """
    args = parse_arguments(argv)
    _set_up_output(args.verbose)
    commands: dict[str, Callable[[argparse.Namespace], str]] = {
        "ground": _ground,
        "describe": _describe,
        "probe": _probe,
        "clip": _clip,
    }
    try:
        _set_limits(args.limit)
        # Libraries that print must not end up in the JSON.
        with redirect_stdout(sys.stderr):
            text = commands[args.command](args)
        print(text, flush=True)
    except (KeyboardInterrupt, CancelledError):
        return EXIT_INTERRUPTED
    except StableChatError as error:
        print(f"error: {_one_line(str(error))}", file=sys.stderr)
        return EXIT_BAD_INPUT
    except BrokenPipeError:
        # Python would complain again when it flushes stdout at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _EXIT_BROKEN_PIPE
    return 0


def _set_up_output(verbose: bool) -> None:
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.INFO if verbose else logging.ERROR,
        format="%(levelname)s %(name)s: %(message)s",
    )
    logging.captureWarnings(True)
    for stream in (sys.stdout, sys.stderr):
        # File names and models may hold what a terminal's encoding does not.
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


# --- commands: each returns what goes to stdout ---------------------------------


def _ground(args: argparse.Namespace) -> str:
    from stablechat.candidates import check_candidates
    from stablechat.questions import Question

    config, span, segment = _config(args), _span(args.span), _span(args.segment)
    Question(args.query, args.task, span, args.region, args.start)
    check_candidates(args.candidates)
    path = _check_video(args.video, allow_image=args.task == "rec")
    out = None if args.out is None else checked_folder(args.out)
    chat = _load(args)
    with _interruptible() as cancelled, _shown_progress() as report:
        grounding = chat.ground(
            path,
            args.query,
            args.task,
            span=span,
            region=args.region,
            start_seconds=args.start,
            segment=segment,
            at_seconds=args.at,
            candidates=args.candidates,
            choose=args.choose,
            config=config,
            on_progress=report,
            cancelled=cancelled,
        )
        files = _write_files(grounding, out, report, cancelled) if out else {}
    if args.json:
        from render.exports import grounding_to_dict

        return _to_json(grounding_to_dict(grounding, files))
    return _summary(grounding, files)


def _describe(args: argparse.Namespace) -> str:
    from stablechat.prompts import describe_prompt

    config, segment = _config(args), _span(args.segment)
    describe_prompt(args.question)
    path = _check_video(args.video)
    chat = _load(args)
    with _interruptible() as cancelled, _shown_progress() as report:
        description = chat.describe(
            path,
            args.question,
            segment=segment,
            config=config,
            on_progress=report,
            cancelled=cancelled,
        )
    if args.json:
        from render.exports import description_to_dict

        return _to_json(description_to_dict(description))
    for note in description.video.warnings:
        print(f"note: {note}", file=sys.stderr)
    return description.text or "The model gave no description."


def _probe(args: argparse.Namespace) -> str:
    from stablechat.video import probe

    return _to_json(_video_fields(probe(Path(args.video))))


def _clip(args: argparse.Namespace) -> str:
    from render.exports import load_grounding

    path = Path(args.video)
    grounding = load_grounding(Path(args.grounding), path)
    out = checked_folder(args.out)
    with _interruptible() as cancelled, _shown_progress() as report:
        with made_folder(out):
            clip = _cut(grounding, out / f"{path.stem}_clip.mp4", report, cancelled)
    return f"clip: {clip}"


# --- input ----------------------------------------------------------------------


def _set_limits(texts: Sequence[str]) -> None:
    if texts:
        from stablechat.video import limits_from_texts, set_default_limits

        set_default_limits(limits_from_texts(texts))


def _config(args: argparse.Namespace) -> GenerationConfig:
    return GenerationConfig(
        max_new_tokens=args.max_new_tokens,
        temperature=args.temperature,
        top_p=args.top_p,
        seed=args.seed,
        speculation=args.speculation,
        grammar=args.grammar,
    )


def _span(seconds: Sequence[float] | None) -> TimeSpan | None:
    return None if seconds is None else TimeSpan(*seconds)


def _check_video(name: str, *, allow_image: bool = False) -> Path:
    """Refuse a bad file before the model is loaded."""
    from stablechat.video import probe

    path = Path(name)
    if allow_image:
        from stablechat.pictures import is_image

        if is_image(path):
            return path
    probe(path)
    return path


def _load(args: argparse.Namespace) -> StableChat:
    from stablechat.chat import StableChat

    return StableChat.from_pretrained(
        args.model,
        args.device,
        args.dtype,
        revision=args.revision,
        attn=args.attn,
        quantization=args.quantization,
        adapter=args.adapter,
    )


# --- output ---------------------------------------------------------------------


def _write_files(
    grounding: Grounding,
    folder: Path,
    report: Callable[[str, float], None],
    cancelled: Callable[[], bool],
) -> dict[str, Path]:
    """Write the clip, if there is one to cut, and the JSON; both or neither."""
    from render.exports import grounding_to_dict, write_json

    stem = grounding.video.path.stem
    data = folder / f"{stem}_grounding.json"
    files = {"grounding": data}
    with made_folder(folder):
        if grounding.found and grounding.video.container != "image":
            clip = folder / f"{stem}_clip.mp4"
            files["clip"] = _cut(grounding, clip, report, cancelled)
        try:
            write_json(data, grounding_to_dict(grounding, files))
        except BaseException:
            if "clip" in files:
                files["clip"].unlink(missing_ok=True)
            raise
    return files


def _cut(
    grounding: Grounding,
    path: Path,
    report: Callable[[str, float], None],
    cancelled: Callable[[], bool],
) -> Path:
    from render.clipper import cut_clip

    cut_clip(
        grounding,
        path,
        on_progress=lambda fraction: report("draw", fraction),
        cancelled=cancelled,
    )
    return path


def _summary(grounding: Grounding, files: dict[str, Path]) -> str:
    lines = [_headline(grounding)]
    lines += [f"or: {_headline(other)}" for other in grounding.alternatives]
    lines += [f"{name}: {path}" for name, path in sorted(files.items())]
    notes = (*grounding.video.warnings, *grounding.issues)
    lines += [f"note: {note}" for note in notes]
    return "\n".join(lines)


def _headline(grounding: Grounding) -> str:
    boxes = 0 if grounding.tube is None else len(grounding.tube.times_seconds)
    told = f"{boxes} box{'' if boxes == 1 else 'es'}{_sure(grounding)}"
    span = grounding.span
    if span is not None:
        return (
            f"Found from {clock(span.start_seconds)} to {clock(span.end_seconds)} "
            f"({span.duration_seconds:.3f} s), {told}."
        )
    if grounding.tube is not None:
        x1, y1, x2, y2 = (f"{value:.0f}" for value in grounding.tube.xyxy[0])
        moment = clock(float(grounding.tube.times_seconds[0]))
        box = f"({x1}, {y1}) to ({x2}, {y2})"
        return f"Found at {moment} in the box {box}{_sure(grounding)}."
    said = _one_line(grounding.generation.text)[:_MAX_QUOTED_CHARACTERS]
    return f"Could not find it. The model said: {said or '(nothing)'}"


def _sure(grounding: Grounding) -> str:
    sure = grounding.confidence
    return "" if sure is None else f", confidence {sure:.0%}"


def clock(seconds: float) -> str:
    """Seconds as ``h:mm:ss.mmm``."""
    total = round(seconds * 1000)
    minutes, milliseconds = divmod(total, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{milliseconds / 1000:06.3f}"


def _video_fields(info: VideoInfo) -> dict[str, Any]:
    return {
        field.name: _plain(getattr(info, field.name))
        for field in dataclasses.fields(info)
    }


def _plain(value: object) -> object:
    if isinstance(value, Path):
        return os.fsencode(value).decode("utf-8", "replace")
    return float(value) if isinstance(value, Fraction) else value


def _to_json(data: dict[str, Any]) -> str:
    return json.dumps(data, indent=2, allow_nan=False)


def _one_line(text: str) -> str:
    return re.sub(r"[\s\x00-\x1f\x7f-\x9f]+", " ", text).strip()


# --- while it works -------------------------------------------------------------


@contextmanager
def _interruptible() -> Iterator[Callable[[], bool]]:
    """Turn the first Ctrl-C (or a polite kill) into a clean stop.

    The second one is Python's own KeyboardInterrupt, for work that does not ask.
    """
    stopped = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        if stopped.is_set():
            raise KeyboardInterrupt
        stopped.set()

    if threading.current_thread() is not threading.main_thread():
        yield stopped.is_set
        return
    handled = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, stop) for number in handled]
    try:
        yield stopped.is_set
        _raise_if(stopped)
    except Exception:
        # Ctrl-C reaches FFmpeg too, whose end may be reported as a failure.
        _raise_if(stopped)
        raise
    finally:
        for number, handler in zip(handled, before, strict=True):
            signal.signal(number, handler)


def _raise_if(stopped: threading.Event) -> None:
    if stopped.is_set():
        raise CancelledError("Stopped.")


@contextmanager
def _shown_progress() -> Iterator[Callable[[str, float], None]]:
    """Show the stage on a terminal, and take it away again."""
    if not sys.stderr.isatty():
        yield lambda stage, fraction: None
        return

    def show(stage: str, fraction: float) -> None:
        print(f"\r\033[K{stage} {fraction:4.0%}", end="", file=sys.stderr, flush=True)

    try:
        yield show
    finally:
        print("\r\033[K", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())

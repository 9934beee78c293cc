"""The commands: each takes its arguments and returns what is printed."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from stablechat.cli.asking import Answers, Questions
from stablechat.cli.captioning import caption, check_caption_options
from stablechat.cli.inputs import (
    check_video,
    clip_options,
    config_of,
    export_formats,
    load_chat,
    named_inputs,
    span_of,
)
from stablechat.cli.printed import Printed
from stablechat.cli.running import interruptible, shown_progress
from stablechat.cli.saving import (
    NOTHING,
    answers_to_dict,
    check_not_others,
    print_notes,
    remove_older,
    save,
)
from stablechat.cli.several import ground_several
from stablechat.cli.texts import file_lines, plain_path, summary, to_json, video_fields
from stablechat.cli.videos import means_several, no_link
from stablechat.errors import InputError
from stablechat.folders import checked_folder, made_folder


def ground(args: argparse.Namespace) -> Printed:
    """Find when something happens, and where."""
    named = named_inputs(args)
    questions = Questions(args, named.queries)
    if len(named.queries) > 1 or means_several(named.videos):
        return ground_several(args, questions, named.videos)
    path = check_video(named.videos[0], allow_image=args.task == "rec")
    out = None if args.out is None else checked_folder(args.out)
    if out is not None:
        check_not_others(out, path)
    formats = export_formats(args.export, args.out)
    if args.merge and out is None:
        raise InputError("--merge needs a folder to write to; give it with --out.")
    with interruptible() as cancelled, shown_progress() as report:
        chat = load_chat(args, report, cancelled)
        answers = questions.ask(chat, path, report, cancelled)
        saved = NOTHING
        if out is not None:
            saved = save(
                answers,
                out,
                formats,
                report,
                cancelled,
                usual="mp4,json",
                merge=args.merge,
            )
            remove_older(out, path, saved)
    if args.json:
        print_notes(saved)
        return Printed(to_json(answers_to_dict(answers, saved)))
    return Printed(summary(answers, saved))


def batch(args: argparse.Namespace) -> Printed:
    """Answer queries about many videos, here or on a Ray cluster."""
    from stablechat.cli.batch.command import batch

    return batch(args)


def describe(args: argparse.Namespace) -> Printed:
    """Say what happens, or answer a question."""
    from stablechat.prompts import describe_prompt

    config, segment = config_of(args), span_of(args.segment)
    describe_prompt(args.question)
    check_caption_options(args)
    path = check_video(args.video)
    if args.window is not None:
        return caption(args, path)
    with interruptible() as cancelled, shown_progress() as report:
        chat = load_chat(args, report, cancelled)
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

        return Printed(to_json(description_to_dict(description)))
    for note in description.video.warnings:
        print(f"note: {note}", file=sys.stderr)
    return Printed(description.text or "The model gave no description.")


def probe(args: argparse.Namespace) -> Printed:
    """Tell what a file holds."""
    from stablechat import video

    return Printed(to_json(video_fields(video.probe(Path(no_link(args.video))))))


def fetch(args: argparse.Namespace) -> Printed:
    """Fetch a video from the open internet."""
    from stablechat.links import FetchLimits, fetch_video
    from stablechat.video import default_limits

    out, limits = checked_folder(args.out), FetchLimits()
    if any(text.startswith("max_bytes=") for text in args.limit):
        limits = FetchLimits(max_bytes=default_limits().max_bytes)
    with interruptible() as cancelled, shown_progress() as report, made_folder(out):

        def told(done_bytes: int, total_bytes: int | None) -> None:
            mebibytes = f"fetch, {done_bytes / 2**20:.1f} MiB,"
            report(mebibytes, done_bytes / total_bytes if total_bytes else 0.0)

        fetched = fetch_video(
            args.link, out, limits, on_progress=told, cancelled=cancelled
        )
    if args.json:
        return Printed(to_json(video_fields(fetched.video)))
    return Printed(plain_path(fetched.path))


def clip(args: argparse.Namespace) -> Printed:
    """Draw and cut from a saved answer."""
    from render.exports import load_grounding

    options = clip_options(args)
    formats = export_formats(args.export, args.out)
    grounding = load_grounding(Path(args.grounding), Path(args.video))
    out = checked_folder(args.out)
    if not (grounding.found or formats):
        raise InputError(
            "There is nothing to cut: the answer holds no time and no box."
        )
    with interruptible() as cancelled, shown_progress() as report:
        answers = Answers((grounding,))
        saved = save(
            answers, out, formats, report, cancelled, usual="mp4", options=options
        )
    print_notes(saved)
    return Printed("\n".join(file_lines(saved.files)))


def export(args: argparse.Namespace) -> Printed:
    """Write the language model as a stock Qwen2."""
    folder = checked_folder(args.out)
    if folder.exists():  # said before a model is loaded
        raise InputError(f"{folder} is there already; choose another --out.")
    from stablechat.loader import load_model
    from stablechat.plain_qwen2 import export_qwen2

    loaded = load_model(
        args.model, "cpu", args.dtype, revision=args.revision, adapter=args.adapter
    )
    export_qwen2(loaded, folder)
    return Printed(f"qwen2: {plain_path(folder)}")

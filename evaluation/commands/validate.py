"""``validate``: every bad row of an annotation file, with its reason."""

from __future__ import annotations

import argparse
from pathlib import Path

from evaluation.commands.arguments import Commands, add_dataset, new_command


def add_to(commands: Commands) -> None:
    """Describe the command."""
    parser = new_command(
        commands,
        "validate",
        "List every row of an annotation file that can't be used, and why; with "
        "--videos every video that can't be opened, too. Exit code 1 if there are any.",
    )
    add_dataset(parser)
    parser.add_argument(
        "--videos", metavar="DIR", type=Path, help="open each video or image, too"
    )


def call(args: argparse.Namespace) -> tuple[str, int]:
    """Do it; returns the list and the exit code."""
    from evaluation.commands.asking_rows import load_annotations

    loaded = load_annotations(args)
    lines = [str(problem) for problem in loaded.problems]
    summary = (
        f"{args.annotations}: {loaded.num_rows} rows, {len(lines)} of them unusable; "
        f"{len(loaded.samples)} questions"
    )
    if args.videos is not None:
        from evaluation.datasets.check_videos import unusable_videos

        bad = unusable_videos(loaded.samples, args.videos)
        lines += [f"{name}: {reason}" for name, reason in bad.items()]
        videos = {sample.video_path for sample in loaded.samples}
        summary += f" about {len(videos)} videos, {len(bad)} of them unusable"
    return "\n".join([*lines, summary]), 1 if lines else 0

"""The command line's arguments. Imports nothing heavy, so that --help is instant."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from stablechat.candidates import CRITERIA
from stablechat.command_line import CommandParser, Parser
from stablechat.types import GenerationConfig

_TASKS = ("stvg", "svg", "elc", "tvg", "rec")
_DEFAULTS = GenerationConfig()


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line; leaves with exit code 2 when it can't be read."""
    parser = Parser(
        prog="python -m stablechat",
        description="Ask a video a question: get the moment, the box and the clip.",
    )
    commands = parser.add_subparsers(
        dest="command", required=True, metavar="COMMAND", parser_class=CommandParser
    )
    _add_ground(commands)
    _add_batch(commands)
    _add_describe(commands)
    _add_probe(commands)
    _add_fetch(commands)
    _add_clip(commands)
    _add_model_export(commands)
    return parser.parse_args(argv)


def _add(
    commands: argparse._SubParsersAction[CommandParser],
    name: str,
    text: str,
    *,
    takes_one: bool = True,
) -> CommandParser:
    command = commands.add_parser(name, help=text, description=text)
    if takes_one:
        command.add_argument("video", metavar="VIDEO", help="the video file")
    _add_verbose(command)
    add_limit_option(command)
    return command


def _add_verbose(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "-v", "--verbose", action="store_true", help="log what is done, on stderr"
    )


def add_limit_option(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """Add ``--limit``; :func:`stablechat.video.limits_from_texts` reads it."""
    parser.add_argument(
        "--limit",
        action="append",
        default=[],
        metavar="NAME=NUMBER",
        help="change what is refused, for example max_duration_seconds=600; all names "
        "are in docs/videos.md, none as the number takes a limit away",
    )


def _add_ground(commands: argparse._SubParsersAction[CommandParser]) -> None:
    command = _add(commands, "ground", "Find when something happens, and where.")
    command.add_argument(
        "more",
        nargs="*",
        metavar="QUERY",
        help='what to look for, "the red circle moving left" (elc needs none); more '
        "videos, folders and patterns may stand before it",
    )
    _add_asking_options(command)
    _add_window_options(command)
    command.add_argument(
        "--out",
        metavar="DIR",
        help="write the clip and grounding.json there, named after the video; of "
        "several videos, into a folder for each",
    )
    command.add_argument(
        "--overwrite",
        action="store_true",
        help="of several videos, answer those anew that an earlier run has finished",
    )
    _add_export(command)
    _add_model_options(command)


def _add_asking_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--queries",
        metavar="FILE",
        dest="queries_file",
        help="a text file of queries, one a line",
    )
    command.add_argument(
        "--query",
        action="append",
        default=[],
        dest="queries",
        metavar="QUERY",
        help="what to look for, again for each further query",
    )
    command.add_argument(
        "--task",
        choices=_TASKS,
        default="stvg",
        help="stvg when and where (default); tvg when; svg where, during --span; elc "
        "until when, for the thing in --region from --start on; rec where in a picture",
    )
    command.add_argument(
        "--span", type=float, nargs=2, metavar=("START", "END"), help="seconds, for svg"
    )
    command.add_argument(
        "--region",
        type=float,
        nargs=4,
        metavar=("X1", "Y1", "X2", "Y2"),
        help="pixels, for elc",
    )
    command.add_argument("--start", type=float, metavar="S", help="seconds, for elc")
    command.add_argument("--at", type=float, metavar="S", help="seconds, for rec")
    command.add_argument(
        "--candidates",
        type=int,
        default=1,
        metavar="N",
        help="choose the best of N answers and tell the others (default: 1)",
    )
    command.add_argument(
        "--choose",
        choices=CRITERIA,
        default="confidence",
        help="what the best answer is best in (default: %(default)s)",
    )
    command.add_argument(
        "--no-second-look",
        action="store_false",
        dest="second_look",
        help="do not ask the model what it found; without it more that is not there "
        "is told as found",
    )
    _add_segment(command)


def _add_batch(commands: argparse._SubParsersAction[CommandParser]) -> None:
    text = "Answer queries about many videos, here or on a Ray cluster."
    command = _add(commands, "batch", text, takes_one=False)
    add = command.add_argument
    add(
        "inputs",
        nargs="+",
        metavar="INPUTS",
        help="videos, folders, patterns, lists (.jsonl or .parquet with video, and "
        "perhaps query and id), s3:// and gs:// addresses of these; docs/batch.md",
    )
    _add_asking_options(command)
    _add_window_options(command)
    add(
        "--out",
        metavar="DIR",
        required=True,
        help="write results.jsonl there, a line for each input, and a folder each",
    )
    _add_export(command)
    add(
        "--retry-failed",
        action="store_true",
        help="try those again that failed in an earlier run",
    )
    add("--overwrite", action="store_true", help="answer all anew")
    _add_engine_options(command)
    _add_model_options(command)


def _add_engine_options(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add(
        "--engine",
        choices=("local", "ray"),
        default="local",
        help="local is this process (default); ray needs requirements-ray.txt",
    )
    add(
        "--ray-address",
        metavar="HOST:PORT",
        help="a Ray cluster that is there, or auto; default: one on this machine",
    )
    add(
        "--models",
        type=int,
        metavar="N",
        help="copies of the model on the cluster; default: one for each GPU, or for "
        "each machine where there is none",
    )


def _add_window_options(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add(
        "--window",
        type=float,
        metavar="S",
        help="look at a long video in windows of so many seconds, and rank what is "
        "found; docs/long-videos.md",
    )
    add(
        "--overlap",
        type=float,
        metavar="S",
        help="seconds of a window that the next one sees again (default: a quarter)",
    )
    add("--top", type=int, metavar="N", help="keep the N likeliest moments only")
    add(
        "--merge",
        action="store_true",
        help="write all moments as one clip, too, in the order of the video",
    )


def _add_describe(commands: argparse._SubParsersAction[CommandParser]) -> None:
    command = _add(commands, "describe", "Say what happens, or answer a question.")
    command.add_argument(
        "question", metavar="QUESTION", nargs="?", help="default: a description"
    )
    command.add_argument(
        "--window",
        type=float,
        metavar="S",
        help="part by part: cut the video into parts of so many seconds, and tell of "
        "each; docs/long-videos.md",
    )
    _add_segment(command)
    command.add_argument(
        "--out", metavar="DIR", help="write what is said part by part there, as JSON"
    )
    command.add_argument(
        "--export",
        metavar="NAMES",
        help="write more into --out, separated by commas: srt, vtt, csv, json, or all",
    )
    _add_model_options(command)


def _add_probe(commands: argparse._SubParsersAction[CommandParser]) -> None:
    _add(commands, "probe", "Print what a video file holds, as JSON.")


def _add_fetch(commands: argparse._SubParsersAction[CommandParser]) -> None:
    text = "Fetch a video from the open internet; docs/videos.md."
    command = _add(commands, "fetch", text, takes_one=False)
    add = command.add_argument
    add("link", metavar="LINK", help="https or http, of the video file itself")
    add("--out", metavar="DIR", default=".", help="where to (default: here)")
    add("--json", action="store_true", help="print JSON on stdout and nothing else")


def _add_clip(commands: argparse._SubParsersAction[CommandParser]) -> None:
    command = _add(commands, "clip", "Draw and cut from a saved grounding; no model.")
    command.add_argument("grounding", metavar="GROUNDING.json", help="a saved answer")
    command.add_argument("--out", metavar="DIR", required=True, help="where to write")
    command.add_argument(
        "--pad",
        type=float,
        nargs=2,
        default=(0.0, 0.0),
        metavar=("BEFORE", "AFTER"),
        help="seconds to show before and after the moment",
    )
    command.add_argument(
        "--trail",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="draw the way of the box over that time, up to 60 s",
    )
    _add_export(command)


def _add_model_export(commands: argparse._SubParsersAction[CommandParser]) -> None:
    text = "Write the language model for a server that knows no LLaVA-ST."
    command = commands.add_parser("export", help=text, description=text)
    add = command.add_argument
    add("--to", choices=("qwen2",), required=True, help="docs/scaling.md")
    add("--out", metavar="DIR", required=True, help="where to; must not be there")
    add("--dtype", default="float16", help="of what is written (default: %(default)s)")
    _add_which_model(command)
    _add_verbose(command)
    command.set_defaults(limit=[])


def _add_export(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--export",
        metavar="NAMES",
        help="write more into --out, separated by commas: srt, vtt, csv, boxes, coco, "
        "vidor, st-align, otio, edl, png, mp4, json, zip (all in one file), or all",
    )


def _add_segment(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--segment",
        type=float,
        nargs=2,
        metavar=("START", "END"),
        help="look at this part of the video only, in seconds",
    )


def _add_which_model(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("--model", help="folder or hub id; default: the demo model")
    add("--revision", help="branch, tag or commit of a hub model")
    add("--adapter", metavar="DIR", help="what was trained on top of the model")


def _add_model_options(command: argparse.ArgumentParser) -> None:
    _add_which_model(command)
    add = command.add_argument
    add("--device", help="cpu, cuda, cuda:1 or mps; default: the best there is")
    add("--dtype", help="float32, float16 or bfloat16; default: by device")
    add("--attn", help="sdpa, flash_attention_2 or eager; default: the fastest")
    add(
        "--quantization",
        help="8bit or 4bit: less memory, needs requirements-quantized.txt; default: "
        "none",
    )
    add("--json", action="store_true", help="print JSON on stdout and nothing else")
    add(
        "--max-new-tokens",
        type=int,
        default=_DEFAULTS.max_new_tokens,
        metavar="N",
        help="longest answer (default: %(default)s)",
    )
    add(
        "--temperature",
        type=float,
        default=_DEFAULTS.temperature,
        metavar="T",
        help="0 (default) is greedy; above it the answer is sampled",
    )
    add(
        "--top-p",
        type=float,
        default=_DEFAULTS.top_p,
        metavar="P",
        help="sample from the likeliest tokens that sum to this (default: %(default)s)",
    )
    add(
        "--seed",
        type=int,
        default=_DEFAULTS.seed,
        metavar="N",
        help="makes sampling repeatable (default: %(default)s)",
    )
    add_decoding_switches(command)


def add_decoding_switches(parser: argparse.ArgumentParser) -> None:
    """Add ``--no-speculation`` and ``--grammar``: switches of ``GenerationConfig``."""
    parser.add_argument(
        "--no-speculation",
        action="store_false",
        dest="speculation",
        help="one token a pass: the same answers, later",
    )
    parser.add_argument(
        "--grammar",
        action="store_true",
        help="let the model write nothing but whole answers of the task's form",
    )

"""One target from many, in miniature: what training on chosen targets brings.

    python -m benchmarks.single_target --model V1 --work runs/crowded \\
        --out benchmarks/results/single_target.json [--run-seed 1 --run-seed 2] \\
        [--config training/configs/crowded_demo_cpu.yaml --task stvg] [--only random]

In the crowded world several things are of one kind. The questions name what is meant;
the annotations used here name its kind only, so one of its things must be taken for
the target: any (``random``), or the one that the model finds likeliest (``selected``).
``named`` is told which, as the upper bound. The model is trained on each, and all are
asked about videos of another seed, beside the model as it was (``before``).

The work folder keeps what is finished; started again, it goes on. ``--only`` makes some
of them, so that several machines or cards can share the work. With several run seeds
each is trained as often, and overlaps are the means of its runs. Differences are of the
same videos, with 95% intervals that are drawn by video.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from benchmarks.demo_worlds import draw_world
from evaluation.asking import BenchmarkChat, load_chat
from evaluation.bootstrap import mean_intervals
from evaluation.datasets import load_samples
from evaluation.protocols import ScoreTable, score_table
from evaluation.row_file import RowFile
from evaluation.rows import read_result_rows
from evaluation.run_info import hardware
from evaluation.runner import run
from render.exports import write_json
from stablechat.errors import InputError, StableChatError
from stablechat.placement import choose_device
from stablechat.types import FloatArray, GenerationConfig
from training.vidor.conversations import TASKS

WORLD = "crowded"
#: Arm -> how ``training.vidor`` finds its targets.
ARMS = {
    "random": ("--candidates", "category", "--target", "random"),
    "selected": ("--candidates", "category"),
    "named": ("--candidates", "named"),
}
BEFORE = "before"
CONFIG = Path("training/configs/crowded_demo.yaml")
_COMPARED = (
    *(("selected", "random"), ("named", "random"), ("named", "selected")),
    *(("random", BEFORE), ("selected", BEFORE), ("named", BEFORE)),
)
_METRICS = tuple(
    f"{part}{at}"
    for part in ("tiou", "siou", "stiou")
    for at in ("", "@0.3", "@0.5", "@0.7")
)
_BAD_INPUT, _INTERRUPTED = 2, 130
Json = dict[str, Any]


def draw(args: argparse.Namespace) -> None:
    """The videos to train on and those to ask about."""
    for name, seed, count in (
        ("train", args.seed, args.train_videos),
        ("test", args.test_seed, args.test_videos),
    ):
        draw_world(args.work / name, WORLD, seed, count, args.workers)


def make_rows(args: argparse.Namespace, arm: str) -> None:
    """The conversations of an arm."""
    out = args.work / "rows" / f"{arm}.jsonl"
    if out.with_suffix(".report.json").exists():  # written last
        return
    out.parent.mkdir(exist_ok=True)
    train = args.work / "train"
    _run(
        *("training.vidor", train / "vidor", "--videos", train / "videos"),
        *("--vidstg", train / "vidstg.json", "--model", args.model, "--out", out),
        *ARMS[arm],
        *(word for task in args.task for word in ("--task", task)),
        *_device(args),
    )


def run_name(arm: str, seed: int) -> str:
    """What a training is called; the model before all of them is ``before``."""
    return arm if arm == BEFORE else f"{arm}-{seed}"


def train(args: argparse.Namespace, arm: str, seed: int) -> None:
    """Train the model on an arm's conversations."""
    out = args.work / "runs" / run_name(arm, seed)
    if (out / "model").exists():
        return
    changes = {
        "model": args.model,
        "rows": args.work / "rows" / f"{arm}.jsonl",
        "videos": args.work / "train" / "videos",
        "feature_cache": args.work / "features",
        "out": out,
        "seed": seed,
        **dict(change.split("=", 1) for change in args.set),
    }
    settings = [f"--set={name}={value}" for name, value in changes.items()]
    _run("training.finetune", args.config, *settings, *_device(args))


def _device(args: argparse.Namespace) -> tuple[str, ...]:
    return ("--device", args.device) if args.device else ()


def _run(module: str, *arguments: object) -> None:
    """A command of this repository, as a person runs it.

    Raises:
        InputError: It failed; it has said why.
    """
    command = [sys.executable, "-m", module, *map(str, arguments)]
    if subprocess.run(command, check=False).returncode:
        raise InputError(f"python -m {module} failed.")


class Questions:
    """About videos of another seed, for the model before training and those after.

    Args:
        args: Say where everything is.
    """

    def __init__(self, args: argparse.Namespace) -> None:
        self._args = args
        self._test = args.work / "test"
        self._samples = load_samples(self._test / "stvg.json", "stvg")
        self._first: BenchmarkChat | None = None

    def ask(self, name: str) -> ScoreTable:
        """Ask one of the models what it was not asked yet."""
        rows = self._args.work / "answers" / f"{name}.jsonl"
        rows.parent.mkdir(exist_ok=True)
        file = RowFile(rows)
        if len(file.rows) < len(self._samples):
            chat = self._load(name)
            run(self._samples, self._test / "videos", chat, file, GenerationConfig())
        return score_table(read_result_rows(rows, "stvg"), "stvg", "strict")

    def _load(self, name: str) -> BenchmarkChat:
        runs = self._args.work / "runs"
        folder = self._args.model if name == BEFORE else runs / name / "model"
        chat = load_chat(str(folder), self._args.device, None)
        if self._first is None:
            chat.keep_videos(len(self._samples))
            self._first = chat
        else:
            chat.share_videos(self._first)
        return chat


#: Of each arm, one for each run.
Tables = Mapping[str, Sequence[ScoreTable]]


def mean_metrics(tables: Sequence[ScoreTable]) -> Json:
    """What the runs of an arm score, on average."""
    each = [table.metrics() for table in tables]
    return {
        name: None if value is None else fmean(metrics[name] for metrics in each)
        for name, value in each[0].items()
    }


def differences(tables: Tables) -> Json:
    """Mean overlaps of one less those of another, video by video."""
    return {
        f"{better} - {worse}": _difference(tables[better], tables[worse])
        for better, worse in _COMPARED
        if better in tables and worse in tables
    }


def _difference(better: Sequence[ScoreTable], worse: Sequence[ScoreTable]) -> Json:
    columns = {
        name: _column(better, name) - _column(worse, name)
        for name in ("mtiou", "msiou", "mstiou")
    }
    intervals = mean_intervals(columns, [row.video for row in better[0].counted])
    return {
        name: {"mean": float(column.mean()), "interval": intervals[name]}
        for name, column in columns.items()
    }


def _column(tables: Sequence[ScoreTable], name: str) -> FloatArray:
    return np.mean([table.columns[name] for table in tables], axis=0)


def choices(args: argparse.Namespace, arm: str) -> Json:
    """How the targets of an arm were found."""
    path = args.work / "rows" / f"{arm}.report.json"
    return {**json.loads(path.read_text("utf-8")), "bad": None}


def report(args: argparse.Namespace) -> Json:
    """Do what is not done yet."""
    draw(args)
    arms = args.only or [BEFORE, *ARMS]
    trained = [arm for arm in arms if arm != BEFORE]
    for arm in trained:
        make_rows(args, arm)
        for seed in args.run_seed:
            train(args, arm, seed)
    questions = Questions(args)
    names = {arm: [run_name(arm, seed) for seed in args.run_seed] for arm in trained}
    if BEFORE in arms:
        names = {BEFORE: [BEFORE], **names}
    tables = {arm: [questions.ask(name) for name in names[arm]] for arm in names}
    return {
        "what": "python -m benchmarks.single_target: the demo model before and after "
        "training on the crowded world, STVG on held-out videos, strict protocol",
        "train": {"seed": args.seed, "videos": args.train_videos},
        "test": {"seed": args.test_seed, "videos": args.test_videos},
        "hardware": hardware(str(choose_device(args.device))),
        "config": {"file": args.config.name, "set": args.set, "tasks": args.task},
        "run_seeds": args.run_seed,
        "choices": {arm: choices(args, arm) for arm in trained},
        "results": {arm: mean_metrics(tables[arm]) for arm in tables},
        "runs": {
            name: table.metrics()
            for arm in tables
            for name, table in zip(names[arm], tables[arm], strict=True)
        },
        "differences": differences(tables),
    }


def table(results: Json) -> str:
    """All arms as Markdown: mean overlaps, then the share of answers above each."""
    header = [f"m_{name}" if "@" not in name else name for name in _METRICS]
    lines = [f"| | {' | '.join(header)} |", "|---" * (len(header) + 1) + "|"]
    for name, values in results.items():
        numbers = " | ".join(_number(metric, values) for metric in _METRICS)
        lines.append(f"| {name} | {numbers} |")
    return "\n".join(lines)


def _number(metric: str, values: Json) -> str:
    # The report's stIoU is the overlap of tubes; its recalls are those of vIoU.
    if "@" in metric:
        return f"{values[metric.replace('stiou', 'viou')]:.1f}"
    return f"{values['m' + metric]:.3f}"


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.single_target",
        description="Train on chosen targets, and on any; measure both.",
    )
    add = parser.add_argument
    add("--model", metavar="DIR", type=Path, required=True, help="one to begin with")
    add("--work", metavar="DIR", type=Path, required=True)
    add("--out", metavar="FILE.json", type=Path)
    add("--only", action="append", choices=(BEFORE, *ARMS), help="some of them")
    add("--seed", type=int, default=20261130, help="of the videos to train on")
    add("--test-seed", type=int, default=20261131)
    add("--train-videos", type=int, default=120)
    add("--test-videos", type=int, default=100)
    add("--run-seed", action="append", type=int, help="of a training (default: 0)")
    add("--workers", type=int, default=1, help="processes that draw")
    add("--device", help="default: the best")
    add("--config", type=Path, default=CONFIG, metavar="FILE.yaml")
    add("--task", action="append", choices=TASKS, default=[], help="default: all")
    add("--set", action="append", default=[], metavar="NAME=VALUE", help="of the runs")
    args = parser.parse_args(argv)
    args.run_seed = args.run_seed or [0]
    return args


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    args = parse_arguments(argv)
    try:
        found = report(args)
        if args.out is not None:
            write_json(args.out, found)
    except (StableChatError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return _BAD_INPUT
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        return _INTERRUPTED
    print(table(found["results"]))
    return 0


if __name__ == "__main__":
    sys.exit(main())

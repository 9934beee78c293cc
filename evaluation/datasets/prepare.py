"""Which files a benchmark needs, where to put them, and what is there already."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

from evaluation.datasets.registry import DEFAULT_DATASET, Dataset, NeededFile
from evaluation.datasets.videos import VideoFolder
from stablechat.errors import InputError
from stablechat.types import Task


def describe(dataset: Dataset, root: Path) -> str:
    """What to put where, for a person.

    Args:
        dataset: The benchmark.
        root: The folder that holds it, or will.

    Returns:
        Lines with ``[x]`` before what is there; then, for each task that is ready, how
        many of its rows and videos can be used and the command that asks them.
    """
    lines = [f"{dataset.title}: put these below {root}"]
    for needed, tasks in _needed(dataset):
        there = "x" if (root / needed.place).exists() else " "
        note = f" (for {', '.join(tasks)})" if len(tasks) < len(dataset.tasks) else ""
        lines.append(f"  [{there}] {needed.place}: {needed.what}{note}")
    for task in dataset.tasks:
        for needed in dataset.annotations[task]:
            lines += _status(dataset, task, root, needed)
    return "\n".join(lines)


def _needed(dataset: Dataset) -> Iterator[tuple[NeededFile, list[Task]]]:
    """Each file once, with the tasks that need it."""
    users: dict[NeededFile, list[Task]] = {}
    for task in dataset.tasks:
        extra = dataset.extra.get(task)
        for needed in (*dataset.annotations[task], *([extra] if extra else [])):
            users.setdefault(needed, []).append(task)
    users[dataset.videos] = list(dataset.tasks)
    yield from users.items()


def _status(
    dataset: Dataset, task: Task, root: Path, annotations: NeededFile
) -> Iterator[str]:
    path, extra = root / annotations.place, dataset.extra.get(task)
    extra_path = None if extra is None else root / extra.place
    if not path.exists() or (extra_path is not None and not extra_path.exists()):
        return
    try:
        loaded = dataset.load(path, task, extra_path)
    except InputError as error:
        yield f"{annotations.place}, {task}: {error}"
        return
    videos = {sample.video_path for sample in loaded.samples}
    folder = VideoFolder(root / dataset.videos.place)
    there = sum(_is_there(folder, name) for name in videos)
    yield (
        f"{annotations.place}, {task}: {loaded.num_rows} rows, {len(loaded.problems)} "
        f"of them unusable, {len(loaded.samples)} questions; {there} of {len(videos)} "
        "videos are there. To ask them:"
    )
    yield f"  {_command(dataset, task, root, path, extra_path)}"


def _is_there(folder: VideoFolder, name: str) -> bool:
    try:
        return folder.find(name).is_file()
    except InputError:
        return False


def _command(
    dataset: Dataset, task: Task, root: Path, path: Path, extra: Path | None
) -> str:
    words = ["python", "-m", "evaluation", "run"]
    if dataset.name != DEFAULT_DATASET:
        words += ["--dataset", dataset.name]
    words += ["--task", task, "--annotations", str(path)]
    words += ["--videos", str(root / dataset.videos.place)]
    if extra is not None:
        words += ["--extra", str(extra)]
    words += ["--out", f"{dataset.name}_{task}.jsonl"]
    return shlex.join(words)

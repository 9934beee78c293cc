"""All benchmarks by name: what they ask, how they are read, which files they need."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from evaluation.datasets import charades_sta, hc_stvg, refcoco, st_align, tracks, vidstg
from evaluation.datasets.loading import Loaded
from stablechat.types import Task

_VIDOR_SITE = "https://xdshang.github.io/docs/vidor.html"


@dataclass(frozen=True)
class NeededFile:
    """A file or folder of a benchmark.

    Attributes:
        place: Where to put it, below the benchmark's folder.
        what: What it is, and where it comes from.
    """

    place: str
    what: str


@dataclass(frozen=True)
class Dataset:
    """A benchmark.

    Attributes:
        name: What to call it on the command line.
        title: Its name in prose.
        load: ``load(annotations, task, extra)`` reads an annotation file.
        annotations: By task, where its annotation file is put.
        videos: Where its videos (REC: images) are put.
        extra: By task, what ``--extra`` names.
    """

    name: str
    title: str
    load: Callable[[Path, Task, Path | None], Loaded]
    annotations: Mapping[Task, tuple[NeededFile, ...]]
    videos: NeededFile
    extra: Mapping[Task, NeededFile]

    @property
    def tasks(self) -> tuple[Task, ...]:
        """What it can ask."""
        return tuple(self.annotations)


_VIDSTG_FILE = NeededFile(
    "test_annotations.json",
    "the sentences, from the folder annotations of "
    "https://github.com/Guaranteer/VidSTG-Dataset",
)


def _st_align(task: Task) -> tuple[NeededFile, ...]:
    what = (
        "from the benchmark folder that https://github.com/appletea233/LLaVA-ST links"
    )
    return (NeededFile(f"{task}.json", f"the {task.upper()} rows, {what}"),)


def _refcoco(name: str, title: str, splits: tuple[str, ...]) -> Dataset:
    return Dataset(
        name=name,
        title=title,
        load=refcoco.load,
        annotations={
            "rec": tuple(
                NeededFile(
                    f"{name}_{split}.json",
                    "the expressions, as LLaVA-ST and MDETR (finetune_"
                    f"{name}_{split}.json) give them",
                )
                for split in splits
            )
        },
        videos=NeededFile(
            "train2014",
            "the pictures of COCO 2014 (train2014.zip), https://cocodataset.org",
        ),
        extra={},
    )


def _hc_stvg(version: int, files: tuple[str, ...]) -> Dataset:
    needed = tuple(
        NeededFile(
            file,
            f"annotations of version {version}, from the links of "
            "https://github.com/tzhhhh123/HC-STVG",
        )
        for file in files
    )
    return Dataset(
        name=f"hc-stvg-v{version}",
        title=f"HC-STVG v{version}",
        load=hc_stvg.load,
        annotations={task: needed for task in tracks.TASKS},
        videos=NeededFile(
            "video", "the clips from the same page; folders inside are searched"
        ),
        extra={},
    )


_ALL = (
    Dataset(
        name="st-align",
        title="ST-Align",
        load=st_align.load,
        annotations={task: _st_align(task) for task in st_align.TASKS},
        videos=NeededFile("sources", "the videos, from the same page"),
        extra={},
    ),
    Dataset(
        name="charades-sta",
        title="Charades-STA",
        load=charades_sta.load,
        annotations={
            "tvg": (
                NeededFile(
                    "charades_sta_test.txt",
                    "the sentences, from https://github.com/jiyanggao/TALL (or "
                    "LLaVA-ST's own test.json)",
                ),
            )
        },
        videos=NeededFile(
            "Charades_v1_480",
            "the videos (480p), https://prior.allenai.org/projects/charades",
        ),
        extra={
            "tvg": NeededFile(
                "Charades_v1_test.csv",
                "the lengths of the videos, from the annotations on the same page",
            )
        },
    ),
    _refcoco("refcoco", "RefCOCO", ("val", "testA", "testB")),
    _refcoco("refcoco+", "RefCOCO+", ("val", "testA", "testB")),
    _refcoco("refcocog", "RefCOCOg", ("val", "test")),
    Dataset(
        name="vidstg",
        title="VidSTG",
        load=vidstg.load,
        annotations={task: (_VIDSTG_FILE,) for task in tracks.TASKS},
        videos=NeededFile("video", f"the videos of VidOR, {_VIDOR_SITE}"),
        extra={
            "stvg": NeededFile(
                "vidor/validation",
                "the boxes: VidOR's annotations (its validation set is VidSTG's test "
                f"set), {_VIDOR_SITE}",
            )
        },
    ),
    _hc_stvg(1, ("test.json",)),
    _hc_stvg(2, ("val_v2.json",)),
)

#: Benchmarks by name.
DATASETS: Mapping[str, Dataset] = {dataset.name: dataset for dataset in _ALL}

DEFAULT_DATASET = "st-align"

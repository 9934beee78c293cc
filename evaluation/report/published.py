"""Numbers that others have published, to stand beside ours and be marked as theirs.

LLaVA-ST: its paper (arXiv 2501.08282), the tables of ST-Align and Charades-STA. The
report is the one this project follows, which ran the published weights on ST-Align.
Neither was measured by this code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from stablechat.types import Task


@dataclass(frozen=True)
class Published:
    """One published result.

    Attributes:
        source: Whose.
        dataset: On which benchmark, by its name in the registry.
        task: What was asked.
        metrics: By our names; means as fractions, recalls in percent.
    """

    source: str
    dataset: str
    task: Task
    metrics: Mapping[str, float]


PUBLISHED = (
    Published(
        "LLaVA-ST, paper",
        "st-align",
        "stvg",
        {"mtiou": 0.438, "tiou@0.5": 44.6, "msiou": 0.228, "siou@0.5": 21.1},
    ),
    Published(
        "LLaVA-ST, report",
        "st-align",
        "stvg",
        {"mtiou": 0.438, "tiou@0.5": 44.5, "msiou": 0.227, "siou@0.5": 20.9},
    ),
    Published(
        "LLaVA-ST, paper",
        "st-align",
        "elc",
        {
            "mtiou": 0.600,
            "tiou@0.5": 60.4,
            "msiou": 0.335,
            "siou@0.5": 32.4,
            "METEOR": 0.247,
        },
    ),
    Published(
        "LLaVA-ST, paper",
        "st-align",
        "svg",
        {"msiou": 0.325, "siou@0.3": 47.2, "siou@0.5": 30.9},
    ),
    Published(
        "LLaVA-ST, paper",
        "charades-sta",
        "tvg",
        {"miou": 0.424, "r@0.3": 63.1, "r@0.5": 44.8, "r@0.7": 23.4},
    ),
)


def published_for(task: Task) -> tuple[Published, ...]:
    """What is known for a task, whatever the benchmark."""
    return tuple(entry for entry in PUBLISHED if entry.task == task)

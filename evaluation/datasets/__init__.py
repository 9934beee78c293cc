"""Benchmarks: their annotations as questions to ask, with the truth.

One module for each benchmark; ``registry.py`` lists them.
"""

from __future__ import annotations

from evaluation.datasets.registry import DATASETS, Dataset
from evaluation.datasets.sample import Sample, choose
from evaluation.datasets.st_align import (
    SUFFIXES,
    TASKS,
    fill,
    load_samples,
    read_sample,
)

__all__ = [
    "DATASETS",
    "SUFFIXES",
    "TASKS",
    "Dataset",
    "Sample",
    "choose",
    "fill",
    "load_samples",
    "read_sample",
]

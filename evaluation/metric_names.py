"""How metrics are written in tables and figures."""

from __future__ import annotations

from collections.abc import Mapping

_MEANS: Mapping[str, str] = {
    "mtiou": "mtIoU",
    "msiou": "msIoU",
    "mstiou": "mstIoU",
    "miou": "mIoU",
}
_SPELLINGS = (
    *(("iou@", "IoU@"), ("r@", "R@")),
    *(("Bleu_", "BLEU-"), ("ROUGE_", "ROUGE-")),
)
_PERCENT_PREFIXES = ("tiou@", "siou@", "viou@", "r@")


def metric_title(name: str) -> str:
    """For example ``tIoU@0.5`` for ``tiou@0.5``."""
    if name in _MEANS:
        return _MEANS[name]
    for ours, written in _SPELLINGS:
        name = name.replace(ours, written)
    return name


def is_percent(name: str) -> bool:
    """Whether a metric is a recall in percent; the others are fractions."""
    return name.startswith(_PERCENT_PREFIXES)

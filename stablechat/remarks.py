"""What is said of an answer that is not quite as it should be."""

from __future__ import annotations

from collections.abc import Mapping

#: What each kind of oddity says; counted ones for one case and for several.
ODDITIES: Mapping[str, str | tuple[str, str]] = {
    "cut": "The model's answer is too long; only its beginning was read.",
    "no_time": "The model's answer has no time.",
    "no_box": "The model's answer has no box.",
    "one_time": "The model's answer has one time, used as both start and end.",
    "many_spans": "The model's answer has several time spans; the first one is used.",
    "reversed": "The span's end came before its start; they were exchanged.",
    "bad": (
        "One coordinate outside the range 0 to 99 was ignored.",
        "{count} coordinates outside the range 0 to 99 were ignored.",
    ),
    "incomplete": (
        "One box without four usable coordinates was left out.",
        "{count} boxes without four usable coordinates were left out.",
    ),
    "extra": (
        "One row had more than one box; its first box is used.",
        "{count} rows had more than one box; the first box of each is used.",
    ),
    "axes": (
        "One box had its widths and heights in an unusual order.",
        "{count} boxes had their widths and heights in an unusual order.",
    ),
    "swapped": (
        "One box had its corners exchanged; they were put in order.",
        "{count} boxes had their corners exchanged; they were put in order.",
    ),
    "timeless": (
        "One box without a time was left out.",
        "{count} boxes without a time were left out.",
    ),
    "duplicate": (
        "One frame had more than one box; its last box is used.",
        "{count} frames had more than one box; the last box of each is used.",
    ),
    "unsorted": "The boxes were not in the order of time; they were sorted.",
    "other_boxes": "The model's answer has several boxes; the first one is used.",
}

#: Boxes that were written, and what became of them.
OUTSIDE = "Boxes outside the span were left out: {count}."
UNFIT = "The boxes do not fit the time and were left out."

#: Why an answer in which boxes were written has none.
LOST_BOXES = (*ODDITIES["incomplete"], *ODDITIES["timeless"], OUTSIDE, UNFIT)

#: Of the demo model's answers, about anything but the shapes of its world.
UNKNOWN_WORDS = (
    "The demo model does not know these words: it knows circles, squares, triangles, "
    "stars, crosses and rings only, so this answer means nothing."
)

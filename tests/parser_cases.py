"""Answers with what they say: tag, task, text, span, boxes, issues."""

from __future__ import annotations

from stablechat.types import BoxBins, SpanBins, Task


def t(bin_number: int) -> str:
    return f"<TEMP-{bin_number:03d}>"


def box(x1: int, y1: int, x2: int, y2: int) -> str:
    return f"[<WIDTH-{x1:03d}><HEIGHT-{y1:03d}><WIDTH-{x2:03d}><HEIGHT-{y2:03d}>]"


A, B, C = (10, 20, 30, 40), (11, 21, 31, 41), (12, 22, 32, 42)
ROWS = f"{t(4)}:{box(*A)}, {t(5)}:{box(*B)}, {t(6)}:{box(*C)}."
ROW_A = f"{t(4)}:{box(*A)}"
BELOW = "[<WIDTH-034><HEIGHT-000><WIDTH-069><HEIGHT--02>]"
ABOVE = "[<WIDTH-110><HEIGHT-043><WIDTH-099><HEIGHT-068>]"
ABC = {4: A, 5: B, 6: C}
PLACES = "Object bounding box:"
FULL = f"During the span of {{{t(4)}{t(6)}}}. Object bounding box: {ROWS}"

NO_TIME = "The model's answer has no time."
NO_BOX = "The model's answer has no box."
INCOMPLETE = "One box without four usable coordinates was left out."
EXCHANGED = "One box had its corners exchanged; they were put in order."
BAD_4 = "4 coordinates outside the range 0 to 99 were ignored."
REVERSED = "The span's end came before its start; they were exchanged."
ONE_TIME = "The model's answer has one time, used as both start and end."
TWO_SPANS = "The model's answer has several time spans; the first one is used."
DUPLICATE = "One frame had more than one box; its last box is used."
UNSORTED = "The boxes were not in the order of time; they were sorted."
AXES = "One box had its widths and heights in an unusual order."
EXTRA = "One row had more than one box; its first box is used."
TIMELESS = "One box without a time was left out."
SEVERAL = "The model's answer has several boxes; the first one is used."
BAD = "One coordinate outside the range 0 to 99 was ignored."

Case = tuple[str, Task, str, SpanBins | None, dict[int, BoxBins], tuple[str, ...]]

CASES: list[Case] = [
    # --- nothing to find
    ("empty", "stvg", "", None, {}, (NO_TIME, NO_BOX)),
    ("newline", "svg", "\n", None, {}, (NO_BOX,)),
    ("prose", "elc", "I am not sure.", None, {}, (NO_TIME, NO_BOX)),
    ("prose, tvg", "tvg", "no idea", None, {}, (NO_TIME,)),
    ("prose, rec", "rec", "nowhere", None, {}, (NO_BOX,)),
    ("numbers in prose", "stvg", "2 dogs, 0.5 m, [1].", None, {}, (NO_TIME, NO_BOX)),
    ("description", "describe", f"A dog {t(3)} runs.", None, {}, ()),
    # --- the trained forms
    ("stvg", "stvg", FULL, (4, 6), ABC, ()),
    ("svg", "svg", f" Object bounding box: {ROWS}", None, ABC, ()),
    ("elc", "elc", f"Ends in {t(8)}, a dog runs. {PLACES} {ROWS}", (4, 8), ABC, ()),
    ("tvg", "tvg", f"{{{t(7)}{t(90)}}}", (7, 90), {}, ()),
    ("rec", "rec", box(*A), None, {0: A}, ()),
    # --- spacing and separators
    ("space after the colon", "svg", f"{t(4)}: {box(*A)}", None, {4: A}, ()),
    ("no colon", "svg", f"{t(4)} {box(*A)}", None, {4: A}, ()),
    (
        "no brackets",
        "svg",
        f"{t(4)}: {box(*A)[1:-1]} {t(5)}: {box(*B)[1:-1]}",
        None,
        {4: A, 5: B},
        (),
    ),
    (
        "commas inside",
        "svg",
        f"{t(4)}:{box(*A).replace('><', '>, <')}",
        None,
        {4: A},
        (),
    ),
    ("no separators", "svg", f"{t(4)}{box(*A)}{t(5)}{box(*B)}", None, {4: A, 5: B}, ()),
    (
        "one row a line",
        "svg",
        f"{t(4)}:\n  {box(*A)}\n{t(5)}:\n  {box(*B)}\n",
        None,
        {4: A, 5: B},
        (),
    ),
    ("lower case", "stvg", FULL.lower(), (4, 6), ABC, ()),
    ("comma in the span", "tvg", f"{{ {t(7)} , {t(90)} }}", (7, 90), {}, ()),
    ("span without braces", "tvg", f"From {t(7)} to {t(90)}.", (7, 90), {}, ()),
    (
        "span after the boxes",
        "stvg",
        f"{ROWS} It happens in {{{t(4)}{t(6)}}}",
        (4, 6),
        ABC,
        (),
    ),
    (
        "full-width punctuation",
        "svg",
        f"{t(4)}\uff1a\uff3b{box(*A)[1:-1]}\uff3d",
        None,
        {4: A},
        (),
    ),
    # --- unit values
    ("unit tokens", "tvg", "{<t0.087>,<t0.581>}", (9, 58), {}, ()),
    (
        "unit token box",
        "rec",
        "[<w0.352>, <h0.442>, <w0.505>, <h0.827>]",
        None,
        {0: (35, 44, 50, 82)},
        (),
    ),
    (
        "saved by the evaluation",
        "stvg",
        "{0.04040,0.10101}. 0.04040,:[0.1,0.2,0.3,0.4],",
        (4, 10),
        {4: (10, 20, 30, 40)},
        (),
    ),
    ("saved end", "elc", "Ends in 0.58586,, a dog runs.", (58, 58), {}, (NO_BOX,)),
    ("saved span in square brackets", "tvg", "[0.44824, 0.61526]", (44, 61), {}, ()),
    (
        "saved box",
        "rec",
        "[0.45838,0.06101,0.69512,1.00000]",
        None,
        {0: (45, 6, 69, 99)},
        (),
    ),
    (
        "pixels are no unit values",
        "rec",
        "[120, 40, 300, 200]",
        None,
        {},
        (BAD_4, INCOMPLETE),
    ),
    # --- cut short
    (
        "three of four",
        "svg",
        f"{ROW_A}, {t(5)}:[<WIDTH-011><HEIGHT-021><WIDTH-031>",
        None,
        {4: A},
        (INCOMPLETE,),
    ),
    (
        "a bare row head",
        "svg",
        f"{t(4)}:{box(*A)}, {t(5)}:",
        None,
        {4: A},
        (INCOMPLETE,),
    ),
    (
        "a bare time",
        "stvg",
        f"{{{t(4)}{t(9)}}} {t(4)}:{box(*A)}, {t(5)}",
        (4, 9),
        {4: A},
        (),
    ),
    ("inside a token", "svg", f"{t(4)}:{box(*A)}, <TEMP-0", None, {4: A}, ()),
    (
        "inside the span",
        "stvg",
        f"During the span of {{{t(4)}",
        None,
        {},
        (NO_TIME, NO_BOX),
    ),
    # --- contradictions
    ("reversed span", "tvg", f"{{{t(90)}{t(7)}}}", (7, 90), {}, (REVERSED,)),
    ("one time in braces", "tvg", f"{{{t(7)}}}", (7, 7), {}, (ONE_TIME,)),
    (
        "two spans",
        "tvg",
        f"{{{t(1)}{t(3)}}} and {{{t(5)}{t(9)}}}",
        (1, 3),
        {},
        (TWO_SPANS,),
    ),
    (
        "the same span twice",
        "tvg",
        f"{{{t(1)}{t(3)}}}, so {{{t(1)}{t(3)}}}",
        (1, 3),
        {},
        (),
    ),
    (
        "duplicate row: the last wins",
        "svg",
        f"{t(4)}:{box(*A)}, {t(4)}:{box(*B)}",
        None,
        {4: B},
        (DUPLICATE,),
    ),
    (
        "rows out of order",
        "svg",
        f"{t(5)}:{box(*B)}, {t(4)}:{box(*A)}",
        None,
        {4: A, 5: B},
        (UNSORTED,),
    ),
    ("x1 > x2", "svg", f"{t(4)}:{box(30, 20, 10, 40)}", None, {4: A}, (EXCHANGED,)),
    ("y1 > y2", "svg", f"{t(4)}:{box(10, 40, 30, 20)}", None, {4: A}, (EXCHANGED,)),
    (
        "heights first",
        "svg",
        f"{t(4)}:[<HEIGHT-020><WIDTH-010><HEIGHT-040><WIDTH-030>]",
        None,
        {4: A},
        (AXES,),
    ),
    (
        "three widths",
        "svg",
        f"{t(4)}:[<WIDTH-020><WIDTH-010><HEIGHT-040><WIDTH-030>]",
        None,
        {},
        (INCOMPLETE,),
    ),
    ("two boxes in a row", "svg", f"{t(4)}:{box(*A)}{box(*B)}", None, {4: A}, (EXTRA,)),
    (
        "a box without a time",
        "svg",
        f"It is at {box(*A)}. {t(5)}:{box(*B)}",
        None,
        {5: B},
        (TIMELESS,),
    ),
    (
        "a box for a span",
        "stvg",
        f"{{{t(4)}{t(6)}}}: {box(*A)}",
        (4, 6),
        {},
        (TIMELESS,),
    ),
    (
        "several boxes in an image",
        "rec",
        f"{box(*A)} or maybe {box(*B)}",
        None,
        {0: A},
        (SEVERAL,),
    ),
    ("an image's box with a time", "rec", f"{t(50)}:{box(*A)}", None, {0: A}, ()),
    (
        "elc with both ends",
        "elc",
        f"Starts in {t(3)}, ends in {t(9)}, a dog.",
        (3, 9),
        {},
        (NO_BOX,),
    ),
    (
        "elc end after the boxes",
        "elc",
        f"A dog. {ROWS} Ends in {t(9)}.",
        (4, 9),
        ABC,
        (),
    ),
    (
        "elc end before its boxes",
        "elc",
        f"Ends in {t(2)}, a dog. {ROWS}",
        (2, 2),
        ABC,
        (),
    ),
    # --- coordinates that are none
    ("below 0", "svg", f"{ROW_A}, {t(5)}:{BELOW}", None, {4: A}, (BAD, INCOMPLETE)),
    ("above 99", "svg", f"{ROW_A}, {t(5)}:{ABOVE}", None, {4: A}, (BAD, INCOMPLETE)),
    (
        "a time above 99",
        "svg",
        f"{t(4)}:{box(*A)}, <TEMP-100>:{box(*B)}",
        None,
        {4: A},
        (BAD,),
    ),
    ("input token", "tvg", f"{{<TEMP-INPUT>{t(7)}}}", None, {}, (NO_TIME, BAD)),
    (
        "unusual letters",
        "tvg",
        "{<TEMP-\u0966\u09667><W\u0130DTH-001>}",
        None,
        {},
        (NO_TIME, BAD, INCOMPLETE),
    ),
]

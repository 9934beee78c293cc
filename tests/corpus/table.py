"""Prints what happens to which kind of file: ``python -m tests.corpus.table``.

Runs the whole corpus for it. ``--write docs/videos.md`` puts the table there.
"""

from __future__ import annotations

import argparse
import re
import tempfile
from collections import Counter
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from tests.corpus.cases import Case
from tests.corpus.corpus import Run, run_corpus


@dataclass(frozen=True)
class Kind:
    """A row of the table.

    Attributes:
        title: What the files are.
        patterns: Of the names of its files.
        tags: Of its real files.
    """

    title: str
    patterns: tuple[str, ...] = ()
    tags: frozenset[str] = frozenset()

    def holds(self, case: Case) -> bool:
        """Whether a file is of this kind."""
        named = any(fnmatchcase(case.name, pattern) for pattern in self.patterns)
        return named or bool(self.tags & set(case.tags))


def _kind(title: str, *patterns: str, tags: tuple[str, ...] = ()) -> Kind:
    return Kind(title, patterns, frozenset(tags))


#: A file is of the first kind that holds it.
KINDS = (
    _kind(
        "No pictures, or none that can be decoded",
        *("streams/audio_only*", "streams/mp3_*", "damaged/avcc*", "damaged/unknown*"),
        tags=("no_video_stream", "no_decodable_frame"),
    ),
    _kind(
        "Not a video: empty, text, noise, archives, pictures, sound, one box",
        *("damaged/zero*", "damaged/one_byte*", "damaged/text*", "damaged/html*"),
        *("damaged/random*", "damaged/*_renamed*", "damaged/ftyp_only*"),
    ),
    _kind(
        "Playlists, scripts and descriptions that name other files or hosts",
        "damaged/evil_*",
    ),
    _kind("Samples that lie in another file", "damaged/dref_external*"),
    _kind("Decompression bombs", "shapes/bomb_*", "damaged/gif_65535*"),
    _kind(
        "Folders, links and pipes",
        *("names/dir.mp4", "names/*symlink.mp4", "names/fifo.mp4"),
    ),
    _kind("Odd names and wrong endings", "names/*"),
    _kind("Cut off", "damaged/truncated_*", "damaged/moov_cut*"),
    _kind("Bytes flipped or wiped", "damaged/corrupt_*", tags=("decode_errors",)),
    _kind(
        "Headers that lie", "damaged/*", "streams/*lying*", tags=("timestamps_go_back",)
    ),
    _kind(
        "Turned or mirrored, as phones do",
        *("rotation/*",),
        tags=("rot90", "rot180", "rot270", "rot8"),
    ),
    _kind(
        "HDR, 10 and 12 bits",
        *("shapes/h264_high10*", "shapes/hevc_*", "shapes/prores_422*"),
        tags=("hdr", "high_bit_depth"),
    ),
    _kind("Pixels that are not square", "shapes/sar_*", tags=("non_square_pixels",)),
    _kind(
        "Odd, tiny and huge sizes",
        *("shapes/odd_*", "shapes/tiny_*", "shapes/wide_*", "shapes/tall_*"),
        *("shapes/crop_*", "shapes/huge_*"),
        tags=("odd_size", "tiny", "huge"),
    ),
    _kind(
        "Alpha, grey, 4:4:4, RGB, full range, animated GIF",
        *("shapes/*", "streams/*gif*"),
        tags=("not_420", "alpha_or_palette"),
    ),
    _kind("Variable frame rate", "timing/vfr_*", tags=("vfr",)),
    _kind(
        "Unusual rates, few pictures",
        "timing/fps_*",
        "timing/*_frame*",
        tags=("very_short",),
    ),
    _kind(
        "Sound or pictures start late, end early, or not at zero",
        *("timing/audio_*", "timing/video_starts*", "timing/start_offset*"),
        tags=("start_offset", "video_starts_late", "audio_shorter"),
    ),
    _kind(
        "Edit lists, fragments, no duration",
        *("timing/trim_*", "timing/fragmented*", "timing/faststart*"),
        *("timing/mediarecorder*", "timing/bframes_n*"),
        tags=("editlist_hidden_frames", "no_duration", "packets_ne_frames"),
    ),
    _kind(
        "Clocks that jump or wrap, sizes that change",
        *("timing/ts_*", "timing/size_change*"),
    ),
    _kind("Interlaced", "timing/interlaced*", tags=("interlaced",)),
    _kind("Key frames far apart, B-frames", "timing/*", tags=("long_gop",)),
    _kind("Two hours long", "long_ones/*"),
    _kind(
        "Several tracks, subtitles, covers, chapters, data",
        *("streams/*",),
        tags=("data_or_sub_streams",),
    ),
    _kind("Ordinary files of many containers and codecs", "*"),
)

COLUMNS = ("files", "right", "right, with a warning", "refused", "known exception")
NOT_YET = "not right yet"

MARKERS = ("<!-- table -->", "<!-- end of table -->")


def outcome(run: Run, name: str) -> str:
    """The column that a file counts in."""
    if run.problems(name):
        return NOT_YET
    value = run.answers[name].value
    if value["problems"]:  # all of them known
        return "known exception"
    if value["outcome"] == "refused":
        return "refused"
    return "right, with a warning" if value["warnings"] else "right"


def table(run: Run) -> str:
    """What happened, as Markdown."""
    rows: dict[str, Counter[str]] = {kind.title: Counter() for kind in KINDS}
    for name, case in run.cases.items():
        kind = next(kind for kind in KINDS if kind.holds(case))
        rows[kind.title].update(["files", outcome(run, name)])
    rows["All"] = sum(rows.values(), Counter())
    columns = [*COLUMNS, *([NOT_YET] if rows["All"][NOT_YET] else [])]
    lines = [
        "| What | " + " | ".join(columns) + " |",
        "|---" * (len(columns) + 1) + "|",
    ]
    for title, counts in rows.items():
        cells = [str(counts[column] or "") for column in columns]
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def messages(run: Run) -> list[str]:
    """What is said of which file: refusals and warnings."""
    found = []
    for name, answer in run.answers.items():
        value = answer.value or {}
        said = value.get("warnings") or [value.get("message")]
        found += [f"{name!a}: {text!a}" for text in said if text]
    return sorted(found)


def write(page: Path, text: str) -> None:
    """Put the table between the page's two markers."""
    begin, end = MARKERS
    old = page.read_text("utf-8")
    new, count = re.subn(
        f"{begin}.*?{end}", lambda _: f"{begin}\n{text}\n{end}", old, flags=re.DOTALL
    )
    if count != 1:
        raise SystemExit(f"{page} holds {count} places for the table; one is needed")
    page.write_text(new, "utf-8")


def main() -> None:
    """Run the corpus, print, and write the page if it is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path, help="page that holds the table")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run = run_corpus(Path(folder))
    wrong = [f"WRONG {n!a}: {p}" for n in run.cases for p in run.problems(n)]
    print(table(run), "", *messages(run), *wrong, *run.left, sep="\n")
    if options.write:
        write(options.write, table(run))


if __name__ == "__main__":
    main()

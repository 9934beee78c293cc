"""How long cutting and drawing a clip takes, against FFmpeg doing the same.

    python -m benchmarks.video_clip [--runs 5] [--video VIDEO] [--quick]

Ten seconds from the middle, a moving box, the sound: `render.clipper.cut_clip` and
`ffmpeg -ss -t` with drawbox (and drawtext) take turns, with the same binary, preset,
CRF, key pictures, sound bitrate and threads; both clips must have as many pictures.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._sources import SourceSpec, ffmpeg_command, make_source
from benchmarks._timing import (
    BURN_IN,
    RESULTS,
    machine,
    median,
    run_main,
    say,
    table,
    take_turns,
    write_report,
)
from render.boxes import line_thickness
from render.clipper import DEFAULT_OPTIONS, ClipOptions, cut_clip
from stablechat.errors import StableChatError
from stablechat.types import Generation, Grounding, TimeSpan, Tube, VideoInfo
from stablechat.video import probe

CLIP_SECONDS = 10
TARGET = 1.3  # times FFmpeg
QUERY = "the patch moving left"
COLOR = "0x2ED5FF"  # our box's
AUDIO_BITRATE = "160k"  # as in render.clipper
FONT_PARTS = 26  # of the shorter side, as our label
HEADER = ("", "ours s", "ffmpeg s", "ratio", "target", "pictures", "MB ours/ffmpeg")

#: What is drawn on the clips that are compared; the target is for the box alone.
DRAWN = {
    "nothing": ClipOptions(draw_boxes=False),
    "box": ClipOptions(label=False),
    "box and label": ClipOptions(),
}

#: The middle is 200 pictures after a key picture: both have to seek and decode on.
SOURCES = (
    SourceSpec(1920, 1080, 40, 250, 6500, sound=True),
    SourceSpec(1280, 720, 40, 250, 3500, sound=True),
)
QUICK_SOURCES = (SourceSpec(640, 360, 12, 250, 1000, sound=True),)


@dataclass(frozen=True)
class Cut:
    """What to cut and where the box is.

    Attributes:
        video: The source.
        start_seconds: Of the clip, on the video's clock.
        num_frames: Pictures of the clip.
    """

    video: VideoInfo
    start_seconds: float
    num_frames: int

    @property
    def seconds(self) -> Fraction:
        """Length of the clip."""
        return self.num_frames / self.video.fps

    @property
    def span(self) -> TimeSpan:
        """From the first picture to when the last one appears, as an answer's span."""
        last = self.start_seconds + float((self.num_frames - 1) / self.video.fps)
        return TimeSpan(self.start_seconds, last)

    @property
    def box_size(self) -> tuple[int, int]:
        """Width and height of the box in pixels."""
        return self.video.width // 4, self.video.height // 3

    def left(self, index: int) -> float:
        """Left edge of the box on a picture of the clip, in pixels."""
        return (self.video.width - self.box_size[0]) * index / self.num_frames

    @property
    def top(self) -> int:
        """Upper edge of the box, in pixels."""
        return self.video.height // 3

    def grounding(self) -> Grounding:
        """The answer that says so."""
        width, height = self.box_size
        ends = (self.left(0), self.left(self.num_frames - 1))
        boxes = [(x, self.top, x + width, self.top + height) for x in ends]
        times = np.array([self.span.start_seconds, self.span.end_seconds])
        return Grounding(
            video=self.video,
            query=QUERY,
            task="stvg",
            span=self.span,
            tube=Tube(times, np.array(boxes)),
            prose="",
            confidence=None,
            generation=Generation("", (), "stop"),
        )


def cut_from_middle(video: VideoInfo) -> Cut:
    """Ten seconds of a video, or its middle half if it is short.

    Args:
        video: The source.

    Returns:
        The cut; it begins on a picture of a video of constant rate.
    """
    seconds = min(CLIP_SECONDS, video.duration_seconds / 2)
    count = max(2, round(seconds * video.fps))
    first = max(0, (video.num_frames - count) // 2)
    return Cut(video, video.start_seconds + float(first / video.fps), count)


def ffmpeg_cut(cut: Cut, out: Path, options: ClipOptions) -> list[str]:
    """FFmpeg's command for the same clip.

    Args:
        cut: What to cut.
        out: The ``.mp4`` file to write; a file for the box's way is put beside it.
        options: Preset, CRF and what is drawn.

    Returns:
        The command.
    """
    # Times on FFmpeg's line of commands are seconds of the clip; a hair early, so
    # that rounding does not move the box one picture late.
    moves = out.with_suffix(".moves")
    moves.write_text(
        "".join(
            f"{max(0.0, float((i - 0.1) / cut.video.fps)):.4f} drawbox x"
            f" {cut.left(i):.0f};\n"
            for i in range(cut.num_frames)
        )
    )
    filters = ["format=yuv420p"]
    if options.draw_boxes:
        filters = [f"sendcmd=f={moves.name}", box_filter(cut), *filters]
    if options.draw_boxes and options.label:
        filters.insert(2, label_filter(cut))
    seek = max(0.0, cut.start_seconds - 0.1 / float(cut.video.fps))
    command = ffmpeg_command("-ss", f"{seek:.6f}", "-i", str(cut.video.path))
    command += ["-t", f"{float(cut.seconds):.6f}", "-map", "0:v:0", "-map", "0:a:0?"]
    command += ["-vf", ",".join(filters), "-c:v", "libx264"]
    command += ["-preset", options.preset, "-crf", str(options.crf)]
    command += ["-g", str(round(2 * cut.video.fps))]
    command += ["-c:a", "aac", "-b:a", AUDIO_BITRATE, "-map_metadata", "-1"]
    return [*command, "-movflags", "+faststart", out.name]


def box_filter(cut: Cut) -> str:
    """FFmpeg's filter that draws the box where it is at first."""
    width, height = cut.box_size
    line = round(line_thickness(cut.video.width, cut.video.height))
    place = f"x={cut.left(0):.0f}:y={cut.top}:w={width}:h={height}"
    return f"drawbox={place}:color={COLOR}:t={line}"


def label_filter(cut: Cut) -> str:
    """FFmpeg's filter that draws the question above the box."""
    size = min(cut.video.width, cut.video.height) // FONT_PARTS
    speed = (cut.video.width - cut.box_size[0]) / float(cut.seconds)
    place = f"x={speed:.3f}*t:y={cut.top - 2 * size}"
    pill = f"box=1:boxcolor={COLOR}:boxborderw={size // 4}"
    return f"drawtext=text='{QUERY}':{place}:fontsize={size}:fontcolor=black:{pill}"


def compare(cut: Cut, options: ClipOptions, runs: int, folder: Path) -> dict[str, Any]:
    """Let both cut in turn.

    Args:
        cut: What to cut.
        options: How.
        runs: Runs of each that count.
        folder: For the clips.

    Returns:
        Medians, ratio, pictures of both clips, and the bytes of both.
    """
    ours, theirs = folder / "ours.mp4", folder / "ffmpeg.mp4"
    grounding = cut.grounding()
    command = ffmpeg_cut(cut, theirs, options)
    found = take_turns(
        {
            "ours": lambda: cut_clip(grounding, ours, options=options),
            "ffmpeg": lambda: subprocess.run(command, check=True, cwd=folder),
        },
        runs,
    )
    counts = {path.stem: probe(path).num_frames for path in (ours, theirs)}
    seconds = {name: median(values) for name, values in found.items()}
    return {
        "ours_seconds": seconds["ours"],
        "ffmpeg_seconds": seconds["ffmpeg"],
        "ratio": round(seconds["ours"] / seconds["ffmpeg"], 3),
        "num_frames": counts,
        "same_num_frames": len(set(counts.values())) == 1,
        "bytes": {path.stem: path.stat().st_size for path in (ours, theirs)},
        "runs_seconds": {n: [round(s, 4) for s in v] for n, v in found.items()},
    }


def decode_only(cut: Cut, runs: int) -> float:
    """Median seconds that FFmpeg takes to decode the pictures of the clip."""
    command = ffmpeg_command("-ss", f"{cut.start_seconds:.6f}", "-i")
    command += [str(cut.video.path), "-t", f"{float(cut.seconds):.6f}", "-an"]
    command += ["-f", "null", "-"]
    name = "ffmpeg, decode only"
    found = take_turns({name: lambda: subprocess.run(command, check=True)}, runs)
    return median(found[name])


def measure(video: VideoInfo, title: str, runs: int) -> dict[str, Any]:
    """Measure one source and print its tables.

    Args:
        video: The source.
        title: One line that says what it is.
        runs: Runs of each contender that count.

    Returns:
        The same for the report.
    """
    cut = cut_from_middle(video)
    rows: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory(prefix="stablechat-benchmark-") as folder:
        for name, options in DRAWN.items():
            say(f"{title}: {name}")
            rows[name] = _or_why_not(cut, options, runs, Path(folder))
    decoding = decode_only(cut, runs)
    print(f"\n{title}: {float(cut.seconds):.1f} s, {cut.num_frames} pictures\n")
    print(table(HEADER, [_line(name, row) for name, row in rows.items()]))
    print(f"\nffmpeg, decoding the span and no more: {decoding:.2f} s", flush=True)
    return {
        "video": title,
        "clip_seconds": round(float(cut.seconds), 3),
        "clips": rows,
        "ffmpeg_decode_only_seconds": decoding,
    }


def _or_why_not(
    cut: Cut, options: ClipOptions, runs: int, folder: Path
) -> dict[str, Any]:
    """The comparison; without drawtext or a font for it, the reason why not."""
    try:
        return compare(cut, options, runs, folder)
    except subprocess.CalledProcessError as error:
        if not options.label:
            raise
        return {
            "note": f"not measured: FFmpeg can't draw text (exit {error.returncode})"
        }


def _line(name: str, row: dict[str, Any]) -> list[object]:
    if "note" in row:
        return [name, *[None] * 5, row["note"]]
    counts, sizes = row["num_frames"], row["bytes"]
    same = "same" if row["same_num_frames"] else "DIFFERENT"
    verdict = "met" if row["ratio"] <= TARGET else "MISSED"
    return [
        *(name, row["ours_seconds"], row["ffmpeg_seconds"], row["ratio"]),
        f"{TARGET}: {verdict}",
        f"{counts['ours']}/{counts['ffmpeg']} {same}",
        f"{sizes['ours'] / 1e6:.1f}/{sizes['ffmpeg'] / 1e6:.1f}",
    ]


def run_all(args: argparse.Namespace) -> dict[str, Any]:
    """Make the sources one by one (or take the given video) and measure.

    Args:
        args: The command line.

    Returns:
        The report.
    """
    videos = []
    if args.video is not None:
        videos.append(measure(probe(args.video), args.video.name, args.runs))
    else:
        for spec in QUICK_SOURCES if args.quick else SOURCES:
            with tempfile.TemporaryDirectory(prefix="stablechat-benchmark-") as folder:
                source = make_source(spec, Path(folder, "source.mp4"))
                videos.append(measure(probe(source), spec.title, args.runs))
    return {
        "what": f"python -m benchmarks.video_clip --runs {args.runs}",
        **machine(),
        "runs": args.runs,
        "burn_in": BURN_IN,
        "preset": DEFAULT_OPTIONS.preset,
        "crf": DEFAULT_OPTIONS.crf,
        "target_ratio": TARGET,
        "videos": videos,
    }


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5, help="that count")
    parser.add_argument("--video", type=Path, help="instead of those made here")
    parser.add_argument("--quick", action="store_true", help="small, to try it")
    parser.add_argument(
        "--out", type=Path, help="JSON file; not kept if --quick or --video"
    )
    args = parser.parse_args()
    try:
        report = run_all(args)
    except StableChatError as error:
        parser.error(str(error))
    partial = args.quick or args.video is not None
    out = args.out or (None if partial else RESULTS / "video_clip.json")
    if out is not None:
        write_report(report, out)


if __name__ == "__main__":
    run_main(main)

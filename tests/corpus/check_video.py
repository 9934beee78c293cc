"""Compares what is probed and sampled with the truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stablechat.types import FrameArray, FrameSample, TimeSpan, VideoInfo
from stablechat.video import sample_frames
from tests.corpus.cases import Case
from tests.corpus.nasty import load_generator
from tests.corpus.reference import (
    Reference,
    likeness,
    read_number,
    shrunk,
    thumb,
)

#: Containers round times to a millisecond and starts to a sound packet.
TIME_TOLERANCE = 0.002
#: Share of a real video's rate by which a measured one may be off.
RATE_TOLERANCE = 0.005
#: Real pictures: the right one must look this much like the one that is given...
LEAST_LIKENESS = 0.5
#: ...and none of its neighbours may look better by more than this.
LIKENESS_SLACK = 0.01
#: Of a damaged file, at least this share of the sampled pictures must be legible.
LEAST_LEGIBLE = 0.4
#: So many pictures a damaged one may lag behind: what it was predicted from is old.
STALE_PICTURES = 50

#: The model's number of frames; fewer where a picture takes megabytes.
NUM_FRAMES = 100
BIG_PIXELS = 512 * 512

CORNERS = {"tl": "red", "tr": "green", "bl": "blue", "br": "yellow"}


class Problems(list[str]):
    """What was found wrong, one line each, and which checks were made at all."""

    def __init__(self) -> None:
        super().__init__()
        self.checked: set[str] = set()

    def expect(self, right: bool, text: str) -> None:
        """Note the text unless the statement is right."""
        if not right:
            self.append(text)

    def near(self, what: str, got: float, want: float | None, slack: float) -> None:
        """Note a number that is off by more than ``slack``; None is not known."""
        if want is not None and abs(got - want) > slack:
            self.append(f"{what}: {got:.6g} is not {want:.6g} (+-{slack:.3g})")

    def same(self, what: str, got: object, want: object) -> None:
        """Note a value that is another; None is not known."""
        if want is not None and got != want:
            self.append(f"{what}: {got!r} is not {want!r}")


@dataclass(frozen=True)
class Clock:
    """When each picture is shown and which number it carries.

    Attributes:
        seconds: float64 ``(N,)``, from the container's start.
        numbers: Barcode of each, or None if there are none.
    """

    seconds: np.ndarray[tuple[int], np.dtype[np.float64]]
    numbers: list[int | None] | None

    @property
    def slack(self) -> float:
        """How far a time may be off and still mean the same picture."""
        return min(TIME_TOLERANCE, self.step / 4)

    @property
    def step(self) -> float:
        """The usual time between pictures."""
        return float(np.median(np.diff(self.seconds))) if len(self.seconds) > 1 else 1.0

    def index_at(self, seconds: float) -> int:
        """Number of the picture on screen at a moment."""
        after = np.searchsorted(self.seconds, seconds + self.slack, side="right")
        return max(0, int(after) - 1)


def check_probe(
    case: Case, info: VideoInfo, reference: Reference | None, problems: Problems
) -> None:
    """Compare :func:`stablechat.video.probe` with the truth."""
    truth = case.truth
    size = (info.width, info.height)
    problems.expect(
        not truth.sizes or size in truth.sizes, f"size: {size} is not {truth.sizes}"
    )
    problems.same("rotation", info.rotation, truth.rotation)
    problems.same("mirrored", info.mirrored, truth.mirrored)
    problems.same("sound", info.has_audio, truth.has_audio)
    if case.expect == "partial":
        problems.expect(bool(info.warnings), "warnings: none for a damaged file")
        most = truth.frames_max or truth.frames or info.num_frames
        problems.expect(info.num_frames <= most, f"frames: {info.num_frames} > {most}")
        return
    if case.expect == "either":
        return
    frame = 1 / float(info.fps)
    problems.same("frames", info.num_frames, truth.frames)
    if info.num_frames > 2:
        problems.same("variable rate", info.variable_frame_rate, truth.vfr)
    _check_rate(case, info, reference, problems)
    exact = case.group == "real"  # designs do not know how a muxer shifts the start
    slack = TIME_TOLERANCE if exact else max(frame, 0.1)
    problems.near("start", info.start_seconds, truth.start_seconds, slack)
    problems.near("end", info.duration_seconds, truth.end_seconds, slack + frame)
    if reference is not None and reference.has_times and not truth.jumps:
        first, count = reference.seconds[0], len(reference.seconds)
        problems.near("first time", info.start_seconds, first, TIME_TOLERANCE)
        problems.same("decoded frames", info.num_frames, count)


def _check_rate(
    case: Case, info: VideoInfo, reference: Reference | None, problems: Problems
) -> None:
    """The rate that was meant, or the one that a file with a hole really has."""
    meant = case.truth.fps
    if meant is None or info.num_frames < 2:
        return
    real = meant
    if reference is not None and reference.has_times:
        real = (len(reference.seconds) - 1) / reference.span_seconds
    rate = float(info.fps)
    nearest = min(meant, real, key=lambda right: abs(rate - right))
    rounding = 0.001 / (info.duration_seconds - info.start_seconds)
    problems.near("fps", rate, nearest, (RATE_TOLERANCE + rounding) * nearest)


def sample_whole(info: VideoInfo) -> FrameSample:
    """As many pictures as the model gets; fewer and smaller ones of big pictures."""
    big = info.width * info.height > BIG_PIXELS
    return sample_frames(info, 7 if big else NUM_FRAMES)


def known_clock(case: Case, info: VideoInfo, reference: Reference | None) -> Clock:
    """When each picture is shown: as decoded; by design; else as sampled."""
    truth, count = case.truth, info.num_frames
    first, numbers = truth.first_number, None
    if truth.barcode and reference is not None:
        numbers = reference.numbers
    if truth.frames is not None and truth.barcode and first is not None:
        step = truth.number_step
        numbers = [first + k - k % step for k in range(count)]
    if reference is not None and reference.has_times and not truth.jumps:
        return Clock(np.array(reference.seconds), numbers)
    if truth.fps and truth.start_seconds is not None and not truth.jumps:
        return Clock(truth.start_seconds + np.arange(count) / truth.fps, numbers)
    everything = sample_frames(info, count, size=(8, 8)).pts_seconds
    return Clock(np.asarray(everything), numbers)


def formula(first: int, last: int, num_frames: int) -> list[int]:
    """The numbers of the pictures that a sample must hold."""
    if num_frames == 1:
        return [first]
    return [
        first + round(i / (num_frames - 1) * (last - first)) for i in range(num_frames)
    ]


def check_samples(
    case: Case,
    info: VideoInfo,
    whole: FrameSample,
    clock: Clock,
    reference: Reference | None,
    problems: Problems,
) -> None:
    """Compare the pictures of the whole video and of spans of it with the truth."""
    if case.expect == "partial":
        _check_legible(whole, clock, case.truth.fps, problems)
        return
    count = len(clock.seconds)
    wanted = formula(0, count - 1, len(whole.frames))
    if "decode_errors" not in case.tags:  # nothing is suspected that is whole
        problems.same("sample's warnings", whole.video.warnings, info.warnings)
    _check_sample("whole", case, whole, wanted, clock, reference, problems)
    for row in (0, -1):
        check_corners(f"corners of sample {row}", case, whole.frames[row], problems)
    if not np.all(np.diff(clock.seconds) > 0):
        return  # no span holds some of them only
    for name, share, length, num in (("span", 0.6, 0.3, 7), ("moment", 0.15, 0.0, 1)):
        first = int(share * (count - 1))
        last = min(count - 1, first + int(length * count))
        span = _span_between(clock, first, last)
        size = None if case.truth.barcode else (96, 54)
        part = sample_frames(info, num, span=span, size=size)
        if "decode_errors" not in case.tags:
            problems.same("sample's warnings", part.video.warnings, info.warnings)
        wanted = formula(first, last, num)
        _check_sample(name, case, part, wanted, clock, reference, problems)


def check_corners(
    what: str, case: Case, picture: FrameArray, problems: Problems
) -> None:
    """Whether a picture is the right way up, not mirrored, and in its colours."""
    if case.truth.barcode and not case.truth.gray:
        problems.same(what, load_generator().corners(shrunk(picture)), CORNERS)


def _span_between(clock: Clock, first: int, last: int) -> TimeSpan:
    """A span that holds just these pictures, its ends far from any of them."""
    times = np.append(clock.seconds, clock.seconds[-1] + clock.step)
    before = times[first - 1] if first else times[0]
    start = float(times[first] - (times[first] - before) / 4)
    end = float(times[last] + (times[last + 1] - times[last]) / 4)
    return TimeSpan(max(0.0, start), end)


def _check_sample(
    name: str,
    case: Case,
    sample: FrameSample,
    wanted: list[int],
    clock: Clock,
    reference: Reference | None,
    problems: Problems,
) -> None:
    numbers = sample.indices.tolist()
    off = [
        (got, want) for got, want in zip(numbers, wanted, strict=True) if got != want
    ]
    problems.expect(not off, f"{name}: numbers (given, right): {off[:5]}")
    rows = [k for k in wanted if k < len(clock.seconds)]
    late = np.abs(sample.pts_seconds[: len(rows)] - clock.seconds[rows]).max(initial=0)
    problems.near(f"{name}: times, at worst", float(late), 0.0, TIME_TOLERANCE)
    if clock.numbers is not None:
        problems.checked.add("barcodes")
        got = [read_number(frame) for frame in sample.frames]
        want = [clock.numbers[k] for k in wanted if k < len(clock.numbers)]
        wrong = [(g, w) for g, w in zip(got, want, strict=False) if g != w]
        problems.expect(not wrong, f"{name}: pictures (shown, right): {wrong[:5]}")
    elif reference is not None and "decode_errors" not in case.tags:
        _check_likeness(name, sample, wanted, reference, problems)


def _check_likeness(
    name: str,
    sample: FrameSample,
    wanted: list[int],
    reference: Reference,
    problems: Problems,
) -> None:
    """Whether real pictures are the right ones, not their neighbours."""
    problems.checked.add("likeness")
    step = max(1, len(wanted) // 12)
    for row in range(0, len(wanted), step):
        given = thumb(sample.frames[row])
        text = closest_is_another(given, reference, wanted[row], allowed=0)
        problems.expect(not text, f"{name}: row {row}: {text}")


def closest_is_another(
    given: np.ndarray[tuple[int, int], np.dtype[np.float32]],
    reference: Reference,
    wanted: int,
    allowed: int,
) -> str:
    """Say which picture looks more like the given one, or nothing if none does.

    Args:
        given: Thumbnail of the picture.
        reference: All pictures.
        wanted: Number of the one it should be.
        allowed: How many pictures before and after are as right.
    """
    low, high = max(0, wanted - 5), min(len(reference.thumbs), wanted + 6)
    scores = {k: likeness(given, reference.thumbs[k]) for k in range(low, high)}
    near = [s for k, s in scores.items() if abs(k - wanted) <= allowed]
    if not near:
        return f"there is no picture {wanted}"
    right, best = max(near), max(scores, key=lambda k: scores[k])
    flat = not given.any() or not reference.thumbs[wanted].any()
    if flat or right >= max(LEAST_LIKENESS, scores[best] - LIKENESS_SLACK):
        return ""
    return f"likeness to picture {wanted} is {right:.2f}, to {best} {scores[best]:.2f}"


def _check_legible(
    sample: FrameSample, clock: Clock, fps: float | None, problems: Problems
) -> None:
    """Damaged files: what is legible was meant for, or is decoded at, its time.

    Where its data is damaged, a picture shows parts of those before it, and with
    several threads not always the same ones.
    """
    got = [read_number(frame) for frame in sample.frames]
    legible = sum(number is not None for number in got) / len(got)
    problems.expect(legible >= LEAST_LEGIBLE, f"legible: only {legible:.0%}")
    wrong = []
    for number, time in zip(got, sample.pts_seconds, strict=True):
        index = clock.index_at(float(time))
        near = set((clock.numbers or [])[max(0, index - 1) : index + 2])
        if fps is not None:
            meant = round((float(time) - sample.video.start_seconds) * fps)
            near |= set(range(meant - STALE_PICTURES, meant + 2))
        if number is not None and near and number not in near:
            wrong.append((number, round(float(time), 3)))
    problems.expect(not wrong, f"pictures at wrong times: {wrong[:5]}")

"""The sound of finished clips: in step with the pictures, or rightly absent."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest
from render_clips import read_clip, regular, write_source
from test_clipper import OPTIONS, grounding

from render import sound as sound_module
from render.clipper import cut_clip
from render.sound import SoundFormat, _frames, _Piece, stream_sound
from render.sound_clock import SoundClock
from stablechat.types import TimeSpan
from stablechat.video import probe
from stablechat.video.clock import ClockJump


@pytest.mark.parametrize("name", ["sync.mp4", "sync.mkv"])
@pytest.mark.parametrize(
    "sound",
    [(0.0, 2.0), (1.0, 2.0), (0.0, 1.5), (0.0, 3.0)],
    ids=["whole", "starts late", "ends early", "ends late"],
)
def test_sound_is_in_sync(
    tmp_path: Path, name: str, sound: tuple[float, float]
) -> None:
    source = write_source(
        tmp_path / name, regular(30, 2), flash_at=1.2, sound=sound, beep=1.2
    )
    clip = cut_clip(
        grounding(probe(source), (0.437, 1.9)), tmp_path / "out.mp4", options=OPTIONS
    )
    made = read_clip(clip.path)
    assert made.sound is not None
    assert made.flash() == pytest.approx(1.2 - 13 / 30, abs=1e-3)
    assert made.onset() == pytest.approx(made.flash(), abs=0.005)
    length = made.sound_start + len(made.sound) / 48000
    assert length == pytest.approx(clip.num_frames / 30, abs=0.03)


def test_sound_that_starts_late_stays_late(tmp_path: Path) -> None:
    source = write_source(
        tmp_path / "late.mp4", regular(30, 2), sound=(1.0, 2.0), beep=None
    )
    clip = cut_clip(
        grounding(probe(source), (0.5, 1.9)), tmp_path / "out.mp4", options=OPTIONS
    )
    assert read_clip(clip.path).onset() == pytest.approx(0.5, abs=1 / 30)


def test_pictures_that_start_late_keep_their_sound(tmp_path: Path) -> None:
    source = write_source(
        tmp_path / "late.mkv",
        regular(30, 2, start=0.5),
        flash_at=1.5,
        sound=(0, 2.5),
        beep=1.5,
    )
    video = probe(source)
    assert video.start_seconds == pytest.approx(0.5, abs=0.03)
    clip = cut_clip(grounding(video, (0.2, 2.0)), tmp_path / "out.mp4", options=OPTIONS)
    made = read_clip(clip.path)
    assert made.onset() == pytest.approx(made.flash(), abs=1 / 30)
    assert made.flash() == pytest.approx(1.3, abs=1 / 30)


def test_no_sound_in_no_sound_out(tmp_path: Path) -> None:
    video = probe(write_source(tmp_path / "mute.mp4", regular(30, 1)))
    clip = cut_clip(grounding(video, (0.2, 0.8)), tmp_path / "out.mp4")
    assert not clip.has_audio
    assert read_clip(clip.path).sound is None


def test_span_without_sound_in_a_video_with_sound_is_silent(tmp_path: Path) -> None:
    source = write_source(
        tmp_path / "late.mp4", regular(30, 2), sound=(1.5, 2.0), beep=None
    )
    clip = cut_clip(
        grounding(probe(source), (0.2, 1.0)), tmp_path / "out.mp4", options=OPTIONS
    )
    made = read_clip(clip.path)
    assert clip.has_audio
    assert made.onset(0.001) == float("inf")


@pytest.mark.parametrize("second", [0.0, 1000.0], ids=["back", "ahead"])
@pytest.mark.parametrize("part", [0, 1])
def test_sound_follows_a_clock_that_jumps(
    tmp_path: Path, second: float, part: int
) -> None:
    recordings = [
        write_source(
            tmp_path / f"{start}.ts",
            regular(25, 2, start=start),
            rate=25,
            flash_at=start + 1.2,
            sound=(start, start + 2),
            beep=start + 1.2,
        )
        for start in (0.0, second + 0.0001)
    ]
    source = tmp_path / "glued.ts"
    source.write_bytes(b"".join(r.read_bytes() for r in recordings))
    video = probe(source)
    assert video.duration_seconds == pytest.approx(4, abs=0.1)
    clip = cut_clip(
        grounding(video, (2 * part + 0.6, 2 * part + 1.8)),
        tmp_path / "out.mp4",
        options=OPTIONS,
    )
    made = read_clip(clip.path)
    assert made.flash() == pytest.approx(0.6, abs=0.041)
    assert made.onset() == pytest.approx(made.flash(), abs=0.02)


JUMPS = [ClockJump(1000, 4.0), ClockJump(2000, -900.0)]


@pytest.mark.parametrize(
    ("packets", "expected"),
    [
        ([(0, 0), (500, 20), (1100, 0), (1200, 20)], [0, 20, 4000, 4020]),
        # Sound behind the jump that comes before the first picture behind it.
        ([(900, 3980), (990, 0), (1100, 20)], [3980, 4000, 4020]),
        # Less sound than pictures before the jump: the place counts.
        ([(900, 3800), (1100, 0)], [3800, 4000]),
        # No sound at all between two jumps.
        ([(900, 3980), (2100, 908000)], [3980, 8000]),
        # A long silence without a jump of the pictures is a silence.
        ([(0, 0), (500, 15000)], [0, 15000]),
        # A place that is not known: as before.
        ([(1100, 0), (None, 20)], [4000, 4020]),
    ],
)
def test_sound_clock(
    packets: list[tuple[int | None, int]], expected: list[int]
) -> None:
    clock = SoundClock(JUMPS, Fraction(1, 1000))
    found = []
    for pos, tick in packets:
        packet: Any = SimpleNamespace(pos=pos, dts=tick, pts=tick, duration=20)
        clock.shift(packet)
        assert packet.pts == packet.dts
        found.append(packet.dts)
    assert found == expected


def test_sound_goes_on_behind_what_can_not_be_read_or_decoded() -> None:
    broken = av.InvalidDataError(1, "broken")
    rounds = [[0, broken], [20, -40, 60], [80, IndexError("a stream appeared")]]

    def demux(stream: object) -> Iterator[Any]:
        for item in rounds.pop(0):
            if isinstance(item, BaseException):
                raise item
            yield SimpleNamespace(
                size=1,
                pos=None,
                dts=abs(item),
                pts=abs(item),
                bad=item < 0,
                duration=20,
            )
        if rounds and len(rounds) == 1:
            raise broken

    def decode(packet: Any) -> list[Any]:
        if packet is None:
            return [SimpleNamespace(samples=1, pts=100)]
        if packet.bad:
            raise broken
        return [SimpleNamespace(samples=1, pts=packet.pts)]

    container: Any = SimpleNamespace(demux=demux)
    stream: Any = SimpleNamespace(codec_context=SimpleNamespace(decode=decode))
    clock = SoundClock([], Fraction(1, 1000))
    found = [frame.pts for frame in _frames(container, stream, clock, 10)]
    assert found == [20, 60, 80, 100]


@pytest.mark.parametrize("ending", ["mp4", "ts"])
def test_sound_behind_damage_is_heard_in_its_place(tmp_path: Path, ending: str) -> None:
    path = write_source(
        tmp_path / f"x.{ending}",
        regular(30, 3),
        flash_at=2.0,
        sound=(0, 3),
        beep=2.0,
    )
    with av.open(str(path)) as container:
        packets = [p for p in container.demux(audio=0) if p.pos and p.pts is not None]
        wiped = [p for p in packets if 0.8 < float(p.pts * p.time_base) < 1.6]
        start, end = wiped[0].pos, wiped[-1].pos
    data = bytearray(path.read_bytes())
    if ending == "ts":  # whole packets of the transport stream
        start, end = start // 188 * 188, end // 188 * 188
    data[start:end] = bytes(end - start)
    path.write_bytes(data)
    clip = cut_clip(
        grounding(probe(path), (0.5, 2.8)), tmp_path / "out.mp4", options=OPTIONS
    )
    made = read_clip(clip.path)
    assert made.sound is not None
    # Noise of half decoded packets is not the beep.
    behind = made.sound[round((1.2 - made.sound_start) * 48000) :]
    onset = 1.2 + np.flatnonzero(np.abs(behind) > 0.3)[0] / 48000
    assert onset == pytest.approx(made.flash(), abs=1 / 30)


def tones(times: list[float]) -> Iterator[_Piece]:
    """40 ms of a value each: the k-th has ``1000 * (k + 1)``."""
    for k, time in enumerate(times):
        samples = np.full((1, 320), 1000 * (k + 1), np.int16)
        frame = av.AudioFrame.from_ndarray(samples, "s16", "mono")
        frame.sample_rate = 8000
        yield _Piece(time, frame)


@pytest.mark.parametrize(
    ("times", "heard"),
    [
        ([0.0, 0.04, 0.08, 0.12, 0.16], "12345"),
        ([0.0, 0.04, 500.0, 0.12, 0.16], "12.45"),  # one damaged timestamp
        ([0.0, 0.04, 500.0, 501.0, 0.16], "12..5"),
        ([0.0, -70.0, 0.08, 0.12], "1.34."),
        ([0.08, 0.12], "..12."),
        ([0.0, 0.04, *(500.0 + k for k in range(8)), 0.16], "12..."),  # the end
        ([], "....."),
    ],
)
def test_a_damaged_timestamp_does_not_end_the_sound(
    monkeypatch: pytest.MonkeyPatch, times: list[float], heard: str
) -> None:
    monkeypatch.setattr(sound_module, "_pieces", lambda *_: tones(times))
    written = bytearray()
    nothing: Any = None
    form = SoundFormat(8000, 1)
    stream_sound(nothing, nothing, TimeSpan(0, 0.2), form, written.extend)
    samples = np.frombuffer(written, "<i2")
    assert len(samples) == 1600
    found = [int(value) // 1000 for value in samples[160::320]]
    assert "".join(str(value or ".") for value in found) == heard

"""What is refused before or while a file is opened, in one line, without a hang."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from video_clips import ffmpeg, write_clip

from stablechat.errors import LimitError, VideoError
from stablechat.video import VideoLimits, probe, sample_frames
from stablechat.video._open import DEMUXERS, MAX_NAME_LENGTH, printable_name


def refusal(path: Path, limits: VideoLimits | None = None) -> str:
    """The one line that says why a file is refused."""
    with pytest.raises((VideoError, LimitError)) as caught:
        probe(path, limits or VideoLimits())
    line = str(caught.value)
    assert line and "\n" not in line
    return line


def make_fifo(path: Path) -> None:
    os.mkfifo(path)


def make_socket(path: Path) -> None:
    os.chdir(path.parent)  # a socket's full name must be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path.name)


def make_folder(path: Path) -> None:
    path.mkdir()


def make_dangling_link(path: Path) -> None:
    path.symlink_to(path.with_name("nowhere.mp4"))


def make_nothing(path: Path) -> None:
    pass


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (make_fifo, "pipe or device"),
        (make_socket, "pipe or device"),
        (make_folder, "is a folder"),
        (make_dangling_link, "no file"),
        (make_nothing, "no file"),
        (Path.touch, "empty (0 bytes)"),
    ],
)
def test_only_ordinary_files_are_opened(
    make: Callable[[Path], None],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "x.mp4"
    make(path)
    assert words in refusal(path)


@pytest.mark.parametrize(
    "content",
    [
        b"\0",  # one byte
        b"This is not a video.\n" * 50,
        b"<!DOCTYPE html><html><body>404</body></html>",
        bytes(100_000),
        np.random.default_rng(0).bytes(50_000),
        b"PK\x05\x06" + bytes(18),  # an empty zip
        b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41",  # a header and nothing else
    ],
)
def test_what_is_no_video_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.mp4"
    path.write_bytes(content)
    assert "convert it to MP4" in refusal(path)


@pytest.mark.parametrize("name", ["x.mp4", "x.m3u8", "x.txt", "x.mpd", "x.sdp"])
@pytest.mark.parametrize(
    "script",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{url}\n#EXT-X-ENDLIST\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\ntarget.ts\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile 'target.ts'\n",
        "ffconcat version 1.0\nfile '{path}'\n",
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
        'profiles="urn:mpeg:dash:profile:isoff-on-demand:2011"><Period><AdaptationSet '
        'mimeType="video/mp4"><Representation id="1" bandwidth="1"><BaseURL>{url}'
        "</BaseURL></Representation></AdaptationSet></Period></MPD>",
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
        "m=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n",
    ],
)
def test_playlists_and_scripts_are_never_followed(
    script: str, name: str, tmp_path: Path
) -> None:
    target = write_clip(tmp_path / "target.ts", 5, audio=False)
    path = tmp_path / name
    path.write_text(script.format(path=target, url=target.as_uri()))
    refusal(path)


def test_data_references_to_other_files_are_not_followed(tmp_path: Path) -> None:
    content = bytearray(write_clip(tmp_path / "x.mov", 5, audio=False).read_bytes())
    place = content.find(b"url \0\0\0\1")
    assert place > 0
    content[place + 7] = 0  # the flag "in this file" is taken away
    path = tmp_path / "outside.mov"
    path.write_bytes(content)
    assert probe(path).num_frames == 5  # its own bytes are read all the same


def test_no_playlist_is_in_the_whitelist() -> None:
    names = set(DEMUXERS.split(","))
    assert not names & {"hls", "dash", "concat", "sdp", "image2", "lavfi", "rtsp"}
    known = set(",".join(av.formats_available).split(","))
    assert "mp4" in names and len(names & known) > 20


@pytest.mark.parametrize(
    "name",
    [
        "concat:a.mp4",
        "http:x.mp4",
        "file:a.mp4",
        "-y -i.mp4",
        "100%d %03d.mp4",
        "new\nline.mp4",
        "[a]{b,c}*?.mp4",
        "naïve 视频 \U0001f3ac.mp4",
        "a" * 240 + ".mp4",
        "no_extension",
    ],
)
def test_names_are_only_names(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_clip(tmp_path / "plain.mp4", 5, audio=False).rename(tmp_path / name)
    assert probe(name).num_frames == 5  # a relative path on purpose


def test_a_name_that_is_not_utf8(tmp_path: Path) -> None:
    name = os.fsdecode(b"latin1_\xe9.mp4")
    path = write_clip(tmp_path / "plain.mp4", 5, audio=False).rename(tmp_path / name)
    sample = sample_frames(path, 3)
    assert sample.indices.tolist() == [0, 2, 4]
    path.write_bytes(b"no video")
    line = refusal(path)
    assert line.encode("utf-8")  # printable


def test_printable_name_is_one_short_line() -> None:
    assert printable_name("/a/new\nline\x1b[31m.mp4") == "new?line?[31m.mp4"
    assert printable_name(os.fsdecode(b"/a/\xe9.mp4")) == "\ufffd.mp4"
    assert len(printable_name("x" * 300)) <= MAX_NAME_LENGTH + 3


def test_null_bytes_in_a_path_are_refused() -> None:
    assert "can't be read" in refusal(Path("a\0b.mp4"))


def test_sound_without_pictures_is_refused(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "x.mp4", 10)
    only = tmp_path / "only.mp4"
    ffmpeg("-i", clip, "-vn", "-c", "copy", only)
    assert "no video, only sound" in refusal(only)


def test_cover_art_is_not_a_video(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "x.mp4", 10)
    cover = tmp_path / "cover.jpg"
    ffmpeg("-f", "lavfi", "-i", "color=red:s=600x600", "-frames:v", "1", cover)
    art = ("-c", "copy", "-c:v:{}", "mjpeg", "-disposition:v:{}", "attached_pic")
    both = tmp_path / "both.mp4"
    maps = ("-map", "1", "-map", "0")  # the cover comes first
    ffmpeg("-i", clip, "-i", cover, *maps, *(a.format(0) for a in art), both)
    assert (probe(both).width, probe(both).codec) == (168, "h264")
    sound = tmp_path / "sound.mp4"
    maps = ("-map", "0:a", "-map", "1")
    ffmpeg("-i", clip, "-i", cover, *maps, *(a.format(0) for a in art), sound)
    assert "no video, only sound" in refusal(sound)


def test_limits_are_applied(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "x.mp4", 25)
    assert "limit is 1,000 pixels" in refusal(clip, VideoLimits(max_pixels=1000))
    assert "limit is 100;" in refusal(clip, VideoLimits(max_bytes=100))
    assert "streams" in refusal(clip, VideoLimits(max_streams=1))
    assert "seconds" in refusal(clip, VideoLimits(max_duration_seconds=0.5))
    assert probe(clip, VideoLimits(max_duration_seconds=2)).num_frames == 25


def test_the_displayed_size_is_limited_too(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "x.mp4", 3, aspect=Fraction(4), audio=False)
    assert "672x96" in refusal(clip, VideoLimits(max_pixels=168 * 96))

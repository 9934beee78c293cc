"""Bad input on the command line: exit code 2, one plain line, nothing left behind."""

from __future__ import annotations

import json
import os
from pathlib import Path

import av
import golden_files
import numpy as np
import pytest
from fake_hub import closed_url
from PIL import Image

from stablechat import __main__ as cli
from stablechat import hub

MODEL = str(golden_files.CHECKPOINT)


def run(*arguments: str) -> int:
    """Run a command in this process; returns the exit code."""
    try:
        return cli.main(arguments)
    except SystemExit as left:
        return int(left.code or 0)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """3 seconds, 96x64."""
    return golden_files.write_clip(tmp_path_factory.mktemp("clips") / "square.mp4")


#: Arguments, and what the line on stderr says. {clip} and so on are filled in.
BAD: list[tuple[str, str]] = [
    ("", "required: COMMAND"),
    ("paint {clip}", "invalid choice: 'paint'"),
    ("probe", "required: VIDEO"),
    ("probe {tmp}/missing.mp4", "missing.mp4"),
    ("probe {tmp}", "folder"),
    ("probe {tmp}/empty.mp4", "empty.mp4"),
    ("probe {tmp}/text.mp4", "text.mp4"),
    ("probe {tmp}/cut.mp4", "cut.mp4"),
    ("probe {tmp}/pipe.mp4", "pipe"),
    ("probe {tmp}/sound.mp4", "sound.mp4"),
    ("probe concat:{clip}", "There is no file"),
    ("probe http://127.0.0.1/x.mp4", "x.mp4"),
    ("ground {clip}", "question is empty"),
    ("ground {clip} {blank}", "question is empty"),
    ("ground {clip} {long}", "limit is 1000"),
    ("ground {tmp}/missing.mp4 it", "missing.mp4"),
    ("ground {tmp}/text.mp4 it --task rec", "text.mp4"),
    ("ground {clip} it --task dance", "invalid choice: 'dance'"),
    ("ground {clip} it --task svg", "needs the span"),
    ("ground {clip} it --task svg --span 2 1", "start <= end"),
    ("ground {clip} it --task svg --span nan 1", "start <= end"),
    ("ground {clip} it --span 1 2", "Only task svg"),
    ("ground {clip} it --span 1", "expected 2 arguments"),
    ("ground {clip} --task elc --start 1", "needs a region"),
    ("ground {clip} it --at 1", "for task rec"),
    ("ground {clip} it --segment 50 60", "segment begins at 50.00 seconds"),
    ("ground {clip} it --temperature -1", "temperature"),
    ("ground {clip} it --candidates 0", "candidates must be"),
    ("ground {clip} it --candidates two", "invalid int value: 'two'"),
    ("ground {clip} it --choose beauty", "invalid choice: 'beauty'"),
    ("ground {clip} it --temperature nan", "temperature"),
    ("ground {clip} it --temperature hot", "invalid float value: 'hot'"),
    ("ground {clip} it --top-p 0", "top_p"),
    ("ground {clip} it --max-new-tokens 0", "max_new_tokens"),
    ("ground {clip} it --max-new-tokens 99999999999", "from 1 to 32768"),
    ("ground {clip} it --seed x", "invalid int value: 'x'"),
    ("ground {clip} it --colour red", "unrecognized arguments"),
    ("ground {clip} it --export srt", "--export needs a folder"),
    ("ground {clip} it --out {tmp}/out --export paper", "no export 'paper'"),
    ("clip {clip} {tmp}/good.json --out {tmp}/out --export ,", "no export"),
    ("ground {clip} it --out {tmp}/text.mp4", "not a folder"),
    ("ground {clip} it --out {tmp}/text.mp4/deeper", "not a folder"),
    ("ground {clip} it --model {tmp}/nowhere", "There is no model"),
    ("ground {clip} it --model {blank}", "There is no model"),
    ("ground {clip} it --model {tmp}", "config.json is missing"),
    ("ground {clip} it --model org/unknown", "can't be fetched"),
    ("ground {clip} it --device warp", "no device 'warp'"),
    ("ground {clip} it --device cuda:77", "no device cuda:77"),
    ("ground {clip} it --dtype int3", "no number type 'int3'"),
    ("ground {clip} it --attn magic", "no attention 'magic'"),
    ("ground {clip} it --quantization 2bit", "no quantization '2bit'"),
    ("describe {clip} {blank}", "question is empty"),
    ("describe {tmp}/cut.mp4", "cut.mp4"),
    ("clip {clip}", "required: GROUNDING.json, --out"),
    ("clip {clip} {tmp}/missing.json --out {tmp}/out", "missing.json"),
    ("clip {clip} {tmp}/text.mp4 --out {tmp}/out", "not JSON"),
    ("clip {clip} {tmp}/pipe.mp4 --out {tmp}/out", "not a file"),
    ("clip {clip} /dev/zero --out {tmp}/out", "not a file"),
    ("ground {clip} --queries {tmp}/pipe.mp4", "not a file"),
    ("ground {clip} it --window 1 --choose likelihood", "combined with --choose"),
    ("ground {clip} it --window 1 --at 1", "for task rec"),
    ("ground {clip} it --revision main", "omit the revision"),
    ("ground {tmp}/image.png it --task rec --at 1", "has no moments"),
    ("clip {clip} {tmp}/empty.json --out {tmp}/out", "empty.json"),
    ("clip {tmp}/missing.mp4 {tmp}/good.json --out {tmp}/out", "missing.mp4"),
    ("clip {clip} {tmp}/nothing.json --out {tmp}/out", "nothing to cut"),
    ("clip {clip} {tmp}/good.json --out {tmp}/text.mp4", "not a folder"),
]


@pytest.fixture(scope="module")
def bad_folder(tmp_path_factory: pytest.TempPathFactory, clip: Path) -> Path:
    """Files that nothing can be done with, and a good answer."""
    folder = tmp_path_factory.mktemp("bad")
    (folder / "empty.mp4").touch()
    (folder / "text.mp4").write_text("This is no video.\n" * 50)
    (folder / "cut.mp4").write_bytes(clip.read_bytes()[:600])
    os.mkfifo(folder / "pipe.mp4")
    _write_sound(folder / "sound.mp4")
    Image.new("RGB", (32, 32)).save(folder / "image.png")
    (folder / "empty.json").write_text("{}")
    good = {
        "video": {"path": "square.mp4", "width": 96, "height": 64}
        | {"duration_seconds": 3.0, "fps": 10.0},
        "query": "it",
        "task": "stvg",
        "span": {"start_seconds": 1.0, "end_seconds": 2.0},
        "boxes": [],
    }
    (folder / "good.json").write_text(json.dumps(good))
    (folder / "nothing.json").write_text(json.dumps({**good, "span": None}))
    return folder


def _write_sound(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        samples = np.zeros((1, 44100), np.float32)
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
        frame.sample_rate = 44100
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


@pytest.mark.parametrize(("line", "message"), BAD, ids=[line for line, _ in BAD])
def test_bad_input_is_one_plain_line(
    clip: Path,
    bad_folder: Path,
    line: str,
    message: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("HUB_ENDPOINT", "MIRROR_ENDPOINT"):
        monkeypatch.setattr(hub, name, closed_url())
    before = sorted(path.name for path in bad_folder.iterdir())
    words = {"clip": clip, "tmp": bad_folder, "blank": " ", "long": "x " * 2000}
    arguments = [word.format(**words) for word in line.split()]
    if arguments and arguments[0] in ("ground", "describe") and "--model" not in line:
        arguments += ["--model", MODEL]
    assert run(*arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    (told,) = printed.err.splitlines()
    assert told.startswith("error: ")
    assert message in told
    assert "Traceback" not in told
    assert sorted(path.name for path in bad_folder.iterdir()) == before

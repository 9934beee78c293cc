"""Addresses, and fetching what lies elsewhere."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from stablechat.cli.batch import storage
from stablechat.cli.batch.storage import (
    fetched,
    is_remote,
    list_remote,
    local_path,
    normalised,
    retried,
)
from stablechat.errors import (
    CancelledError,
    InputError,
    LimitError,
    StorageError,
    VideoError,
)
from stablechat.folders import owned_folder, remove_orphans
from stablechat.video import VideoLimits, default_limits, set_default_limits


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """Storage in memory, no pauses, and temporary files in a place of its own."""
    monkeypatch.setattr(storage, "FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    filesystem = fsspec.filesystem("memory")
    for name in ("a.mp4", "b.MOV", "notes.txt", "deep/c.mp4"):
        filesystem.pipe(f"/bucket/{name}", name.encode())
    yield "memory://bucket"
    filesystem.rm("/bucket", recursive=True)


def test_one_text_for_all_ways_to_write_an_address(tmp_path: Path) -> None:
    video = tmp_path / "a b.mp4"
    video.touch()
    (tmp_path / "link.mp4").symlink_to(video)
    ways = [str(video), f"{tmp_path}/./a b.mp4", video.as_uri(), tmp_path / "link.mp4"]
    assert {normalised(str(way)) for way in ways} == {str(video)}
    assert {normalised("memory://x/a.mp4"), normalised("MEMORY:///x/a.mp4")} == {
        "memory:///x/a.mp4"
    }
    assert not is_remote("take: 2.mp4") and not is_remote("file:///a")


@pytest.mark.parametrize(
    "address",
    [
        "ftp://host/a.mp4",
        "simplecache::memory://a.mp4",
        "memory://x::zip://a.mp4",
        "reference://a.mp4",
        "python://x",
        "file://elsewhere/a.mp4",
    ],
)
def test_what_may_not_be_reached(address: str) -> None:
    with pytest.raises(InputError):
        normalised(address)


def test_a_storage_whose_package_is_missing_is_named() -> None:
    pytest.importorskip("fsspec")
    try:
        import s3fs  # noqa: F401
    except ImportError:
        with pytest.raises(InputError, match=r"s3:// needs another package .*s3fs"):
            normalised("s3://bucket/a.mp4")


def test_remote_folders_and_patterns(bucket: str) -> None:
    endings = frozenset({".mp4", ".mov"})
    here = [f"memory:///bucket/{name}" for name in ("a.mp4", "b.MOV")]
    assert list_remote(bucket, endings) == here
    assert list_remote(f"{bucket}/", endings) == here
    assert list_remote(f"{bucket}/**/*.mp4", endings) == [
        "memory:///bucket/a.mp4",
        "memory:///bucket/deep/c.mp4",
    ]
    assert list_remote(f"{bucket}/gone.mp4", endings) == ["memory:///bucket/gone.mp4"]
    with pytest.raises(InputError, match="no video"):
        list_remote(f"{bucket}/*.avi", endings)


def test_a_fetched_file_is_gone_afterwards(bucket: str, tmp_path: Path) -> None:
    with fetched("memory:///bucket/a.mp4") as path:
        assert path.read_bytes() == b"a.mp4" and path.name == "a.mp4"
    with (
        pytest.raises(RuntimeError, match="used"),
        fetched("memory:///bucket/a.mp4"),
    ):
        raise RuntimeError("used")
    assert list(tmp_path.iterdir()) == []


def test_a_file_here_is_used_where_it_is(tmp_path: Path) -> None:
    with fetched(str(tmp_path / "a.mp4")) as path:
        assert path == tmp_path / "a.mp4"


def test_names_that_no_disk_would_take(bucket: str) -> None:
    long = "x" * 300 + ".mp4"
    for name in ("a:b?.mp4", long, ". .mp4"):
        fsspec.filesystem("memory").pipe(f"/bucket/{name}", b"1")
        with fetched(f"memory:///bucket/{name}") as path:
            assert path.read_bytes() == b"1" and path.suffix == ".mp4"


def test_too_large_a_file_is_refused(bucket: str, tmp_path: Path) -> None:
    before = default_limits()
    set_default_limits(VideoLimits(max_bytes=4))
    try:
        with pytest.raises(LimitError, match="max_bytes"), fetched(f"{bucket}/a.mp4"):
            pass
    finally:
        set_default_limits(before)
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_ends_a_download(bucket: str, tmp_path: Path) -> None:
    with pytest.raises(CancelledError), fetched(f"{bucket}/a.mp4", lambda: True):
        pass
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_there_is_asked_for_once(bucket: str) -> None:
    with pytest.raises(VideoError, match="There is no"), fetched(f"{bucket}/no.mp4"):
        pass


def test_only_what_may_pass_is_tried_again(bucket: str) -> None:
    def failing(*errors: Exception) -> int:
        left = list(errors)

        def work() -> int:
            if left:
                raise left.pop(0)
            return len(errors)

        return retried(work, bucket)

    assert failing(ConnectionResetError("gone"), TimeoutError()) == 2
    with pytest.raises(StorageError, match=r"\(gone\), 4 times; try again later"):
        failing(*[OSError("gone")] * storage.ATTEMPTS)
    for definite in (PermissionError("no"), ValueError("odd")):
        with pytest.raises(VideoError, match="can't be read"):
            failing(definite)


def test_a_cut_download_is_begun_anew(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied = []

    def copy(source: object, target: object, *rest: object) -> int:
        copied.append(1)
        return 3 if len(copied) == 1 else genuine(source, target, *rest)

    genuine = storage._copy
    monkeypatch.setattr(storage, "_copy", copy)
    with fetched(f"{bucket}/a.mp4") as path:
        assert path.read_bytes() == b"a.mp4"
    assert len(copied) == 2


def test_folders_of_the_dead_are_removed(tmp_path: Path) -> None:
    dead = tmp_path / "ours-999999999-abc"
    other = tmp_path / "ours-notes-abc"
    for folder in (dead, other):
        folder.mkdir()
    with owned_folder("ours-", tmp_path) as living:
        remove_orphans("ours-", tmp_path)
        assert sorted(os.listdir(tmp_path)) == sorted([living.name, other.name])
    assert os.listdir(tmp_path) == [other.name]


def test_a_folder_goes_though_somebody_still_writes_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    genuine, calls = shutil.rmtree, []

    def rmtree(folder: Path, **options: bool) -> None:
        genuine(folder, **options)
        calls.append(folder)
        if len(calls) == 1:
            (folder / "log").mkdir(parents=True)

    monkeypatch.setattr(shutil, "rmtree", rmtree)
    with owned_folder("ours-", tmp_path) as made:
        pass
    assert not made.exists() and len(calls) == 2


def test_file_addresses() -> None:
    assert local_path("file:///a%20b.mp4") == "/a b.mp4"
    assert local_path("a%20b.mp4") == "a%20b.mp4"

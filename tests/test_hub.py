"""The hub, its mirror and the cache, against a hub on this machine."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import fake_hub
import golden_files
import huggingface_hub
import pytest
import torch
from fake_hub import COMMITS, FakeHub, Repository
from huggingface_hub import constants

from stablechat import hub
from stablechat.downloads import Watch
from stablechat.errors import CancelledError, HubError, ModelError
from stablechat.loader import load_model

NAME = "org/tiny-st"


@pytest.fixture(autouse=True)
def private_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    cache = tmp_path / "cache"
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    return cache


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """A hub that has the golden checkpoint, and a mirror that nobody answers for."""
    with fake_hub.serve() as running:
        running.repositories[NAME] = Repository(golden_files.CHECKPOINT)
        monkeypatch.setattr(hub, "HUB_ENDPOINT", running.url)
        monkeypatch.setattr(hub, "MIRROR_ENDPOINT", fake_hub.closed_url())
        yield running


@pytest.fixture
def mirrored(served: FakeHub, monkeypatch: pytest.MonkeyPatch) -> FakeHub:
    """The same, but it is the mirror, and the hub does not answer."""
    monkeypatch.setattr(hub, "HUB_ENDPOINT", fake_hub.closed_url())
    monkeypatch.setattr(hub, "MIRROR_ENDPOINT", served.url)
    return served


def unplug(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "HUB_ENDPOINT", fake_hub.closed_url())
    monkeypatch.setattr(hub, "MIRROR_ENDPOINT", fake_hub.closed_url())


def test_a_model_from_the_hub(served: FakeHub) -> None:
    loaded = load_model(NAME, device="cpu")
    assert (loaded.name, loaded.revision) == (NAME, COMMITS[0])
    expected = golden_files.loaded().model.projector[0].weight
    assert torch.equal(loaded.model.projector[0].weight, expected)
    # The tower's weights are needed for their configuration's folder only.
    assert {"config.json", "model.safetensors", "tokenizer.json", "merges.txt"} <= (
        served.downloaded()
    )


def test_nothing_but_the_needed_files_is_fetched(
    served: FakeHub, tmp_path: Path
) -> None:
    folder = golden_files.copy_checkpoint(tmp_path / "repo")
    for name in ("evil.py", "pytorch_model.bin", "training_args.bin", "demo.mp4"):
        (folder / name).write_text("not wanted")
    served.repositories[NAME] = Repository(folder)
    hub.fetch(NAME)
    endings = {name.rsplit(".", 1)[1] for name in served.downloaded()}
    assert endings == {"json", "safetensors", "txt"}


def test_bin_files_only_without_safetensors(served: FakeHub, tmp_path: Path) -> None:
    folder = golden_files.copy_checkpoint(tmp_path / "repo")
    torch.save(golden_files.read_weights(folder), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    (folder / "siglip-tiny" / "model.safetensors").unlink()
    served.repositories[NAME] = Repository(folder)
    assert load_model(NAME, device="cpu").name == NAME
    served.asked.clear()
    assert load_model(NAME, device="cpu").name == NAME
    assert not served.asked


def test_the_first_commit_is_kept(served: FakeHub) -> None:
    first = hub.fetch(NAME)
    assert (first.revision, first.endpoint) == (COMMITS[0], served.url)
    served.repositories[NAME].main = COMMITS[1]
    served.asked.clear()
    again = hub.fetch(NAME)
    assert (again.revision, again.endpoint) == (COMMITS[0], None)
    assert not served.asked
    # Unless the newest is asked for by name.
    assert hub.locate(f"{NAME}@main").revision == COMMITS[1]


@pytest.mark.parametrize("commit", COMMITS)
def test_a_revision_can_be_asked_for(served: FakeHub, commit: str) -> None:
    assert hub.locate(f"{NAME}@{commit}").revision == commit
    assert hub.locate(NAME, revision=commit).folder.name == commit


def test_a_pinned_model(served: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(hub.PINNED_REVISIONS, NAME, COMMITS[1])
    assert hub.fetch(NAME).revision == COMMITS[1]


def test_the_mirror_when_the_hub_does_not_answer(
    mirrored: FakeHub, caplog: pytest.LogCaptureFixture
) -> None:
    source = hub.fetch(NAME)
    assert source.endpoint == mirrored.url
    assert f"{hub.HUB_ENDPOINT} can't be reached" in caplog.text
    assert f"Trying the mirror {mirrored.url}" in caplog.text


def test_the_mirror_gets_no_token(
    mirrored: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    hub.fetch(NAME)
    assert mirrored.asked
    assert not mirrored.tokens
    # Unless it was chosen by hand.
    monkeypatch.setenv("HF_ENDPOINT", mirrored.url)
    hub.fetch(NAME, "main")
    assert mirrored.tokens


def test_the_hub_gets_the_token(
    served: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    hub.fetch(NAME)
    assert set(served.tokens) == {"Bearer hf_secret"}


@pytest.mark.parametrize("status", [429, 500, 503])
def test_the_mirror_when_the_hub_is_down(
    mirrored: FakeHub, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fake_hub.serve() as down:
        down.status = status
        monkeypatch.setattr(hub, "HUB_ENDPOINT", down.url)
        assert hub.fetch(NAME).endpoint == mirrored.url


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("org/unknown", "There is no model org/unknown"),
        ("org/gated", r"is gated: .*org/gated.*hf auth login"),
        (f"{NAME}@nowhere", "has no revision 'nowhere'"),
    ],
)
def test_a_refusal_is_an_answer(
    mirrored: FakeHub, name: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fake_hub.serve() as refusing:
        refusing.repositories = {
            NAME: Repository(golden_files.CHECKPOINT),
            "org/gated": Repository(golden_files.CHECKPOINT),
        }
        refusing.gated.add("org/gated")
        monkeypatch.setattr(hub, "HUB_ENDPOINT", refusing.url)
        with pytest.raises(HubError, match=message):
            hub.locate(name)
    # The mirror was not asked.
    assert not mirrored.asked


def test_hf_endpoint_is_the_only_one_asked(
    served: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", fake_hub.closed_url() + "/")
    with pytest.raises(HubError, match="can't be reached"):
        hub.fetch(NAME)
    assert not served.asked
    unplug(monkeypatch)
    monkeypatch.setenv("HF_ENDPOINT", served.url + "/")
    assert hub.fetch(NAME).endpoint == served.url


def test_nobody_answers_and_nothing_is_cached(monkeypatch: pytest.MonkeyPatch) -> None:
    unplug(monkeypatch)
    with pytest.raises(HubError) as caught:
        hub.fetch(NAME)
    for part in (NAME, hub.HUB_ENDPOINT, hub.MIRROR_ENDPOINT, "HF_ENDPOINT"):
        assert part in str(caught.value)


def test_nobody_answers_but_it_is_cached(
    served: FakeHub,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    first = hub.fetch(NAME)
    unplug(monkeypatch)
    assert hub.fetch(NAME).folder == first.folder
    with caplog.at_level(logging.WARNING):
        assert hub.locate(f"{NAME}@main").folder == first.folder
    assert "Using the cached files" in caplog.text


def test_offline(served: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(HubError, match=r"not in the cache, and the network is off"):
        hub.fetch(NAME, offline=True)
    first = hub.fetch(NAME)
    served.asked.clear()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert hub.fetch(NAME).folder == first.folder
    assert hub.locate(f"{NAME}@main").folder == first.folder
    assert not served.asked


def test_a_download_that_broke_off_is_taken_up_again(served: FakeHub) -> None:
    folder = hub.fetch(NAME).folder
    (folder / "model.safetensors").unlink()
    assert (hub.fetch(NAME).folder / "model.safetensors").is_file()


def fetch_one_file(name: str) -> Path:
    """What a person does who only wants to look at a configuration."""
    return Path(
        huggingface_hub.hf_hub_download(NAME, name, endpoint=hub.endpoints()[0])
    )


def test_one_cached_file_is_no_model(
    served: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = fetch_one_file("config.json").parent
    assert (folder.parents[1] / "refs" / "main").is_file()
    with pytest.raises(HubError, match=r"whole \(model\.safetensors is missing\)"):
        hub.fetch(NAME, offline=True)
    with monkeypatch.context() as unplugged:
        unplug(unplugged)
        with pytest.raises(HubError, match=r"model\.safetensors is missing.*HF_END"):
            hub.fetch(NAME)
    assert load_model(NAME, device="cpu").folder == folder


@pytest.mark.parametrize(
    "name", ["config.json", "model-00002-of-00003.safetensors", "tokenizer.json"]
)
def test_a_file_that_is_gone_is_fetched_again(
    served: FakeHub, tmp_path: Path, name: str
) -> None:
    repository = golden_files.copy_checkpoint(tmp_path / "repo")
    golden_files.shard(repository)
    (repository / "vocab.json").unlink()
    served.repositories[NAME] = Repository(repository)
    folder = hub.fetch(NAME).folder
    (folder / name).unlink()
    with pytest.raises(HubError, match=f"{name} is missing"):
        hub.fetch(NAME, offline=True)
    assert (hub.fetch(NAME).folder / name).is_file()


def test_a_tower_from_the_hub(served: FakeHub, tmp_path: Path) -> None:
    folder = golden_files.copy_checkpoint(tmp_path / "repo")
    (folder / "siglip-tiny").rename(tmp_path / "tower")
    golden_files.edit_config(folder, mm_vision_tower="org/siglip-tiny")
    served.repositories["org/siglip-tiny"] = Repository(tmp_path / "tower")
    # The weights are in the checkpoint: only the geometry is fetched.
    load_model(folder, device="cpu")
    assert served.downloaded() == {"config.json"}
    tensors = golden_files.read_weights(folder)
    golden_files.write_weights(
        folder,
        {k: t for k, t in tensors.items() if golden_files.TOWER_PREFIX not in k},
    )
    load_model(folder, device="cpu")
    assert served.downloaded() == {"config.json", "model.safetensors"}


def test_a_folder_comes_before_the_hub(
    served: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    golden_files.copy_checkpoint(tmp_path / "org" / "tiny-st")
    monkeypatch.chdir(tmp_path)
    assert hub.locate(NAME).name == "tiny-st"
    assert not served.asked


@pytest.mark.parametrize(
    "name", ["org/..", "../name", "org/.hidden", "o" * 200 + "/x", "a/b/c", "org/x@-y"]
)
def test_ids_that_could_leave_the_cache(served: FakeHub, name: str) -> None:
    with pytest.raises(ModelError, match="There is no model"):
        hub.locate(name)
    assert not served.asked


def test_telemetry_is_off() -> None:
    assert hub.constants.HF_HUB_DISABLE_TELEMETRY


def test_how_far_a_download_is_is_told(served: FakeHub) -> None:
    told: list[tuple[str, float]] = []
    watch = Watch(lambda stage, share: told.append((stage, share)))
    assert load_model(NAME, device="cpu", watch=watch).name == NAME
    fetched = [share for stage, share in told if stage == "fetch"]
    assert fetched[0] == 0 and fetched[-1] == pytest.approx(1, abs=0.01)
    assert len(fetched) > 3 and fetched == sorted(fetched)
    filled = [share for stage, share in told if stage == "load"]
    assert filled == sorted(filled) and filled[-1] > 0.9
    # At hand now: nothing is fetched, and it is loaded all the same.
    told.clear()
    load_model(NAME, device="cpu", watch=watch)
    assert {stage for stage, _ in told} == {"load"}


@pytest.mark.parametrize("stage", ["fetch", "load"])
def test_a_download_can_be_stopped_and_taken_up_again(
    served: FakeHub, stage: str
) -> None:
    reached: list[str] = []
    watch = Watch(lambda at, _: reached.append(at), lambda: stage in reached)
    with pytest.raises(CancelledError):
        load_model(NAME, device="cpu", watch=watch)
    assert load_model(NAME, device="cpu").name == NAME

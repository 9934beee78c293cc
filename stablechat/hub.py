"""Which folder holds a model: a local one, the demo, or one fetched from the hub.

The mirror rule: ``HF_ENDPOINT`` if it is set; otherwise, when the hub can't be
reached, the mirror is tried and the log says so. Answers such as "no such model" are
answers: they are not asked for again elsewhere. The commit of a first download is
kept in the cache's own ``refs``, and later loads use the same one without asking.
"""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

# Read by huggingface_hub when it is imported.
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

import huggingface_hub
from huggingface_hub import constants
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from stablechat.downloads import UNWATCHED, Watch, progress_bar
from stablechat.errors import CheckpointError, HubError, ModelError, StableChatError
from stablechat.sentences import Sentence

logger = logging.getLogger(__name__)

# The variable above comes too late where somebody imported huggingface_hub before.
constants.HF_HUB_DISABLE_TELEMETRY = True

HUB_ENDPOINT = "https://huggingface.co"
MIRROR_ENDPOINT = "https://hf-mirror.com"
#: The demo model; see training/ for how it is made.
DEMO_FOLDER = Path(__file__).resolve().parent.parent / "assets" / "demo"
#: Commits to use for known models when none is asked for. A model that is not here
#: is pinned by its first download.
PINNED_REVISIONS: dict[str, str] = {}

CHECKPOINT_FILES = ("*.json", "*.safetensors", "merges.txt", "vocab.txt")
_BIN_FILES = ("*.json", "pytorch_model*.bin", "merges.txt", "vocab.txt")
# Answers that mean the service is down rather than "no".
_DOWN = (429, 500, 502, 503, 504)
_METADATA_TIMEOUT_SECONDS = 10.0

_PART = r"[A-Za-z0-9_](?:[A-Za-z0-9_]|[.-](?![.-])){0,95}"
_HUB_ID = re.compile(rf"({_PART}/{_PART})(?:@([A-Za-z0-9][\w./-]{{0,127}}))?")
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class Source:
    """A model's files on this machine.

    Attributes:
        folder: Where they are.
        name: What to call the model.
        revision: Commit, for a model from the hub.
        endpoint: Where it was fetched from now, or None when it was at hand.
        is_demo: Whether it is the demo model.
    """

    folder: Path
    name: str
    revision: str | None = None
    endpoint: str | None = None
    is_demo: bool = False


def is_offline() -> bool:
    """Whether the environment forbids the network (``HF_HUB_OFFLINE``)."""
    return bool(constants.HF_HUB_OFFLINE)


def is_hub_id(text: str) -> bool:
    """Whether a text has the form ``org/name`` (or ``org/name@revision``)."""
    return _HUB_ID.fullmatch(text) is not None


def locate(
    model: str | Path | None,
    revision: str | None = None,
    offline: bool | None = None,
    watch: Watch = UNWATCHED,
) -> Source:
    """Find a model's folder, fetching it when it is a hub id.

    Args:
        model: A folder, ``org/name`` or ``org/name@revision``; None for the demo.
        revision: Branch, tag or commit of a hub model.
        offline: Use cached files only; None follows ``HF_HUB_OFFLINE``.
        watch: Looks on while files are fetched.

    Raises:
        CancelledError: ``watch`` said so.
        ModelError: There is no such folder or model.
        HubError: The hub can't be reached or refuses.
    """
    # Unlike Path's own methods, those of os.path raise for no name.
    expanded = "" if model is None else os.path.expanduser(model)
    if revision is not None and (model is None or os.path.isdir(expanded)):
        raise ModelError(
            "Only models of the hub have revisions; name one, or omit the revision."
        )
    if model is None:
        return _demo()
    if os.path.isdir(expanded):
        folder = Path(expanded)
        is_demo = folder.resolve() == DEMO_FOLDER
        return Source(folder, folder.resolve().name, is_demo=is_demo)
    hub_id = _HUB_ID.fullmatch(str(model))
    if hub_id is None or isinstance(model, Path):
        raise ModelError(
            "There is no model {model!r}: it is neither a folder nor a hub id "
            'such as "appletea2333/LLaVA-ST-Qwen2-7B".',
            model=str(model),
        )
    repo, written = hub_id.groups()
    return fetch(repo, revision or written, offline=offline, watch=watch)


def _demo() -> Source:
    if not os.path.isfile(DEMO_FOLDER / "config.json"):
        raise CheckpointError(
            "The demo model is not in {folder}; fetch the whole "
            "repository, or name a model with --model.",
            folder=DEMO_FOLDER,
        )
    return Source(DEMO_FOLDER, "demo", is_demo=True)


def fetch(
    repo: str,
    revision: str | None = None,
    *,
    offline: bool | None = None,
    files: Sequence[str] = CHECKPOINT_FILES,
    watch: Watch = UNWATCHED,
) -> Source:
    """Have a hub model's files on this machine.

    Args:
        repo: ``org/name``.
        revision: Branch, tag or commit. None is the pinned commit, or the one that
            was used here before, or the newest.
        offline: Use cached files only; None follows ``HF_HUB_OFFLINE``.
        files: Patterns of the files that are needed.
        watch: Looks on.

    Raises:
        CancelledError: ``watch`` said so; what was fetched is taken up again later.
        HubError: Neither the hub nor the mirror can be reached and nothing is cached,
            or the hub refuses.
    """
    wanted = revision or PINNED_REVISIONS.get(repo) or _cached_commit(repo, "main")
    if offline is None:
        offline = is_offline()
    if (wanted and _COMMIT.fullmatch(wanted)) or offline:
        cached, lacking = _from_cache(repo, wanted or "main", files)
        if cached is not None:
            return cached
        if offline:
            raise HubError(
                "{repo} is not in the cache{lacking}, and the network is off "
                "(HF_HUB_OFFLINE); load it once with the network on.",
                repo=repo,
                lacking=lacking,
            )
    return _download_from_any(repo, wanted or "main", files, watch)


def _cached_commit(repo: str, revision: str) -> str | None:
    """The commit that a name stood for when it was used here before."""
    if _COMMIT.fullmatch(revision):
        return revision
    reference = _cache_folder(repo) / "refs" / revision
    try:
        commit = reference.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return None
    return commit if _COMMIT.fullmatch(commit) else None


def _cache_folder(repo: str) -> Path:
    return Path(constants.HF_HUB_CACHE) / f"models--{repo.replace('/', '--')}"


def _from_cache(
    repo: str, revision: str, files: Sequence[str]
) -> tuple[Source | None, str]:
    """The cached files, or None and what to add to a message when some are missing."""
    commit = _cached_commit(repo, revision)
    if commit is None:
        return None, ""
    folder = _cache_folder(repo) / "snapshots" / commit
    if not os.path.isdir(folder):
        return None, ""
    # Others fetch single files into the same cache.
    missing = _missing_file(folder, files)
    if missing is None:
        return Source(folder, repo, commit), ""
    return None, Sentence(" as a whole ({missing} is missing)", missing=missing)


def _missing_file(folder: Path, files: Sequence[str]) -> str | None:
    """The first file that a cached model lacks, or None."""
    needed = ["config.json"]
    if "*.safetensors" in files:
        needed += _weight_names(folder)
    if "merges.txt" in files and not os.path.isfile(folder / "vocab.json"):
        needed.append("tokenizer.json")
    return next((n for n in needed if not os.path.isfile(folder / n)), None)


def _weight_names(folder: Path) -> list[str]:
    for whole in ("model.safetensors", "pytorch_model.bin"):
        index = folder / f"{whole}.index.json"
        if os.path.isfile(index):
            try:
                shards = json.loads(index.read_bytes())["weight_map"].values()
                return sorted({str(name) for name in shards})
            except (OSError, ValueError, LookupError, TypeError, AttributeError):
                return []  # damaged: list_tensors says so
        if os.path.isfile(folder / whole):
            return []
    return ["model.safetensors"]


def endpoints() -> list[str]:
    """Where to ask, in order."""
    chosen = os.environ.get("HF_ENDPOINT", "").strip().rstrip("/")
    return [chosen] if chosen else [HUB_ENDPOINT, MIRROR_ENDPOINT]


def _download_from_any(
    repo: str, revision: str, files: Sequence[str], watch: Watch
) -> Source:
    tried = endpoints()
    for endpoint in tried:
        try:
            return _download(repo, revision, files, endpoint, watch)
        except StableChatError:
            raise
        except Exception as error:
            refusal = _refusal(error, repo, revision, endpoint)
            if refusal is not None:
                raise refusal from error
            logger.warning("%s can't be reached: %s", endpoint, _line(error))
            if endpoint != tried[-1]:
                logger.warning("Trying the mirror %s", tried[-1])
    cached, lacking = _from_cache(repo, revision, files)
    if cached is not None:
        logger.warning("Using the cached files of %s", repo)
        return cached
    raise HubError(
        "{repo} can't be fetched: {endpoints} can't be reached, and it is "
        "not in the cache{lacking}; check the network, set HF_ENDPOINT, or "
        "give a folder.",
        repo=repo,
        endpoints=_both(tried),
        lacking=lacking,
    )


def _download(
    repo: str, revision: str, files: Sequence[str], endpoint: str, watch: Watch
) -> Source:
    # A saved token is for the hub, or for the endpoint that the user chose.
    chosen = endpoint == HUB_ENDPOINT or bool(os.environ.get("HF_ENDPOINT"))
    token = None if chosen else False
    api = huggingface_hub.HfApi(endpoint=endpoint, token=token)
    info = api.model_info(
        repo,
        revision=revision,
        timeout=_METADATA_TIMEOUT_SECONDS,
        files_metadata=True,
    )
    sizes = {each.rfilename: each.size or 0 for each in info.siblings or []}
    patterns = _patterns(files, tuple(sizes))
    wanted = (name for name in sizes if any(fnmatch(name, each) for each in patterns))
    watch.report("fetch", 0.0)
    logger.info("Fetching %s at %s from %s", repo, info.sha, endpoint)
    folder = huggingface_hub.snapshot_download(
        repo,
        # By name, so that the cache records the commit it stood for.
        revision=revision,
        allow_patterns=list(patterns),
        endpoint=endpoint,
        token=token,
        tqdm_class=progress_bar(watch, sum(sizes[name] for name in wanted)),
    )
    return Source(Path(folder), repo, Path(folder).name, endpoint)


def _patterns(files: Sequence[str], names: Sequence[str]) -> Sequence[str]:
    wants_weights = "*.safetensors" in files
    has_safetensors = any(name.endswith(".safetensors") for name in names)
    return files if has_safetensors or not wants_weights else _BIN_FILES


def _refusal(
    error: Exception, repo: str, revision: str, endpoint: str
) -> HubError | None:
    """What an answer means, or None when there was no answer."""
    if isinstance(error, GatedRepoError):
        return HubError(
            "{repo} is gated: accept its terms at {endpoint}/{repo}, then "
            "log in with `hf auth login`.",
            repo=repo,
            endpoint=HUB_ENDPOINT,
        )
    if isinstance(error, RevisionNotFoundError):
        return HubError(
            "{repo} has no revision {revision!r}.", repo=repo, revision=revision
        )
    if isinstance(error, RepositoryNotFoundError):
        return HubError(
            "There is no model {repo} at {endpoint}, or it is private; check "
            "the name, or log in with `hf auth login`.",
            repo=repo,
            endpoint=endpoint,
        )
    if isinstance(error, HfHubHTTPError):
        status = getattr(error.response, "status_code", None)
        if status in _DOWN:
            return None
        return HubError(
            "{endpoint} refused {repo}: {reason}.",
            endpoint=endpoint,
            repo=repo,
            reason=_line(error),
        )
    if _is_network_error(error):
        return None
    return HubError(
        "{repo} could not be fetched from {endpoint}: {reason}.",
        repo=repo,
        endpoint=endpoint,
        reason=_line(error),
    )


def _both(endpoints: Sequence[str]) -> str:
    if len(endpoints) == 1:
        return endpoints[0]
    return Sentence("{first} and {second}", first=endpoints[0], second=endpoints[1])


def _is_network_error(error: Exception) -> bool:
    # huggingface_hub has used requests, httpx and httpx2 in turn.
    library = type(error).__module__.partition(".")[0]
    return isinstance(
        error, ConnectionError | TimeoutError | LocalEntryNotFoundError
    ) or library in ("httpx", "httpx2", "httpcore", "httpcore2", "requests", "urllib3")


def _line(error: BaseException) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0][:200].rstrip(".")

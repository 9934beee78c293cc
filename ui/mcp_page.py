"""A running page, asked by a program on the same machine or another."""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
import tempfile
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import anyio
from gradio_client import Client, handle_file
from gradio_client.client import Job
from gradio_client.exceptions import AppError

from stablechat.errors import InputError
from stablechat.folders import made_folder

_LOOPBACK_NAMES = ("127.0.0.1", "localhost", "::1")
_POLL_SECONDS = 0.2
_STAGES = ("read", "encode", "answer", "draw")


class Told(Protocol):
    """Whoever wants to know how far a question is."""

    def report_progress(
        self, progress: float, total: float | None = None, message: str | None = None
    ) -> Awaitable[None]:
        """Take what is done, of how much, and what is being done."""


class Page:
    """A running page, as a session of its own. A context manager.

    Args:
        url: Its address.
        out: Where clips are put.
        auth: User and password, where it asks for a login.
    """

    def __init__(
        self, url: str, out: Path, auth: tuple[str, str] | None = None
    ) -> None:
        self._url = url
        self._out = out
        self._auth = auth
        self._client: Client | None = None
        self._downloads = tempfile.TemporaryDirectory(prefix="stablechat-mcp-")

    def __enter__(self) -> Page:
        return self

    def __exit__(self, *_: object) -> None:
        self._disconnect()
        self._downloads.cleanup()

    async def ask(
        self, endpoint: str, video: str, words: Sequence[str | float], context: Told
    ) -> Any:
        """Ask about a file, telling how far it is.

        Args:
            endpoint: ``"/ground"``, ``"/describe"`` or ``"/captions"``.
            video: The file's path.
            words: What the endpoint takes after the file: what is asked, and the part
                of the video to look at.
            context: Takes the progress. A cancelled call cancels the question.

        Returns:
            What the endpoint answers.

        Raises:
            InputError: There is no such file, no page, or the page says what is wrong.
        """
        path = Path(video).expanduser()
        if not path.is_file():
            raise InputError(f"There is no file {video}; give the path of a video.")
        client = await asyncio.to_thread(self._connected)
        job = client.submit(handle_file(str(path)), *words, api_name=endpoint)
        try:
            while not job.done():
                await _tell(job, context)
                await asyncio.sleep(_POLL_SECONDS)
            return job.result()
        except asyncio.CancelledError:
            # The caller's scope would cancel this call, too, before it began.
            with anyio.CancelScope(shield=True):
                await asyncio.to_thread(job.cancel)
            raise
        except Exception as error:
            raise InputError(self._reason(error)) from error

    def keep(self, clip: str) -> str:
        """Move a clip into the folder, beside older ones of its name.

        Returns:
            Its path.

        Raises:
            InputError: It can't be written.
        """
        source = Path(clip)
        with made_folder(self._out):
            for number in itertools.count(1):
                mark = "" if number == 1 else f"_{number}"
                target = self._out / f"{source.stem}{mark}{source.suffix}"
                with suppress(FileExistsError):
                    # The name is taken before the file is moved there whole.
                    os.close(os.open(target, os.O_CREAT | os.O_EXCL, 0o644))
                    _move(source, target)
                    break
        return str(target.resolve())

    def _connected(self) -> Client:
        if self._client is None:
            host = urlsplit(self._url).hostname
            # A proxy can't reach this machine's own address.
            direct = {"trust_env": False} if host in _LOOPBACK_NAMES else {}
            try:
                self._client = Client(
                    self._url,
                    auth=self._auth,
                    verbose=False,
                    analytics_enabled=False,
                    download_files=self._downloads.name,
                    httpx_kwargs=direct,
                )
            except Exception as error:
                raise InputError(self._unreachable(error)) from error
        return self._client

    def _disconnect(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def _reason(self, error: Exception) -> str:
        if isinstance(error, AppError):
            return str(error)  # the line that the page would show
        # It may have been stopped or started anew: the next question finds out.
        self._disconnect()
        return self._unreachable(error)

    def _unreachable(self, error: Exception) -> str:
        reason = " ".join(str(error).split()) or type(error).__name__
        return (
            f"StableChat at {self._url} does not answer ({reason}); start it with "
            "python app.py, or give its address with --url."
        )


def _move(source: Path, target: Path) -> None:
    """Put a file in the place of an empty one, which goes if that fails."""
    unfinished = target.with_name(f".{target.name}.part")
    try:
        shutil.move(source, unfinished)  # from another disk, maybe
        os.replace(unfinished, target)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        target.unlink(missing_ok=True)
        raise


async def _tell(job: Job, context: Told) -> None:
    """Pass the stage on, if the page has told one."""
    outputs = job.outputs()
    last = outputs[-1] if outputs else None
    stage = last[-1] if isinstance(last, list | tuple) else last
    if isinstance(stage, dict) and stage.get("stage") in _STAGES:
        fraction = float(stage["fraction"])
        done = _STAGES.index(stage["stage"]) + fraction
        if "parts" in stage:  # Each goes through all stages but the last.
            done = fraction * (len(_STAGES) - 1)
        await context.report_progress(done, len(_STAGES), stage["stage"])

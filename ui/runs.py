"""One answered question of a tab: its folder, its answer, and what was made of it."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # Not at run time: sessions are imported before Gradio is.
    from ui.files import ResultFiles
    from ui.outcomes import Outcome
    from ui.together import Together

#: What the names of the folders of clips that were cut again begin with.
REVISION_PREFIX = "again-"


class Run:
    """A question, or several that were asked together.

    Attributes:
        key: What the page calls it.
        folder: Its own.
        result: The answer, once there is one.
        files: Of that answer, once they were written.
        looked_seconds: The moment whose picture was shown to correct its box.
        revision: The folder that the last files were written to.
    """

    def __init__(self, key: str, folder: Path) -> None:
        self.key = key
        self.folder = folder
        self.result: Outcome | Together | None = None
        self.files: ResultFiles | None = None
        self.looked_seconds: float | None = None
        self.revision = folder
        self._revisions: list[Path] = []

    def new_revision(self) -> Path:
        """An empty folder inside the run's, for its clip cut again; old ones go."""
        # The last one is still looked at until the new one is there.
        for stale in self._revisions[:-1]:
            shutil.rmtree(stale, ignore_errors=True)
        folder = Path(tempfile.mkdtemp(prefix=REVISION_PREFIX, dir=self.folder))
        self._revisions = [*self._revisions[-1:], folder]
        self.revision = folder
        return folder

    def replace_result(self, result: Outcome) -> None:
        """Another look or a correction of the same answer."""
        self.result, self.files, self.looked_seconds = result, None, None

    def restore(self, result: Outcome | Together, revision: Path) -> None:
        """What survived a restart."""
        self.result, self.revision = result, revision
        self._revisions = [revision] if revision != self.folder else []

    @property
    def videos(self) -> set[Path]:
        """The uploads that it is about."""
        result = self.result
        if result is None:
            return set()
        return {answer.video.path for answer in result.answers}

    def remove(self) -> None:
        """Remove its folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

"""The files that annotations name, in folders that are not always laid out alike."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from stablechat.errors import InputError


class VideoFolder:
    """Finds videos and images by their annotated path.

    HC-STVG comes in parts and VidOR in groups, so a file that is not at its annotated
    place is looked for by its name in all folders inside.

    Args:
        root: The folder.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def find(self, annotated: str) -> Path:
        """The file, or where it should be if it is nowhere.

        Args:
            annotated: A relative path; the loaders saw to it that it stays inside.

        Raises:
            InputError: Several files have its name.
        """
        path = self._root / annotated
        if os.path.lexists(path):
            return path
        found = self._by_name.get(os.path.basename(annotated.replace("\\", "/")), [])
        if len(found) > 1:
            raise InputError(
                f"{annotated} is not there, and {len(found)} files in other folders "
                "have its name; put it in its place."
            )
        return found[0] if found else path

    @cached_property
    def _by_name(self) -> Mapping[str, list[Path]]:
        files: dict[str, list[Path]] = {}
        for folder, _, names in os.walk(self._root):
            for name in names:
                files.setdefault(name, []).append(Path(folder, name))
        return files

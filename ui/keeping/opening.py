"""The sessions of a server, with or without what earlier ones left.

Imported before Gradio is.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ui.root import private_root
from ui.session import Sessions


@contextmanager
def open_sessions(keep: str | None) -> Iterator[Sessions]:
    """Have the folders of a server while it runs.

    Args:
        keep: The folder whose answers survive; None keeps nothing.

    Raises:
        InputError: The folder can't be used.
    """
    if keep is None:
        with Sessions(private_root()) as sessions:
            yield sessions
        return
    # Late: PyTorch and its like are loaded with what answers are made of.
    from ui.keeping.folder import kept_folder
    from ui.keeping.store import Store

    with kept_folder(Path(keep)) as folder:
        store = Store(folder)
        with Sessions(folder.files, store=store) as sessions:
            yield sessions

"""A page that is given files only by upload, and texts that can be told again.

Gradio fetches a file that is told by its address, wherever in an input that stands,
whole and into memory: past ``--no-links``, and past every limit.
"""

from __future__ import annotations

from typing import Any

import gradio as gr
from gradio_client.utils import is_file_obj_with_meta, is_http_url_like, traverse

from ui.i18n import text
from ui.running import language_asked


class LocalBlocks(gr.Blocks):
    """Gradio's blocks, which refuse files that are elsewhere."""

    async def process_api(  # type: ignore[override]
        self,
        block_fn: Any,
        inputs: list[Any],
        *,
        request: gr.Request | None = None,
        **others: Any,
    ) -> dict[str, Any]:
        """Answer a browser or a program; everything that calls a handler comes here.

        Raises:
            gr.Error: It names a file by its address.
        """
        if _name_address(inputs):
            language = language_asked(request) if request else "en"
            raise gr.Error(text(language, "file_elsewhere"), print_exception=False)
        given = _whole(inputs)
        return await super().process_api(block_fn, given, request=request, **others)


def _name_address(inputs: list[Any]) -> bool:
    """Whether one of the inputs is, or holds, a file that Gradio would fetch."""
    found: list[bool] = []

    def look(file: dict[str, Any]) -> dict[str, Any]:
        found.append(is_http_url_like(file["path"]))
        return file

    traverse(inputs, look, is_file_obj_with_meta)
    return any(found)


def _whole(value: Any) -> Any:
    """An input without halves of characters.

    JSON can write them, UTF-8 can't: the answer could not be sent.
    """
    if isinstance(value, str):
        return value.encode("utf-8", "ignore").decode()
    if isinstance(value, list):
        return [_whole(each) for each in value]
    if isinstance(value, dict):
        return {key: _whole(each) for key, each in value.items()}
    return value

"""A report as one HTML file that needs nothing else: no script, no network.

Every string is escaped: queries and answers are other people's text.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from html import escape

from evaluation.report.blocks import Block, Picture, Report, Section, Table, Text

_TYPES = {"png": "image/png", "jpg": "image/jpeg"}

# Nothing may be loaded but what is in the file and the videos beside it.
_POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; media-src 'self'"
)

_STYLE = """
:root { color-scheme: light dark; --line: #d6d9e0; --soft: #6b7280; --mark: #f3f4f7; }
@media (prefers-color-scheme: dark) {
  :root { --line: #3a3e49; --soft: #9aa1ae; --mark: #262a33; }
}
body { font: 15px/1.55 system-ui, sans-serif; max-width: 1080px; margin: 2rem auto 4rem;
  padding: 0 1.25rem; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 1rem; }
h2 { font-size: 1.25rem; margin: 2.5rem 0 .75rem; padding-top: .75rem;
  border-top: 1px solid var(--line); }
p { max-width: 48rem; overflow-wrap: anywhere; }
.wide { overflow-x: auto; margin: 0 0 1.5rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
.caption { color: var(--soft); margin: 1rem 0 .35rem; }
th, td { padding: .3rem .8rem .3rem 0; text-align: left; vertical-align: top;
  border-bottom: 1px solid var(--line); overflow-wrap: break-word; max-width: 24rem; }
th { font-weight: 600; vertical-align: bottom; }
tr > :first-child { white-space: nowrap; }
.marked { background: var(--mark); font-style: italic; padding-left: .8rem; }
.pictures { display: flex; flex-wrap: wrap; gap: 1.25rem; align-items: flex-start; }
figure { margin: 0; flex: 0 1 auto; max-width: 100%; }
figure img { max-width: 100%; height: auto; display: block; border-radius: 4px; }
figure.small { max-width: min(32rem, 100%); }
figure.large img { width: 30rem; background: #fff; }
figure.whole img { width: 62rem; background: #fff; }
figcaption { color: var(--soft); font-size: .87rem; margin: .35rem 0 0;
  max-width: 32rem; overflow-wrap: anywhere; }
"""


def to_html(report: Report) -> str:
    """The whole file."""
    body = "\n".join(_section(section) for section in report.sections)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(_POLICY)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(report.title)}</title>\n<style>{_STYLE}</style>\n</head>\n"
        f"<body>\n<h1>{escape(report.title)}</h1>\n{body}\n</body>\n</html>\n"
    )


def _section(section: Section) -> str:
    return "\n".join([f"<h2>{escape(section.title)}</h2>", *_blocks(section)])


def _blocks(section: Section) -> Iterator[str]:
    """The blocks, pictures that follow each other side by side."""
    pictures: list[str] = []
    for block in section.blocks:
        if isinstance(block, Picture):
            pictures.append(_picture(block))
            continue
        yield from _beside(pictures)
        pictures = []
        yield _other(block)
    yield from _beside(pictures)


def _beside(pictures: list[str]) -> Iterator[str]:
    if pictures:
        yield '<div class="pictures">\n' + "\n".join(pictures) + "\n</div>"


def _other(block: Block) -> str:
    if isinstance(block, Table):
        return _table(block)
    assert isinstance(block, Text)
    return f"<p>{escape(block.text)}</p>"


def _table(table: Table) -> str:
    head = "".join(_cells("th", table.header, table.marked))
    rows = "\n".join(
        f"<tr>{''.join(_cells('td', cells, table.marked))}</tr>" for cells in table.rows
    )
    return (
        f'<p class="caption">{escape(table.caption)}</p>\n<div class="wide"><table>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table></div>"
    )


def _cells(tag: str, cells: tuple[str, ...], marked: frozenset[int]) -> Iterator[str]:
    for number, cell in enumerate(cells):
        kind = ' class="marked"' if number in marked else ""
        yield f"<{tag}{kind}>{escape(cell)}</{tag}>"


def _picture(picture: Picture) -> str:
    data = base64.b64encode(picture.content).decode("ascii")
    source = f"data:{_TYPES[picture.ending]};base64,{data}"
    kind = "small" if picture.ending == "jpg" else "large"
    if picture.name.startswith("sensitivity"):
        kind = "whole"
    link = ""
    if picture.video:
        link = f' <a href="{escape(picture.video)}">Video</a>'
    return (
        f'<figure class="{kind}"><img alt="{escape(picture.caption)}" src="{source}">'
        f"<figcaption>{escape(picture.caption)}{link}</figcaption></figure>"
    )

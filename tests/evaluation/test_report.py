"""Reports: complete, escaped, and the same in both forms."""

from __future__ import annotations

import base64
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import golden_files
import pytest
from eval_samples import GOLDEN_METRICS, mixed_rows, square_row, write_rows

from evaluation import __main__ as cli
from evaluation.report.blocks import Picture, Report, Section, Table, Text
from evaluation.report.build import build, write
from evaluation.report.html import to_html
from evaluation.report.markdown import to_markdown
from evaluation.report.published import PUBLISHED
from evaluation.report.run_result import read_run
from evaluation.report.tables import sensitivity_table
from evaluation.run_info import write_info
from evaluation.sensitivity import rows_path
from stablechat.errors import InputError

EVIL = "<script>alert('x')</script> | *b* [a](http://x) ![i](y) `c` \"&\n# h"


class Structure(HTMLParser):
    """Which elements and texts a page has, and whether they are closed."""

    VOID = ("meta", "img")

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.links: list[str] = []
        self.texts: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [v or "" for k, v in attrs if k in ("src", "href")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def evil_report() -> Report:
    table = Table(EVIL, (EVIL, "b"), [(EVIL, EVIL)], frozenset({1}))
    picture = Picture("a", "png", b"\x89PNG", EVIL, "cases/a.mp4")
    return Report(EVIL, [Section(EVIL, [Text(EVIL), table, picture, picture])])


def test_html_escapes_everything() -> None:
    page = to_html(evil_report())
    found = Structure(page)
    assert "script" not in found.tags
    assert page.count("<script") == 0 and "&lt;script&gt;" in page
    assert {tag for tag in found.tags if tag in ("i", "b", "a")} == {"a"}
    expected = ["data:image/png;base64,", "cases/a.mp4"] * 2
    links = zip(found.links, expected, strict=True)
    assert all(link.startswith(start) for link, start in links)
    assert "default-src &#x27;none&#x27;" in page


def test_markdown_escapes_everything() -> None:
    text, pictures = to_markdown(evil_report())
    assert pictures == {"figures/a.png": b"\x89PNG"}
    assert "<script" not in re.sub(r"\\.", "", text)
    headings = [line for line in text.splitlines() if line.startswith("#")]
    assert len(headings) == 2  # the title and the section, not the text's own
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len(rows) == 3
    assert all(re.sub(r"\\.", "", row).count("|") == 3 for row in rows)
    assert "](http" not in re.sub(r"\\.", "", text)


def test_the_published_numbers_are_those_of_the_paper() -> None:
    found = {(p.source, p.task): p.metrics for p in PUBLISHED}
    paper, report = found["LLaVA-ST, paper", "stvg"], found["LLaVA-ST, report", "stvg"]
    assert list(paper.values()) == [0.438, 44.6, 0.228, 21.1]
    assert list(report.values()) == [0.438, 44.5, 0.227, 20.9]
    elc = found["LLaVA-ST, paper", "elc"]
    assert list(elc.values()) == [0.6, 60.4, 0.335, 32.4, 0.247]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs, their cases and a study of temperatures, all made by hand."""
    path = tmp_path_factory.mktemp("report")
    (path / "videos").mkdir()
    golden_files.write_clip(path / "videos" / "square.mp4")
    told = [
        {"num_tokens": 80 - row["index"] * 10, "num_passes": 5} for row in mixed_rows()
    ]
    first = [{**row, **more} for row, more in zip(mixed_rows(), told, strict=True)]
    write_rows(path / "first.jsonl", first)
    better = [
        square_row(row["index"], video=f"{row['index']}.mp4") for row in mixed_rows()
    ]
    write_rows(path / "second.jsonl", better)
    info = {"dataset": "st-align", "annotations": "a.json", "num_bad_rows": 3}
    info["decoding"] = {"temperature": 0.1}
    write_info(path / "first.jsonl", info)
    return path


def cells(page: str) -> list[list[str]]:
    rows = re.findall(r"<tr>(.*?)</tr>", page)
    return [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in rows]


def test_the_whole_report_by_commands(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def call(*words: object) -> str:
        assert cli.main([str(word) for word in words]) == 0, capsys.readouterr().err
        return capsys.readouterr().out

    first, out = folder / "first.jsonl", folder / "out"
    common = ("--task", "stvg")
    told = call("cases", first, *common, "--videos", folder / "videos", "--worst", 2,
                "--best", 1, "--row", 5, 7, "--out", out / "cases")  # fmt: skip
    assert told.startswith(f"{out / 'cases'}: 3 of 8 rows drawn\nrow 7: There is no")
    everything = json.loads(call("breakdown", first, *common))["dimensions"]["all"]
    assert everything[0]["count"] == 8
    told = call("report", "--run", f"one={first}", "--run",
                f"two={folder / 'second.jsonl'}", "--cases", out / "cases",
                "--bootstrap", 50, "--title", "A <b>", "--out", out)  # fmt: skip
    assert told.split() == [str(out / "report.html"), str(out / "report.md")]
    page, text = (Path(path).read_text(encoding="utf-8") for path in told.split())
    found = Structure(page)
    assert not {"script", "b"} & set(found.tags)
    assert [link for link in found.links if not link.startswith("data:")] == [
        "cases/row_00005.mp4", "cases/row_00000.mp4", "cases/row_00002.mp4",
    ]  # fmt: skip
    rows = cells(page)
    assert [
        "one",
        "stvg",
        "a.json (st-align format)",
        "8",
        "1",
        "1",
        "1",
        "3",
        "45",
        "9.0",
    ] in rows
    assert ["two", "stvg", "unknown", "8", "0", "0", "0", "unknown", "-", "-"] in rows
    (tiou,) = [row for row in rows if row[0] == "tIoU@0.5"]
    assert tiou[1].startswith("62.5") and tiou[2].startswith("71.4")
    assert tiou[3] == "100.0 [100.0,\N{NO-BREAK SPACE}100.0]" and tiou[5:] == [
        "44.6",
        "44.5",
    ]
    (header,) = [row for row in rows if row[0] == "metric"]
    assert header[5] == "LLaVA-ST, paper (published, st-align)"
    assert ["identity switch", "1"] in rows
    assert ["decoding: temperature", "0.1"] in rows
    assert "How two was made is not written down" in page
    assert text.count("\n## ") == page.count("<h2>") == 5
    places = re.findall(r"!\[[^]]*\]\(([^)]+)\)", text)
    assert places.count("cases/row_00005.jpg") == 1  # where it is, not copied
    assert sorted(path.name for path in (out / "figures").iterdir()) == [
        *("scatter_one.png", "scatter_two.png", "tiou_one.png", "tiou_two.png")
    ]
    for name in places:
        assert base64.b64encode((out / name).read_bytes()).decode() in page


def test_a_breakdown_in_files(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With its figures, where there are times to draw."""
    svg = GOLDEN_METRICS / "svg.jsonl"
    for task, rows, names in (
        ("stvg", folder / "first.jsonl", ["breakdown.json", "scatter.png", "tiou.png"]),
        ("svg", svg, ["breakdown.json"]),
    ):
        words = ["breakdown", str(rows), "--task", task]
        assert cli.main(words) == 0
        printed = json.loads(capsys.readouterr().out)
        out = tmp_path / "new" / task
        assert cli.main([*words, "--out", str(out)]) == 0
        told = capsys.readouterr().out.split()
        assert told == [str(out / name) for name in names]
        assert sorted(out.iterdir()) == [out / name for name in names]
        assert json.loads((out / "breakdown.json").read_text()) == printed
        assert all(Path(path).read_bytes()[1:4] == b"PNG" for path in told[1:])


def test_cases_of_two_runs_with_the_same_row(folder: Path, tmp_path: Path) -> None:
    for number, name in enumerate(("one", "two")):
        (tmp_path / name).mkdir()
        case = {"index": 3, "query": "it", "tags": []}
        case |= {"tiou": None, "siou": number, "stiou": number}
        data = {"rows": f"{name}.jsonl", "num_rows": 9, "tags": {}, "cases": [case]}
        (tmp_path / name / "cases.json").write_text(json.dumps(data))
        (tmp_path / name / "row_00003.jpg").write_bytes(name.encode())
    run = read_run("one", folder / "first.jsonl")
    report = build("x", [run], 20, cases=[tmp_path / "one", tmp_path / "two"])
    text, pictures = to_markdown(report)
    for name in ("one", "two"):
        assert pictures[f"figures/{name}_row_00003.jpg"] == name.encode()
        assert f"What went wrong in the 9 rows of {name}.jsonl." in text


def test_captions_that_cannot_be_scored_are_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    rows = [json.loads(x) for x in (GOLDEN_METRICS / "elc.jsonl").open()]
    raws = [{"index": n, "task": "elc", **row} for n, row in enumerate(rows)]
    run = read_run("elc", write_rows(tmp_path / "elc.jsonl", raws))
    assert run.captions == {} and "need Java" in run.notes[0]
    write(build("x", [run], 20), tmp_path / "out")
    assert "need Java" in (tmp_path / "out" / "report.html").read_text()


def test_a_study_of_temperatures_in_a_report(folder: Path, tmp_path: Path) -> None:
    from argparse import Namespace

    from evaluation.commands.sensitivity import _write

    settings = [(t, s) for t in (0.01, 0.1) for s in (0, 1)]
    for setting in settings:
        shift = 100 * setting[0] * (1 + setting[1] / 4)
        rows = [square_row(n, shift=lambda _, s=shift: s) for n in range(4)]
        write_rows(rows_path(tmp_path, setting), rows)
    _write(Namespace(out=tmp_path, task="stvg"), settings)
    run = read_run("one", folder / "first.jsonl")
    page = to_html(build("x", [run], 20, sensitivity=tmp_path))
    assert ["temperature", "seed", "mtIoU", "msIoU", "mstIoU", "unparsed"] in cells(
        page
    )
    assert "on 4 rows" in page


def test_a_metric_that_is_0_at_first_has_its_column() -> None:
    common = {"seed": 0, "num_unparsed": 0, "mtiou": None}
    settings = [
        {"temperature": 0.0, **common, "msiou": 0.0, "mstiou": 0.0},
        {"temperature": 0.1, **common, "msiou": 0.4, "mstiou": 0.3},
    ]
    table = sensitivity_table({"settings": settings})
    assert table.header == ("temperature", "seed", "msIoU", "mstIoU", "unparsed")
    assert table.rows[0] == ("0", "0", "0.000", "0.000", "0")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("sensitivity", "{}"),
        ("sensitivity", '{"settings": []}'),
        ("cases", "{}"),
        (
            "cases",
            '{"rows": "a", "num_rows": 1, "tags": {}, "cases": [{"index": "/"}]}',
        ),
    ],
)
def test_another_folder(folder: Path, tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / f"{name}.json").write_text(content)
    run = read_run("one", folder / "first.jsonl")
    with pytest.raises(InputError, match="not what this program writes"):
        build("x", [run], 20, **{name: [tmp_path] if name == "cases" else tmp_path})


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("--run rows.jsonl", "must be NAME=ROWS.jsonl"),
        ("--run =rows.jsonl", "must be NAME=ROWS.jsonl"),
        ("--run a=x --run a=y", "Two runs have the same name"),
        ("--run a=nowhere.jsonl", "can't be read"),
        ("", "required: --run"),
    ],
)
def test_bad_calls(
    tmp_path: Path, arguments: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["report", *arguments.split(), "--out", str(tmp_path / "out")]
    try:
        code = cli.main(words)
    except SystemExit as left:
        code = int(left.code or 0)
    assert code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ") and says in line
    assert not (tmp_path / "out").exists()


def test_without_matplotlib(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "matplotlib", None)
    run = read_run("one", folder / "first.jsonl")
    with pytest.raises(InputError, match=r"requirements-eval\.txt"):
        build("x", [run], 20)

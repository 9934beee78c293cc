"""What the page's controls do, without a browser: real videos, a fake model."""

from __future__ import annotations

import asyncio
import json
import logging
import shutil
import time
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from fake_chat import DESCRIPTION, FakeChat
from handled_page import Page, ask, request

from stablechat.errors import InputError, StableChatError, VideoError
from stablechat.video import probe
from ui.asking import checking
from ui.asking.form import AskForm
from ui.i18n import label
from ui.session import Sessions


@pytest.fixture
def page(sessions: Sessions) -> Page:
    return Page(FakeChat(), sessions)


def test_a_found_event_fills_the_page(page: Page, clip: Path) -> None:
    video = page.upload(clip)
    last = page.run(ask(page, video, "the red circle"), request())[-1]
    assert "Found from 0:01.000 to 0:02.250" in last["status"]
    assert "0:00:01.250" in last["table"]["value"]
    assert last["raw"] == "{<TEMP-020><TEMP-045>}"
    path = Path(last["clip"]["value"])
    assert path.name == "kitchen_clip.mp4"
    assert last["download_clip"]["value"] == str(path)
    info = probe(path)
    assert info.codec == "h264" and info.has_audio
    assert info.duration_seconds == pytest.approx(1.25, abs=0.1)
    assert last["run"]["interactive"] and not last["stop"]["interactive"]


def test_the_json_holds_the_answer_and_no_folder_of_ours(
    page: Page, clip: Path
) -> None:
    video = page.upload(clip)
    last = page.run(ask(page, video, "the red circle"), request())[-1]
    path = Path(last["download_json"]["value"])
    assert path.name == "kitchen_grounding.json"
    text = path.read_text("utf-8")
    assert str(page.sessions.root) not in text
    data = json.loads(text)
    assert data["span"]["start_seconds"] == 1.0
    assert len(data["boxes"]) == 8
    assert data["video"]["path"] == "kitchen.mp4"
    assert data["files"] == {"clip": "kitchen_clip.mp4"}


def test_no_answer_is_said_as_such(page: Page, clip: Path) -> None:
    video = page.upload(clip)
    last = page.run(ask(page, video, "missing thing"), request())[-1]
    assert "Could not find it" in last["status"]
    assert "no time and no boxes" in last["status"]
    assert last["raw"] == "I can't see that."
    assert not last["clip"]["visible"] and not last["table"]["visible"]
    assert Path(last["download_json"]["value"]).is_file()


def test_a_description_has_text_and_no_clip(page: Page, clip: Path) -> None:
    video = page.upload(clip)
    last = page.run(ask(page, video, "", "describe"), request())[-1]
    assert last["description"]["value"] == DESCRIPTION
    path = Path(last["download_text"]["value"])
    assert path.name == "kitchen_description.txt"
    assert path.read_text("utf-8") == DESCRIPTION + "\n"
    assert not last["clip"]["visible"]
    assert page.chat.asked == [""]


def test_progress_is_shown_by_stage(sessions: Sessions, clip: Path) -> None:
    page = Page(FakeChat(stage_seconds=0.25), sessions)
    video = page.upload(clip)
    cards = [u["status"] for u in page.run(ask(page, video, "x"), request())]
    for stage in ("Read video", "Look at frames", "Answer"):
        assert any(f'aria-current="step">{stage}' in card for card in cards), stage


def test_stop_ends_the_computation_at_once(page: Page, clip: Path) -> None:
    video = page.upload(clip)

    async def start_and_stop() -> tuple[float, dict[str, Any]]:
        events = page.handlers.answering().run(
            (ask(page, video, "slow one"),), request()
        )
        await anext(events)
        await anext(events)
        assert page.chat.running == 1
        started = time.monotonic()
        update = await page.handlers.answering().stop(request())
        return time.monotonic() - started, update

    seconds, update = asyncio.run(start_and_stop())
    assert seconds < 0.5
    assert page.chat.running == 0
    assert "Stopped" in update["status"]
    assert update["run"]["interactive"]
    assert not list(page.sessions.root.rglob("*.json"))


def test_a_page_that_goes_away_ends_the_computation(page: Page, clip: Path) -> None:
    video = page.upload(clip)

    async def start_and_leave() -> None:
        events = page.handlers.answering().run(
            (ask(page, video, "slow one"),), request()
        )
        await anext(events)
        await events.aclose()  # type: ignore[attr-defined]

    asyncio.run(start_and_leave())
    assert page.chat.running == 0


def test_two_tabs_do_not_mix_and_take_turns(page: Page, clip: Path) -> None:
    video = page.upload(clip)

    async def both() -> list[dict[str, Any]]:
        async def last(tab: str, question: str) -> dict[str, Any]:
            updates = page.handlers.answering().run(
                (ask(page, video, question),), request(tab)
            )
            return [update async for update in updates][-1]

        return await asyncio.gather(
            last("a", "at 0.5 to 1.0"), last("b", "at 1.5 to 2.5")
        )

    first, second = asyncio.run(both())
    assert "0:00.500 to 0:01.000" in first["status"]
    assert "0:01.500 to 0:02.500" in second["status"]
    assert Path(first["clip"]["value"]).parent != Path(second["clip"]["value"]).parent
    assert page.chat.most_running == 1


def test_stopping_one_tab_leaves_the_other_alone(page: Page, clip: Path) -> None:
    video = page.upload(clip)

    async def story() -> bool:
        events = page.handlers.answering().run(
            (ask(page, video, "slow one"),), request("a")
        )
        await anext(events)
        await page.handlers.answering().stop(request("b"))
        still = page.sessions.get("a").busy
        await events.aclose()  # type: ignore[attr-defined]
        return still

    assert asyncio.run(story())


def test_a_bug_is_logged_and_politely_hidden(
    page: Page, clip: Path, caplog: pytest.LogCaptureFixture
) -> None:
    video = page.upload(clip)
    with caplog.at_level(logging.ERROR):
        last = page.run(ask(page, video, "boom"), request())[-1]
    assert "Something went wrong on our side" in last["status"]
    assert "secret" not in last["status"]
    assert "RuntimeError" in caplog.text
    assert last["run"]["interactive"]


def test_our_own_errors_are_shown_word_for_word(
    page: Page, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise StableChatError("The model is on holiday; try tomorrow.")

    monkeypatch.setattr(page.chat, "ground", fail)
    last = page.run(ask(page, page.upload(clip), "x"), request())[-1]
    assert "The model is on holiday; try tomorrow." in last["status"]


def test_a_failed_clip_leaves_no_file_to_download(
    page: Page, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise StableChatError("The disk is full.")

    monkeypatch.setattr("ui.outcomes.cut_clip", fail)
    last = page.run(ask(page, page.upload(clip), "x"), request())[-1]
    assert "The disk is full." in last["status"]
    assert "download_json" not in last
    assert not list(page.sessions.root.rglob("*.json"))


def test_begin_starts_a_run_only_for_a_good_form(page: Page, clip: Path) -> None:
    video = page.upload(clip)
    good = page.begin(video, " the red circle ")
    assert good["asks"][0].question == "the red circle"
    assert not good["run"]["interactive"] and good["stop"]["interactive"]
    again = page.begin(video, "the red circle")
    assert again["asks"] != good["asks"]  # the same question may be asked twice


@pytest.mark.parametrize(
    ("question", "mode", "words"),
    [
        ("", "ground", "The question is empty"),
        (" \n\t ", "ground", "The question is empty"),
        ("x" * 1500, "ground", "The limit is 1000"),
        ("x" * 1500, "describe", "The limit is 1000"),
    ],
)
def test_a_bad_question_is_refused_without_a_run(
    page: Page, clip: Path, question: str, mode: Any, words: str
) -> None:
    update = page.begin(page.upload(clip), question, mode)
    assert words.lower() in update["status"].lower()
    assert "asks" not in update and "run" not in update


def test_a_missing_video_is_refused_in_the_persons_language(page: Page) -> None:
    english = page.begin(None, "x")
    chinese = page.begin(None, "x", asked=request(language="zh-CN"))
    assert "There is no video yet" in english["status"]
    assert "Almost there" in english["status"]
    assert "还没有视频" in chinese["status"]


def test_a_text_file_is_refused_when_uploaded_and_when_run(
    page: Page, tmp_path: Path
) -> None:
    fake = tmp_path / "notes.mp4"
    fake.write_text("this is not a video")
    upload = page.upload(fake)
    assert 'role="alert"' in page.handlers.asking().video_changed(upload, request())
    update = page.begin(upload, "x")
    assert "asks" not in update
    assert "did not work" in update["status"]
    assert "Traceback" not in update["status"]
    with pytest.raises(VideoError):
        ask(page, upload, "x")


def test_a_file_that_was_not_uploaded_is_refused(page: Page, clip: Path) -> None:
    for path in ("/etc/passwd", str(clip), "https://example.com/a.mp4"):
        with pytest.raises(InputError, match="not uploaded here"):
            ask(page, path, "x")


def test_an_upload_that_was_cleaned_up_is_said_so(page: Page) -> None:
    gone = str(page.sessions.root / "0a1b" / "gone.mp4")
    with pytest.raises(InputError, match="no longer here"):
        ask(page, gone, "x")


def test_a_second_run_waits_for_the_first_of_the_same_tab(
    page: Page, clip: Path
) -> None:
    video = page.upload(clip)

    async def story() -> dict[str, Any]:
        events = page.handlers.answering().run(
            (ask(page, video, "slow one"),), request()
        )
        await anext(events)
        update = page.begin(video, "another")
        await events.aclose()  # type: ignore[attr-defined]
        return update

    assert "asks" not in asyncio.run(story())


def test_a_question_that_the_queue_refused_is_told_from_a_stopped_one(
    page: Page, clip: Path
) -> None:
    video = page.upload(clip)
    page.begin(video, "x")
    update = page.handlers.answering().failed(request())
    assert "too many are waiting" in update["status"]
    assert update["run"]["interactive"]
    page.begin(video, "x")
    asyncio.run(page.handlers.answering().stop(request()))
    assert page.handlers.answering().failed(request()) == {"status": gr.skip()}


def test_label_and_placeholder_follow_the_mode(page: Page) -> None:
    update = page.handlers.asking().simple_chosen("describe")["question"]
    assert update["label"].key == label("question_describe").key  # type: ignore[attr-defined]
    assert update["placeholder"].key == label("placeholder_describe").key  # type: ignore[attr-defined]


def test_the_demo_notice_is_only_for_the_demo(sessions: Sessions) -> None:
    for is_demo in (True, False):
        page = Page(FakeChat(is_demo=is_demo), sessions)
        assert bool(page.handlers.load(request())["notice"]) is is_demo


def test_the_page_is_written_in_the_persons_language(page: Page) -> None:
    update = page.handlers.load(request(language="zh-CN"))
    arrived = asyncio.run(page.handlers.arrive("", request(language="zh-CN")))
    assert "准备就绪" in arrived["status"]
    assert "常见格式" in update["video_line"]


def test_what_can_be_uploaded_is_said_while_there_is_no_video(page: Page) -> None:
    assert "MP4, MOV" in page.handlers.asking().video_changed(None, request())


def test_what_browsers_do_not_play_is_shown_by_its_first_picture(
    page: Page, clip: Path, tmp_path: Path
) -> None:
    line = page.handlers.asking().video_changed(page.upload(clip), request())
    assert "data:image" not in line
    unknown = Path(shutil.copy(clip, tmp_path / "kitchen.ts"))
    line = page.handlers.asking().video_changed(page.upload(unknown), request())
    assert "data:image/jpeg" in line


def test_leaving_removes_the_tabs_files(page: Page, clip: Path) -> None:
    asyncio.run(page.handlers.arrive("", request()))
    last = page.run(ask(page, page.upload(clip), "x"), request())[-1]
    made = Path(last["clip"]["value"])
    assert made.is_file()
    page.handlers.leave(request("someone else"))
    assert made.is_file()
    page.handlers.leave(request())
    assert made.is_file()  # It may be loaded again.
    page.sessions.end("a")
    assert not made.exists()


def test_programs_get_an_error_they_can_read(page: Page, clip: Path) -> None:
    async def collect(question: str) -> None:
        video = page.upload(clip)
        async for _ in page.handlers.answering().answer(
            AskForm(video, question), request()
        ):
            pass

    with pytest.raises(gr.Error, match="question is empty"):
        asyncio.run(collect(""))
    with pytest.raises(gr.Error, match="on our side"):
        asyncio.run(collect("boom"))


def test_a_long_video_is_looked_at_part_by_part(
    page: Page, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checking, "LONG_VIDEO_SECONDS", 2.0)
    monkeypatch.setattr(checking, "DEFAULT_WINDOW_SECONDS", 1.0)
    page.chat.stage_seconds = 0.2
    video = page.upload(clip)
    long = ask(page, video, "the star")
    assert long.num_windows == long.num_answers == 4
    *told, last = page.run(long, request())
    assert any("Part 2 of 2 · about 1:30 left" in each["status"] for each in told)
    assert "looked at in 2 parts" in last["status"]
    assert [value for _, value in last["choice"]["choices"]] == [1, 2]
    assert last["clip"]["value"] and page.chat.window_seconds == 20
    page.chat.is_demo = False
    [*_, nothing] = page.run(ask(page, video, "missing star"), request("b"))
    assert "Could not find it" in nothing["status"]
    assert page.chat.window_seconds == 60
    part = ask(page, video, "the star", segment=("0.5", "2.9"))
    [*_, of_a_part] = page.run(part, request("c"))
    assert "only 0:00.500 to 0:02.900 was looked at" in of_a_part["status"]
    assert "sc-outside" in of_a_part["timeline"]["value"]
    missing = ask(page, video, "missing star", segment=("", "2.5"))
    [*_, nothing] = page.run(missing, request("d"))
    assert "only 0:00.000 to 0:02.500 was looked at" in nothing["status"]
    # Where that is not wanted, and for what is no search, it is one question.
    checker = page.handlers.asking().checker(request())
    for form in (AskForm(video, "x", windows=False), AskForm(video, "x", "describe")):
        assert checker.asks(form)[0].num_windows == 1

"""The language model by itself: what a stock Qwen2 makes of what is exported."""

from __future__ import annotations

from pathlib import Path

import golden_files
import pytest
import torch
from transformers import AutoTokenizer, Qwen2ForCausalLM

from stablechat import GenerationConfig, StableChat, TimeSpan
from stablechat.cli import main
from stablechat.errors import InputError
from stablechat.plain_qwen2 import embed_question, export_qwen2, read_answer
from stablechat.questions import Question

VIDEO = Path(__file__).parents[1] / "assets" / "examples" / "red_circle.mp4"
QUESTIONS = (
    Question("the red circle moving left", "stvg"),
    Question("the red circle moving left", "tvg"),
    Question("the red circle", "svg", TimeSpan(1.0, 2.0)),
)
#: Enough for the span and some rows, and no end forced on either.
CONFIG = GenerationConfig(max_new_tokens=60, stop_at_last_row=False, speculation=False)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported") / "qwen2"
    arguments = ["export", "--to", "qwen2", "--out", str(folder), "--dtype", "float32"]
    assert main(arguments) == 0
    return folder


@pytest.fixture(scope="module")
def chat() -> StableChat:
    return StableChat.from_pretrained(device="cpu")


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.task)
def test_a_stock_qwen2_writes_the_same(
    exported: Path, chat: StableChat, question: Question
) -> None:
    ours = chat.ground(
        VIDEO, question.query, question.task, span=question.span, config=CONFIG
    )
    stock = Qwen2ForCausalLM.from_pretrained(exported, dtype=torch.float32)
    asked = embed_question(chat, VIDEO, question)
    written = stock.generate(
        inputs_embeds=asked.embeddings[None],
        attention_mask=torch.ones(1, len(asked.embeddings), dtype=torch.long),
        max_new_tokens=CONFIG.max_new_tokens,
        do_sample=False,
        pad_token_id=0,
    )[0]
    ends = stock.generation_config.eos_token_id
    tokens = [int(token) for token in written if int(token) not in ends]
    assert tuple(tokens) == ours.generation.token_ids
    # The server's own tokenizer turns them into the text that we read.
    text = AutoTokenizer.from_pretrained(exported).decode(tokens)
    assert text == ours.generation.text
    answer = read_answer(asked, text, "served")
    assert (answer.span is None) == (ours.span is None)
    assert answer.confidence is None and answer.model == "served"


def test_the_vocabulary_ends_with_the_coordinates(exported: Path) -> None:
    stock = Qwen2ForCausalLM.from_pretrained(exported)
    tokenizer = AutoTokenizer.from_pretrained(exported)
    assert len(tokenizer) == stock.config.vocab_size
    assert tokenizer.convert_tokens_to_ids("<WIDTH-099>") == len(tokenizer) - 1
    assert tokenizer.eos_token_id in stock.generation_config.eos_token_id
    assert stock.config.architectures == ["Qwen2ForCausalLM"]


def test_it_is_written_as_it_is_stored_unless_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "new" / "qwen2"
    model = ["--model", str(golden_files.CHECKPOINT)]
    assert main(["export", "--to", "qwen2", "--out", str(folder), *model]) == 0
    assert capsys.readouterr().out == f"qwen2: {folder}\n"
    stock = Qwen2ForCausalLM.from_pretrained(folder, dtype="auto")
    assert stock.dtype == torch.float16
    assert [path.name for path in tmp_path.iterdir()] == ["new"]


def test_what_is_there_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine").write_text("text")
    assert main(["export", "--to", "qwen2", "--out", str(tmp_path)]) == 2
    assert "is there already; choose another --out" in capsys.readouterr().err
    with pytest.raises(InputError, match="is there already"):
        export_qwen2(golden_files.loaded(), tmp_path)
    assert (tmp_path / "mine").read_text() == "text"


def test_nothing_is_left_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(self: Qwen2ForCausalLM, folder: Path, **_: object) -> None:
        Path(folder).mkdir()
        (folder / "model.safetensors").write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Qwen2ForCausalLM, "save_pretrained", full_disk)
    with pytest.raises(InputError, match=r"No space left .*choose another --out"):
        export_qwen2(golden_files.loaded(), tmp_path / "a" / "qwen2")
    assert list(tmp_path.iterdir()) == []

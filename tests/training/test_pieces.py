"""Sequences built in bulk: concatenation, labels, questions as text."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from stablechat import prompts
from stablechat.hub import DEMO_FOLDER
from stablechat.model.tokens import PromptTokenizer
from stablechat.parser import parse_answer
from training.demo.pieces import (
    CLOSE,
    FIRST_BOX,
    SILENT,
    TEXT,
    TIME,
    Piece,
    concatenate,
    fixed,
    from_table,
    single,
)
from training.demo.questions import Questioner
from training.demo.skeleton import read_config, write_skeleton
from training.demo.targets import choose_targets
from training.synthetic.world import boxes_of, sample_scenes, states_at

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def questioner() -> Questioner:
    config = read_config(DEMO_FOLDER)
    return Questioner(PromptTokenizer.from_folder(DEMO_FOLDER, config), config, CPU)


def text_of(piece: Piece, index: int, rows: torch.Tensor | None = None) -> str:
    config = read_config(DEMO_FOLDER)
    tokenizer = PromptTokenizer.from_folder(DEMO_FOLDER, config)
    values = piece.write if rows is None else rows
    return tokenizer.decode(
        values[index, : int(piece.length[index])].round().long().tolist()
    )


def test_concatenate_packs_ragged_pieces() -> None:
    table = torch.tensor([[1, 2, 0], [3, 0, 0]])
    ragged = from_table(table, torch.tensor([2, 1]), torch.tensor([0, 1]), TEXT)
    tail = fixed(torch.tensor([9, 9]), 2, TIME)
    packed = concatenate([ragged, tail], 6)
    assert packed.write.tolist() == [[1, 2, 9, 9, 0, 0], [3, 9, 9, 0, 0, 0]]
    assert packed.kind.tolist() == [
        [TEXT, TEXT, TIME, TIME, SILENT, SILENT],
        [TEXT, TIME, TIME, SILENT, SILENT, SILENT],
    ]
    assert packed.length.tolist() == [4, 3]


def test_concatenate_cuts_what_is_too_long() -> None:
    packed = concatenate([fixed(torch.tensor([1, 2, 3]), 1, TEXT)], 2)
    assert packed.read.tolist() == [[1, 2]]
    assert packed.length.tolist() == [2]


def test_single_reads_and_writes_different_rows() -> None:
    packed = concatenate([single(torch.tensor([5.0]), torch.tensor([5.5]), TIME)], 1)
    assert (packed.read.item(), packed.write.item()) == (5.0, 5.5)


def test_answers_are_text_that_our_parser_reads(questioner: Questioner) -> None:
    torch.manual_seed(0)
    scenes = sample_scenes(8, torch.Generator().manual_seed(1))
    times = torch.linspace(0, 1, 100).expand(8, 100)
    boxes = boxes_of(scenes, states_at(scenes, times))
    targets = choose_targets(scenes, boxes, 1)
    piece = questioner.stvg(targets, 1200, noisy=False)
    for index in range(8):
        answer = text_of(piece, index).split("assistant\n")[1]
        parsed = parse_answer(answer.removesuffix("<|im_end|>"), "stvg")
        assert parsed.issues == ()
        start, end = (targets.start[index] * 99), (targets.end[index] * 99)
        assert parsed.span_bins == (round(start.item()), round(end.item()))
        assert list(parsed.boxes_bins) == list(
            range(parsed.span_bins[0], parsed.span_bins[1] + 1)
        )
        first = parsed.boxes_bins[parsed.span_bins[0]]
        truth = targets.boxes[index, parsed.span_bins[0]] * 99
        assert (torch.tensor(first) - truth).abs().max() <= 0.51


def test_questions_are_the_words_of_the_prompts(questioner: Questioner) -> None:
    scenes = sample_scenes(2, torch.Generator().manual_seed(2))
    times = torch.linspace(0, 1, 100).expand(2, 100)
    boxes = boxes_of(scenes, states_at(scenes, times))
    targets = choose_targets(scenes, boxes, 1)
    question = text_of(questioner.stvg(targets, 900), 0).split("<|im_end|>")[0].strip()
    before, after = prompts.stvg_prompt("QUERY").split("QUERY")
    assert question.startswith(before) and question.endswith(after)


def test_ragged_rows_mark_what_decides(questioner: Questioner) -> None:
    scenes = sample_scenes(4, torch.Generator().manual_seed(2))
    times = torch.linspace(0, 1, 100).expand(4, 100)
    boxes = boxes_of(scenes, states_at(scenes, times))
    piece = questioner.stvg(choose_targets(scenes, boxes, 1), 1200, noisy=False)
    for kinds in piece.kind:
        assert (kinds == TIME).sum() == 2
        assert (kinds == FIRST_BOX).sum() == 4
        assert (kinds == CLOSE).sum() >= 1


def test_targets_without_a_question_of_their_own_are_silent(
    questioner: Questioner,
) -> None:
    scenes = sample_scenes(1, torch.Generator().manual_seed(0))
    for name in ("color", "shape", "action"):
        getattr(scenes, name)[:] = 0  # all objects alike
    times = torch.linspace(0, 1, 100).expand(1, 100)
    boxes = boxes_of(scenes, states_at(scenes, times))
    targets = choose_targets(scenes, boxes, 3)
    assert not targets.asked.any()
    assert (questioner.tvg(targets, 64).kind == SILENT).all()


def test_disturbed_answers_keep_true_labels(questioner: Questioner) -> None:
    torch.manual_seed(1)
    scenes = sample_scenes(16, torch.Generator().manual_seed(4))
    times = torch.linspace(0, 1, 100).expand(16, 100)
    boxes = boxes_of(scenes, states_at(scenes, times))
    targets = choose_targets(scenes, boxes, 1)
    piece = questioner.tvg(targets, 64)
    is_time = piece.kind == TIME
    written = piece.write[is_time].view(-1, 2)
    assert torch.allclose(written[:, 0] - 657, targets.start[targets.asked] * 99)
    assert not torch.equal(piece.read[is_time], piece.write[is_time])
    assert torch.equal(piece.read[is_time], piece.read[is_time].round())


def test_the_committed_tokenizer_is_the_one_the_script_makes(tmp_path: Path) -> None:
    write_skeleton(tmp_path)
    for name in ("tokenizer.json", "config.json", "siglip-demo/config.json"):
        assert (tmp_path / name).read_text() == (DEMO_FOLDER / name).read_text()

"""Training passes equal what the model does when it is asked one question."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from stablechat.hub import DEMO_FOLDER
from stablechat.loader import load_model
from stablechat.model.modeling import LlavaST
from stablechat.model.tokens import PromptTokenizer
from training.demo.heads import DenseHead, Readout
from training.demo.losses import answer_loss
from training.demo.network import (
    embed_batch,
    embed_rows,
    make_layout,
    propagate_to_neighbours,
    run_language_model,
)
from training.demo.pieces import SILENT, TEXT, TIME
from training.demo.schedule import learning_rate, stage_of
from training.demo.skeleton import read_config
from training.demo.state import load_state, resume_from, save_state
from training.published import published_tensors, write_shards
from training.synthetic.world import boxes_of, sample_scenes, states_at

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def model() -> LlavaST:
    return load_model(DEMO_FOLDER, "cpu", "float32").model


@torch.no_grad()
def test_packed_questions_equal_one_by_one(model: LlavaST) -> None:
    torch.manual_seed(0)
    config = model.config
    tokenizer = PromptTokenizer.from_folder(DEMO_FOLDER, config)
    visual = torch.randn(1, config.num_slow_tokens, 256)
    encoded = [tokenizer.encode_prompt(text) for text in ("Where?", "When is it?")]
    head = encoded[0].input_ids[: encoded[0].visual.stop]
    tails = [e.input_ids[e.visual.stop :].float() for e in encoded]
    layout = make_layout(len(head), [len(t) for t in tails], CPU)
    read = torch.cat(tails).unsqueeze(0)
    embedded = embed_batch(model, head, visual, read, layout)
    packed, _ = run_language_model(model, embedded, layout, tap_layer=3)
    offset = layout.prefix
    for prompt, tail in zip(encoded, tails, strict=True):
        alone = model.language_model.model(
            inputs_embeds=model.embed_prompt(prompt, visual[0])
        ).last_hidden_state[0, -len(tail) :]
        mine = packed[0, offset : offset + len(tail)]
        assert torch.allclose(mine, alone, atol=2e-4)
        offset += len(tail)


def test_fractional_rows_lie_between_their_neighbours() -> None:
    table = torch.tensor([[0.0], [10.0], [20.0]])
    rows = torch.tensor([0.0, 0.25, 2.0])
    assert embed_rows(table, rows).squeeze(1).tolist() == [0.0, 2.5, 20.0]


def test_neighbours_share_gradients_as_the_reference_defines(model: LlavaST) -> None:
    """``W + M W - stop_gradient(M W)`` has the gradient ``g + M^T g``."""
    own = LlavaST(model.config)
    first = own.config.base_vocab_size
    weight = own.language_model.get_input_embeddings().weight
    target = torch.randn(100, weight.shape[1])
    table = weight.detach()[first : first + 100].clone().requires_grad_()
    index = torch.arange(100)
    mixing = 2.0 ** -(index.unsqueeze(0) - index.unsqueeze(1)).abs()
    spread = mixing @ table
    ((table + spread - spread.detach()) * target).sum().backward()
    propagate_to_neighbours(own)
    (weight[first : first + 100] * target).sum().backward()
    assert weight.grad is not None and table.grad is not None
    assert torch.allclose(weight.grad[first : first + 100], table.grad, atol=1e-5)


def test_two_hot_labels_are_best_met_by_two_hot_probabilities() -> None:
    base = 10
    write = torch.tensor([base + 20.25])
    kind = torch.tensor([TIME])
    logits = torch.full((1, base + 300), -30.0)
    logits[0, base + 20], logits[0, base + 21] = 0.0, 0.0
    logits[0, base + 20] += torch.log(torch.tensor(0.75))
    logits[0, base + 21] += torch.log(torch.tensor(0.25))
    loss, entropy, off = answer_loss(logits, write, kind, base)
    expected = -(0.75 * torch.tensor(0.75).log() + 0.25 * torch.tensor(0.25).log())
    assert torch.allclose(entropy[TIME], expected, atol=1e-4)
    assert off[TIME].item() == pytest.approx(0.25)
    worse = logits.clone()
    worse[0, base + 21] = -30.0
    assert answer_loss(worse, write, kind, base)[0] > loss


def test_unsupervised_positions_do_not_count() -> None:
    logits = torch.randn(3, 310)
    write = torch.tensor([1.0, 2.0, 3.0])
    only = answer_loss(logits[:1], write[:1], torch.tensor([TEXT]), 10)[0]
    kinds = torch.tensor([TEXT, SILENT, SILENT])
    assert torch.allclose(answer_loss(logits, write, kinds, 10)[0], only)


def test_auxiliary_heads_have_finite_losses_that_fall() -> None:
    torch.manual_seed(0)
    scenes = sample_scenes(4, torch.Generator().manual_seed(0))
    states = states_at(scenes, torch.linspace(0, 1, 10).expand(4, 10))
    boxes = boxes_of(scenes, states)
    still = states_at(scenes, torch.zeros(4, 1))
    dense = DenseHead(32)
    readout = Readout(32, 5)
    patches = nn.Parameter(torch.randn(4, 81, 32))
    tokens = nn.Parameter(torch.randn(4, 2 * 9, 32))
    parameters = [*dense.parameters(), *readout.parameters(), patches, tokens]
    optimiser = torch.optim.Adam(parameters, 0.02)
    totals = []
    for _ in range(30):
        losses = dense.loss(patches, scenes, still, boxes_of(scenes, still))
        losses |= readout.loss(tokens, scenes, states, boxes, side=3)
        total = torch.stack(list(losses.values())).sum()
        optimiser.zero_grad()
        total.backward()
        optimiser.step()
        totals.append(total.item())
    assert totals[-1] < 0.6 * totals[0]


def test_an_exported_model_loads_back_the_same(model: LlavaST, tmp_path: Path) -> None:
    for path in DEMO_FOLDER.rglob("*.json"):
        if "index" not in path.name:
            copy = tmp_path / path.relative_to(DEMO_FOLDER)
            copy.parent.mkdir(exist_ok=True)
            copy.write_bytes(path.read_bytes())
    config = read_config(tmp_path)
    tensors = published_tensors(model.state_dict(), config)
    write_shards(tensors, tmp_path, shard_bytes=2**20)
    again = load_model(tmp_path, "cpu", "float32").model.state_dict()
    for name, value in model.state_dict().items():
        assert torch.equal(again[name], value), name


def test_state_survives_a_stop(tmp_path: Path) -> None:
    modules = nn.ModuleDict({"a": nn.Linear(1500, 1500), "b": nn.Linear(1500, 1200)})
    assert not resume_from(tmp_path)
    save_state(tmp_path, modules, {"step": 7, "seconds": 1.5, "runs": 1})
    assert max(p.stat().st_size for p in tmp_path.iterdir()) < 16 * 2**20
    other = nn.ModuleDict({"a": nn.Linear(1500, 1500), "b": nn.Linear(1500, 1200)})
    assert resume_from(tmp_path)
    assert load_state(tmp_path, other)["step"] == 7
    for key, value in modules.state_dict().items():
        assert torch.equal(other.state_dict()[key], value)


def test_schedule() -> None:
    assert [stage_of(p) for p in (0.0, 0.1, 0.5)] == ["tower", "images", "videos"]
    assert learning_rate(0.0, 0, 1.0) < 0.02
    assert learning_rate(0.0, 1000, 1.0) == pytest.approx(1.0)
    assert learning_rate(1.0, 1000, 1.0) == pytest.approx(0.0)

"""Train the demo model from scratch on scenes drawn on the device.

    python -m training.demo.train --out RUN --total-seconds 1200 --stop-after 560

A run goes on where its folder's last checkpoint stopped; the schedule follows the
seconds trained, so several short runs make one long one. Several GPUs: start it with
``torchrun --nproc-per-node N -m training.demo.train ...``.
"""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from stablechat.loader import load_model
from stablechat.model.config import LlavaSTConfig
from stablechat.model.modeling import LlavaST
from stablechat.model.tokens import PromptTokenizer
from training.demo import losses
from training.demo.arguments import parse_arguments
from training.demo.heads import DenseHead, Readout
from training.demo.network import (
    embed_batch,
    join,
    make_layout,
    propagate_to_neighbours,
    run_language_model,
    split_segments,
    use_packed_attention,
)
from training.demo.progress import Log
from training.demo.questions import Questioner
from training.demo.schedule import (
    average_gradients,
    learning_rate,
    make_optimisers,
    stage_of,
)
from training.demo.skeleton import read_config, write_skeleton
from training.demo.spoiling import spoil
from training.demo.state import load_state, resume_from, save_state
from training.demo.targets import choose_targets
from training.synthetic import raster
from training.synthetic.world import (
    Scenes,
    States,
    boxes_of,
    sample_scenes,
    states_at,
)
from training.synthetic.worlds import WORLDS

_TAP_LAYER = 3
_IMAGE_QUESTIONS = 6
_IMAGE_LENGTH = 40
# Of the videos of a step; the rest are of the plain world.
_SHARES = {"varied": 0.35, "crowded": 0.2, "small": 0.1}


@dataclass(frozen=True)
class Segments:
    """How many questions of each task a video gets, and their lengths."""

    long: int = 560
    stvg: int = 168
    svg: int = 128
    tvg: int = 56
    elc: int = 160
    describe: int = 64
    stvg_count: int = 2
    svg_count: int = 2
    tvg_count: int = 6

    @property
    def lengths(self) -> list[int]:
        """Segment by segment, in the order :meth:`Trainer.video_questions` makes."""
        return [
            self.long,
            *[self.stvg] * self.stvg_count,
            *[self.svg] * self.svg_count,
            *[self.tvg] * self.tvg_count,
            self.elc,
            self.describe,
        ]


class Trainer:
    """Holds the model, its auxiliary heads and the batches of one process."""

    def __init__(self, args: argparse.Namespace, device: torch.device) -> None:
        self.args, self.device = args, device
        skeleton = Path(args.skeleton)
        self.config: LlavaSTConfig = read_config(skeleton)
        torch.manual_seed(args.seed)
        model = LlavaST(self.config)
        if args.init is None:
            _initialise(model)
        else:
            model.load_state_dict(_weights_of(args.init))
        width = int(self.config.language.hidden_size)
        group = self.config.num_frames // self.config.num_slow_frames
        self.modules = nn.ModuleDict(
            {
                "model": model,
                "dense": DenseHead(int(self.config.vision.hidden_size)),
                "packed": Readout(width, group),
                "tapped": Readout(width, group),
            }
        ).to(device)
        self.model = model
        use_packed_attention(model, device)
        propagate_to_neighbours(model)
        tokenizer = PromptTokenizer.from_folder(skeleton, self.config)
        self.questions = Questioner(tokenizer, self.config, device)
        self.segments = Segments()
        self.video_layout = make_layout(
            len(self.questions.video_head), self.segments.lengths, device
        )
        self.image_layout = make_layout(
            len(self.questions.image_head), [_IMAGE_LENGTH] * _IMAGE_QUESTIONS, device
        )
        self.generator = torch.Generator(device)
        self._compile()

    def _compile(self) -> None:
        self._tower: Any = self.model.tower_features
        self._pack: Any = self.model.pack_video
        self._language: Any = run_language_model
        self._loss: Any = losses.answer_loss
        self._draw: Any = raster.draw_frames
        if self.device.type == "cuda" and not self.args.no_compile:
            raster.compile_painter()
            self._tower = torch.compile(self._tower, dynamic=False)
            self._pack = torch.compile(self._pack, dynamic=False)
            self._language = torch.compile(self._language, dynamic=False)
            self._loss = torch.compile(self._loss, dynamic=False)

    def reseed(self, seed: int) -> None:
        """Fresh scenes, never seen before by this or another process."""
        self.generator.manual_seed(seed)
        torch.manual_seed(seed)

    # -- still images ---------------------------------------------------------------

    def image_losses(self, count: int, *, ask: bool) -> dict[str, Tensor]:
        """Dense targets on the tower and, if asked, REC questions."""
        scenes = self._scenes(count)
        times = torch.rand(count, 1, device=self.device)
        states, boxes, pixels = self._picture(scenes, times)
        features = self._tower(pixels.flatten(0, 1))
        found = self.modules["dense"].loss(features, scenes, states, boxes)
        if ask:
            found |= self._image_answers(features, scenes, boxes)
        return found

    def _image_answers(
        self, features: Tensor, scenes: Scenes, boxes: Tensor
    ) -> dict[str, Tensor]:
        targets = choose_targets(scenes, boxes, _IMAGE_QUESTIONS, with_action=False)
        piece = split_segments(
            self.questions.rec(targets, _IMAGE_LENGTH), _IMAGE_QUESTIONS
        )
        visual = self.model.images_from_features(features)
        hidden, _ = self._run(
            self.questions.image_head, visual, piece.read, self.image_layout
        )
        return self._score(hidden, piece.write, piece.kind, "rec_", self.image_layout)

    # -- videos ---------------------------------------------------------------------

    def video_losses(self, count: int, step: int) -> dict[str, Tensor]:
        """Every task on whole videos; the tower learns from images only."""
        scenes = self._scenes(count)
        times = self._frame_times(count)
        states, boxes, pixels = self._picture(scenes, times)
        with torch.no_grad():
            features = self._tower(pixels.flatten(0, 1))
        visual = self._pack(features, count)
        piece = self.video_questions(scenes, boxes, step)
        hidden, tapped = self._run(
            self.questions.video_head, visual, piece.read, self.video_layout
        )
        found = self._score(hidden, piece.write, piece.kind, "", self.video_layout)
        prefix = self.video_layout.prefix
        seen = tapped[:, prefix - visual.shape[1] : prefix]
        side = self.config.slow_grid
        for name, tokens in (("packed", visual), ("tapped", seen)):
            read = self.modules[name].loss(tokens, scenes, states, boxes, side)
            found |= {f"{name}_{key}": value for key, value in read.items()}
        return found

    def video_questions(self, scenes: Scenes, boxes: Tensor, step: int) -> Any:
        """The segments of a batch, in the order of ``Segments.lengths``."""
        ask, size = self.questions, self.segments
        one = choose_targets(scenes, boxes, 1)
        if step % 4 == 3:
            long = ask.svg(one, size.long, long=True)
        elif step % 8 == 5:
            long = ask.elc(one, size.long)
        else:
            long = ask.stvg(one, size.long)

        def several(make: Any, length: int, number: int) -> Any:
            targets = choose_targets(scenes, boxes, number)
            return split_segments(make(targets, length), number)

        return join(
            [
                long,
                several(ask.stvg, size.stvg, size.stvg_count),
                several(ask.svg, size.svg, size.svg_count),
                several(ask.tvg, size.tvg, size.tvg_count),
                ask.elc(choose_targets(scenes, boxes, 1), size.elc),
                ask.describe(scenes, size.describe),
            ]
        )

    def _frame_times(self, count: int) -> Tensor:
        """Unit times of the 100 frames; short videos repeat some of theirs."""
        frames = self.config.num_frames
        steps = torch.linspace(0, 1, frames, device=self.device).expand(count, -1)
        have = torch.randint(24, 200, (count, 1), device=self.device) - 1
        few = (steps * have).round() / have
        return torch.where(have < frames, few, steps)

    # -- shared ---------------------------------------------------------------------

    def _scenes(self, count: int) -> Scenes:
        """Scenes of every world, in the shares of ``_SHARES``."""
        left = count
        batches = []
        for name, share in _SHARES.items():
            number = round(count * share)
            left -= number
            batches.append((name, number))
        batches.append(("plain", left))
        return Scenes.together(
            [
                sample_scenes(number, self.generator, self.device, WORLDS[name])
                for name, number in batches
                if number
            ]
        )

    def _picture(self, scenes: Scenes, times: Tensor) -> tuple[States, Tensor, Tensor]:
        states = states_at(scenes, times)
        # In full precision: pixels rounded to bfloat16 are not what a file shows.
        with torch.no_grad(), torch.autocast(self.device.type, enabled=False):
            frames = self._draw(scenes, times, self.config.image_size, self.generator)
            frames = spoil(frames)
        return states, boxes_of(scenes, states), (frames - 0.5) / 0.5

    def _run(self, head: Tensor, visual: Tensor, read: Tensor, layout: Any) -> Any:
        embedded = embed_batch(self.model, head, visual, read, layout)
        return self._language(self.model, embedded, layout, _TAP_LAYER)

    def _score(
        self, hidden: Tensor, write: Tensor, kind: Tensor, prefix: str, layout: Any
    ) -> dict[str, Tensor]:
        """Loss of the answers; the hidden state before a token writes it."""
        length = write.shape[1]
        before = hidden[:, layout.prefix : layout.prefix + length - 1]
        logits = self.model.language_model.lm_head(before).flatten(0, 1)
        loss, entropy, off = self._loss(
            logits,
            write[:, 1:].flatten(),
            kind[:, 1:].flatten(),
            self.config.base_vocab_size,
        )
        found = {f"{prefix}answer": loss}
        for index, name in losses.NAMES.items():
            found[f"~{prefix}{name}"] = entropy[index]
            if index >= losses.TIME:
                found[f"~{prefix}{name}_bins"] = off[index]
        return found


def _weights_of(folder: Path) -> dict[str, Tensor]:
    weights: dict[str, Tensor] = load_model(
        str(folder), "cpu", "float32"
    ).model.state_dict()
    return weights


def _initialise(model: LlavaST) -> None:
    """Small random weights; transformers has set its own parts already."""
    for module in (*model.projector.modules(), *model.packer.modules()):
        if isinstance(module, nn.Linear):
            nn.init.trunc_normal_(module.weight, std=0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def batch_losses(
    trainer: Trainer, stage: str, step: int, args: argparse.Namespace
) -> dict[str, Tensor]:
    """All losses of one step."""
    if stage == "tower":
        return trainer.image_losses(args.images * 4, ask=False)
    if stage == "images":
        return trainer.image_losses(args.images * 2, ask=True)
    found = trainer.image_losses(args.images // 2, ask=True)
    return found | trainer.video_losses(args.videos, step)


def train(trainer: Trainer, args: argparse.Namespace, rank: int) -> None:
    """Run until ``--stop-after`` seconds or the end of the schedule."""
    folder = Path(args.out)
    facts: dict[str, Any] = {"seconds": 0.0, "step": 0, "runs": 0}
    if resume_from(folder):
        facts = load_state(folder, trainer.modules)
    trainer.reseed(args.seed + 1_000_003 * facts["runs"] + 7919 * rank)
    optimisers = make_optimisers(trainer.modules, args.optimizer, args.lr)
    trained, step = float(facts["seconds"]), int(facts["step"])
    log = Log(folder, rank)
    started = time.monotonic()
    stage, stage_step, first = "", 0, trained
    while True:
        progress = trained / args.total_seconds
        now = stage_of(progress)
        if now != stage:
            stage, stage_step = now, 0
        begun = time.monotonic()
        rate = learning_rate(progress, stage_step, args.lr)
        for optimiser in optimisers:
            for group in optimiser.param_groups:
                group["lr"] = rate
        with torch.autocast(trainer.device.type, torch.bfloat16):
            found = batch_losses(trainer, stage, step, args)
            total = sum(v for k, v in found.items() if not k.startswith("~"))
        assert isinstance(total, Tensor)
        total.backward()
        average_gradients(trainer.modules)
        nn.utils.clip_grad_norm_(trainer.modules.parameters(), 1.0)
        for optimiser in optimisers:
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        log.add(found)
        # The first steps of a stage compile; their time is not training.
        if stage_step >= 5:
            trained += time.monotonic() - begun
        step, stage_step = step + 1, stage_step + 1
        trained, stop = _agree(
            trained,
            time.monotonic() - started > args.stop_after
            or trained >= args.total_seconds,
            trainer.device,
        )
        log.maybe_write(step, trained, stage, rate, total, stop)
        if stop:
            break
    facts = {"seconds": trained, "step": step, "runs": facts["runs"] + 1}
    if rank == 0:
        save_state(folder, trainer.modules, facts)
        print(f"stopped at {trained:.0f} s ({trained - first:.0f} s here)", flush=True)


def _agree(trained: float, stop: bool, device: torch.device) -> tuple[float, bool]:
    """The same clock in every process, so that they change stage together."""
    if not dist.is_initialized():
        if device.type == "cuda":
            torch.cuda.synchronize()
        return trained, stop
    values = torch.tensor([trained, float(stop)], device=device, dtype=torch.float64)
    dist.all_reduce(values, op=dist.ReduceOp.MAX)
    agreed, anyone = values.tolist()
    return agreed, bool(anyone)


def main() -> None:
    """Entry point."""
    args = parse_arguments()
    rank = int(os.environ.get("RANK", 0))
    if not (Path(args.skeleton) / "config.json").is_file():
        write_skeleton(Path(args.skeleton))
    if torch.cuda.is_available():
        local = int(os.environ.get("LOCAL_RANK", 0))
        device = torch.device("cuda", local)
        torch.cuda.set_device(device)
        torch.set_float32_matmul_precision("high")
    else:
        device = torch.device("cpu")
    if "WORLD_SIZE" in os.environ:
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    train(Trainer(args, device), args, rank)
    if dist.is_initialized():
        dist.destroy_process_group()


if __name__ == "__main__":
    main()

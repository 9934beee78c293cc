"""The model as the trainer calls it: a batch in, its loss out."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from stablechat.fingerprint import model_id
from stablechat.loader import LoadedModel
from stablechat.model.config import LlavaSTConfig
from stablechat.model.modeling import LlavaST
from stablechat.model.tokens import EncodedPrompt
from training.finetune.batches import Batch
from training.finetune.examples import IGNORED, Example
from training.finetune.features import FeatureCache, Stage
from training.finetune.objective import (
    example_losses,
    keep_to_coordinates,
    propagate_to_neighbours,
)
from training.finetune.settings import Settings


def stage_of(settings: Settings) -> Stage | None:
    """What of a video no training changes; None if even the tower learns."""
    learning = set(settings.learning_rates)
    if "tower" in learning:
        return None
    return "tower" if learning & {"projector", "packer", "coordinates"} else "visual"


class TrainedModel(nn.Module):
    """LLaVA-ST with the published loss.

    Args:
        model: The whole model.
        stage: What a batch holds of its videos: pixels if None.
    """

    def __init__(self, model: LlavaST, stage: Stage | None = None) -> None:
        super().__init__()
        self.llava = model
        self.stage = stage
        self._hooks: list[RemovableHandle] = []

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """The mean loss of a batch's conversations, and each one's."""
        self._hook_gradients()
        if batch.seen is None:
            # Every process must compute a gradient where one does, all of its layers.
            example, seen = placeholder(self.llava.config, self.stage)
            return {"loss": 0 * self._losses([example], seen).mean()}
        losses = self._losses(batch.examples, batch.seen)
        return {"loss": losses.mean(), "losses": losses.detach()}

    def _hook_gradients(self) -> None:
        """Anew each time: FSDP lends the matrices whole while it computes."""
        for hook in self._hooks:
            hook.remove()
        self._hooks = keep_to_coordinates(self.llava)
        self._hooks += propagate_to_neighbours(self.llava)

    def _losses(self, examples: Sequence[Example], seen: Tensor) -> Tensor:
        visuals = self._visuals(seen.to(self.llava.device))
        return example_losses(self.llava, examples, list(visuals))

    def _visuals(self, seen: Tensor) -> Tensor:
        """Visual tokens ``(B, tokens, hidden)``."""
        if self.stage == "visual":
            return seen
        frames = seen.flatten(0, 1).to(self.llava.dtype)
        if self.stage is None:
            return self.llava.encode_video(frames, len(seen))
        return self.llava.pack_video(frames, len(seen))


def placeholder(config: LlavaSTConfig, stage: Stage | None) -> tuple[Example, Tensor]:
    """A conversation about nothing, with what a batch of it holds of its video.

    Args:
        config: The model's geometry.
        stage: As for :class:`TrainedModel`.
    """
    visual = slice(0, config.num_slow_tokens)
    ids = torch.zeros(visual.stop + 1, dtype=torch.long)
    targets = torch.full((len(ids),), IGNORED, dtype=torch.float64)
    targets[-1] = 0.0
    rows = torch.zeros(0, dtype=torch.float64)
    example = Example(EncodedPrompt(ids, visual, rows.long(), rows), targets)
    side, tower = config.image_size, int(config.vision.hidden_size)
    shape = {
        None: (config.num_frames, 3, side, side),
        "tower": (config.num_frames, config.grid**2, tower),
        "visual": (config.num_slow_tokens, int(config.language.hidden_size)),
    }[stage]
    return example, torch.zeros(1, *shape)


@torch.inference_mode()
def features_of(model: LlavaST, pixels: Tensor, stage: Stage) -> Tensor:
    """What a cache keeps of a video.

    Args:
        model: As it is before training.
        pixels: ``(N, 3, S, S)``.
        stage: Which features.
    """
    features = model.tower_features(pixels.to(model.device))
    return features if stage == "tower" else model.pack_video(features)[0]


def cache_for(settings: Settings, loaded: LoadedModel) -> FeatureCache | None:
    """The cache that a run asks for, if anything of its videos can be kept."""
    stage = stage_of(settings)
    if settings.feature_cache is None or stage is None:
        return None
    name = f"{model_id(loaded.folder, loaded.revision)} {loaded.dtype}"
    return FeatureCache(settings.feature_cache, stage, name)

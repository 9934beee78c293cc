"""The model as the trainer calls it: a batch in, its loss out."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from stablechat.loader import LoadedModel
from stablechat.model.modeling import LlavaST
from training.finetune.batches import Batch
from training.finetune.features import FeatureCache, Stage
from training.finetune.objective import example_losses
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

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """The mean loss of a batch's conversations, and each one's."""
        if batch.seen is None:
            return {"loss": self._nothing(), "losses": torch.zeros(0)}
        visuals = self._visuals(batch.seen.to(self.llava.device))
        losses = example_losses(self.llava, batch.examples, list(visuals))
        return {"loss": losses.mean(), "losses": losses.detach()}

    def _visuals(self, seen: Tensor) -> Tensor:
        """Visual tokens ``(B, tokens, hidden)``."""
        if self.stage == "visual":
            return seen
        frames = seen.flatten(0, 1)
        if self.stage is None:
            return self.llava.encode_video(frames, len(seen))
        return self.llava.pack_video(frames, len(seen))

    def _nothing(self) -> Tensor:
        """A loss that teaches nothing but has a gradient, as every process must."""
        trained = (p for p in self.llava.parameters() if p.requires_grad)
        return sum((p.flatten()[0] * 0 for p in trained), torch.zeros(()))  # type: ignore[return-value]


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
    name = f"{loaded.folder.resolve()} {loaded.revision} {loaded.dtype}"
    return FeatureCache(settings.feature_cache, stage, name)

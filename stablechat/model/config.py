"""Geometry of a LLaVA-ST, read from a checkpoint's own files.

A checkpoint's ``config.json`` holds Qwen2's fields at the top level and the ``mm_*``
fields beside them; it does not describe the vision tower, whose geometry is in the
folder or hub id that ``mm_vision_tower`` names. Widths that neither file states (the
packer's) come from tensor shapes. Nothing is fixed to the 7B model.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from huggingface_hub.errors import StrictDataclassError
from transformers import Qwen2Config, SiglipVisionConfig
from transformers.activations import ACT2FN

from stablechat.errors import CheckpointError
from stablechat.types import NUM_BINS

#: Order of the coordinate tables after the vocabulary: temporal, height, width.
AXES = ("temporal", "spatial_height", "spatial_width")
#: Frames that one slow frame stands for; fixed upstream.
FRAMES_PER_SLOW_FRAME = 5
# Heads of the packer's attention: 8 upstream, not visible in any shape. A head is at
# least 8 wide, so the small checkpoints that upstream's code makes have fewer.
_PACKER_HEADS = 8
_SMALLEST_PACKER_HEAD = 8
# Far above every model; a damaged number must not keep a machine busy for hours.
_MAX_LAYERS = 1000
_MAX_SIZE = 2**22

# What a Qwen2 configuration takes from config.json; the rest is not the language
# model's business, and unknown fields (a private rope or quantisation) must not act.
_LANGUAGE_FIELDS = (
    "attention_dropout",
    "hidden_act",
    "hidden_size",
    "initializer_range",
    "intermediate_size",
    "max_position_embeddings",
    "max_window_layers",
    "num_attention_heads",
    "num_hidden_layers",
    "num_key_value_heads",
    "rms_norm_eps",
    "sliding_window",
    "use_sliding_window",
)
_TOWER_FIELDS = (
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_channels",
    "image_size",
    "patch_size",
    "hidden_act",
    "layer_norm_eps",
    "attention_dropout",
)


@dataclass(frozen=True)
class LlavaSTConfig:
    """Everything needed to build the model.

    Attributes:
        language: Qwen2's configuration; its vocabulary has 300 rows more than the
            checkpoint's, for the coordinate tokens.
        vision: SigLIP's configuration without the layers above the selected one.
        base_vocab_size: Rows of the checkpoint's own embedding; the first temporal
            token has this id.
        packer_width: Inner width of the packer's attention.
        slow_grid: Side of the grid of a slow frame (9 at full size).
        fast_grid: Side of the grid of a fast frame (3 at full size).
        num_frames: Frames of a video (100).
        packed_images: Whether a still image goes through the first packer too.
    """

    language: Qwen2Config
    vision: SiglipVisionConfig
    base_vocab_size: int
    packer_width: int
    slow_grid: int
    fast_grid: int
    num_frames: int = NUM_BINS
    packed_images: bool = False

    def __post_init__(self) -> None:
        _check_transformer(self.language, "config.json")
        _check_transformer(self.vision, "the vision tower's config.json")
        _check_sizes(self.language, ("vocab_size",), "config.json")
        _check_sizes(
            self.vision,
            ("num_channels", "image_size", "patch_size"),
            "the vision tower's config.json",
        )
        if min(self.grid, self.slow_grid, self.fast_grid) < 1:
            raise CheckpointError(
                "The packer's grids must have patches, got {grid}, {slow_grid} and "
                "{fast_grid} a side.",
                grid=self.grid,
                slow_grid=self.slow_grid,
                fast_grid=self.fast_grid,
            )
        if self.grid % self.slow_grid or self.slow_grid % self.fast_grid:
            raise CheckpointError(
                "The packer's grids must divide each other, got {grid}, "
                "{slow_grid} and {fast_grid} patches a side.",
                grid=self.grid,
                slow_grid=self.slow_grid,
                fast_grid=self.fast_grid,
            )
        if self.num_frames % FRAMES_PER_SLOW_FRAME:
            raise CheckpointError(
                "The number of frames must be a multiple of "
                "{frames_per_slow_frame}, got {num_frames}.",
                frames_per_slow_frame=FRAMES_PER_SLOW_FRAME,
                num_frames=self.num_frames,
            )

    @property
    def packer_heads(self) -> int:
        """Heads of the packer's attention."""
        return max(1, min(_PACKER_HEADS, self.packer_width // _SMALLEST_PACKER_HEAD))

    @property
    def image_size(self) -> int:
        """Side of the square picture that the tower sees, in pixels."""
        return cast(int, self.vision.image_size)

    @property
    def grid(self) -> int:
        """Patches along a side of the tower's picture (27 at full size)."""
        return self.image_size // cast(int, self.vision.patch_size)

    @property
    def num_slow_frames(self) -> int:
        """Frames of the slow path (20 at full size)."""
        return self.num_frames // FRAMES_PER_SLOW_FRAME

    @property
    def num_fast_tokens(self) -> int:
        """Placeholders of the fast path, never filled (900 at full size)."""
        return self.num_frames * self.fast_grid**2

    @property
    def num_slow_tokens(self) -> int:
        """Visual tokens of the slow path (1,620 at full size)."""
        return self.num_slow_frames * self.slow_grid**2

    @property
    def num_image_tokens(self) -> int:
        """Visual tokens of a still image (729 at full size)."""
        return (self.slow_grid if self.packed_images else self.grid) ** 2


def build_config(
    checkpoint: Mapping[str, Any], tower: Mapping[str, Any], packer_width: int
) -> LlavaSTConfig:
    """Make the configuration from a checkpoint's parsed files.

    Args:
        checkpoint: The checkpoint's ``config.json``.
        tower: The tower's ``config.json`` (SigLIP's, or a whole SigLIP model's with a
            ``vision_config`` inside).
        packer_width: Rows of the packer's first linear layer.

    Raises:
        CheckpointError: A field is missing or has a value this code does not know.
    """
    try:
        language = _language_config(checkpoint)
        vision = _vision_config(
            tower.get("vision_config", tower),
            int(checkpoint.get("mm_vision_select_layer", -2)),
        )
        return LlavaSTConfig(
            language=language,
            vision=vision,
            base_vocab_size=int(checkpoint["vocab_size"]),
            packer_width=packer_width,
            slow_grid=math.isqrt(int(checkpoint["mm_perceiver_latents"])),
            fast_grid=math.isqrt(int(checkpoint["mm_perceiver_latents_fast"])),
            num_frames=int(checkpoint.get("num_temporal_tokens", NUM_BINS)),
            packed_images=bool(checkpoint.get("use_downsample_image", False)),
        )
    # transformers checks the fields' types by StrictDataclassError.
    except (
        *(KeyError, TypeError, ValueError, OverflowError, ZeroDivisionError),
        StrictDataclassError,
    ) as error:
        reason = " ".join(repr(error).split())
        raise CheckpointError(
            "config.json does not describe a LLaVA-ST this code can build: {reason}.",
            reason=reason,
        ) from error


def _check_transformer(config: Qwen2Config | SiglipVisionConfig, origin: str) -> None:
    """Refuse what a model can't be built from, or what would take for ever."""
    _check_sizes(config, ("hidden_size", "intermediate_size"), origin)
    _check_sizes(config, ("num_attention_heads",), origin)
    _check_sizes(config, ("num_hidden_layers",), origin, _MAX_LAYERS)
    heads = groups = int(config.num_attention_heads)
    if isinstance(config, Qwen2Config):
        _check_sizes(config, ("num_key_value_heads",), origin)
        groups = int(config.num_key_value_heads or heads)
        if config.hidden_size // heads % 2:
            raise CheckpointError(
                "{origin} makes heads {width} wide; rotary positions need an even "
                "width.",
                origin=origin,
                width=config.hidden_size // heads,
            )
    if config.hidden_size % heads or heads % groups:
        raise CheckpointError(
            "{origin} does not share {hidden_size} values among {heads} heads "
            "in {groups} groups.",
            origin=origin,
            hidden_size=config.hidden_size,
            heads=heads,
            groups=groups,
        )
    if config.hidden_act not in ACT2FN:
        raise CheckpointError(
            "{origin} has no known hidden_act: {hidden_act}.",
            origin=origin,
            hidden_act=config.hidden_act,
        )


def _check_sizes(
    config: Qwen2Config | SiglipVisionConfig,
    names: Sequence[str],
    origin: str,
    limit: int = _MAX_SIZE,
) -> None:
    for name in names:
        value = getattr(config, name)
        if not (isinstance(value, int) and 1 <= value <= limit):
            raise CheckpointError(
                "{origin} gives {name} = {value!r}; it must be from 1 to {limit}.",
                origin=origin,
                name=name,
                value=value,
                limit=limit,
            )


def _language_config(checkpoint: Mapping[str, Any]) -> Qwen2Config:
    _require_known_layout(checkpoint)
    layers = checkpoint.get("num_hidden_layers", 0)
    # Before Qwen2Config: it makes a list of that length.
    if isinstance(layers, int) and layers > _MAX_LAYERS:
        raise CheckpointError(
            "config.json gives num_hidden_layers = {layers}; it must be from 1 "
            "to {max_layers}.",
            layers=layers,
            max_layers=_MAX_LAYERS,
        )
    rope = {
        "rope_type": "default",
        "rope_theta": float(checkpoint.get("rope_theta", 1e6)),
    }
    return Qwen2Config(
        vocab_size=int(checkpoint["vocab_size"]) + len(AXES) * NUM_BINS,
        rope_parameters=rope,
        tie_word_embeddings=False,
        **{name: checkpoint[name] for name in _LANGUAGE_FIELDS if name in checkpoint},
    )


def _require_known_layout(checkpoint: Mapping[str, Any]) -> None:
    expected = {
        "model_type": "llava_qwen",
        "mm_projector_type": "mlp2x_gelu",
        "mm_resampler_type": "fast_slow_resampler",
        "rope_scaling": None,
        "num_temporal_tokens": NUM_BINS,
        "num_spatial_tokens": NUM_BINS,
        "tie_word_embeddings": False,
    }
    for name, value in expected.items():
        if checkpoint.get(name, value) != value:
            raise CheckpointError(
                "config.json has {name} = {found!r}; this code knows {value!r} only.",
                name=name,
                found=checkpoint[name],
                value=value,
            )


def _vision_config(tower: Mapping[str, Any], select_layer: int) -> SiglipVisionConfig:
    if select_layer >= 0:
        raise CheckpointError(
            "mm_vision_select_layer must count from the end, got {select_layer}.",
            select_layer=select_layer,
        )
    fields = {name: tower[name] for name in _TOWER_FIELDS if name in tower}
    # hidden_states[-1] is the last layer's output, so -2 drops one layer.
    layers = int(fields["num_hidden_layers"])
    fields["num_hidden_layers"] = layers + select_layer + 1
    if fields["num_hidden_layers"] < 1:
        raise CheckpointError(
            "mm_vision_select_layer = {select_layer} leaves nothing of a "
            "vision tower of {layers} layers.",
            select_layer=select_layer,
            layers=layers,
        )
    return SiglipVisionConfig(vision_use_head=False, **fields)

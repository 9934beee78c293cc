"""LLaVA-ST on transformers: SigLIP, projector, positions, packer, Qwen2.

The coordinate tables are the last 300 rows of Qwen2's embedding and of its head, so
the language model is a plain ``Qwen2ForCausalLM`` and every fast path made for one
stays open.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from transformers import Qwen2ForCausalLM, SiglipVisionModel

from stablechat.model.config import AXES, LlavaSTConfig
from stablechat.model.fast_tower import fast_tower_for
from stablechat.model.packer import SpatialTemporalPacker
from stablechat.model.tokens import EncodedPrompt
from stablechat.types import NUM_BINS


class LlavaST(nn.Module):
    """The whole model. Build it on the meta device and fill it with a loader.

    Args:
        config: Its geometry.
    """

    def __init__(self, config: LlavaSTConfig) -> None:
        super().__init__()
        self.config = config
        hidden = int(config.language.hidden_size)
        self.vision_tower = SiglipVisionModel(config.vision)
        self.projector = nn.Sequential(
            nn.Linear(int(config.vision.hidden_size), hidden),
            nn.GELU(),
            nn.Linear(hidden, hidden),
        )
        self.packer = SpatialTemporalPacker(config)
        self.language_model = Qwen2ForCausalLM(config.language)

    @property
    def dtype(self) -> torch.dtype:
        """Type of the weights."""
        return cast(nn.Linear, self.projector[0]).weight.dtype

    @property
    def device(self) -> torch.device:
        """Where the vision side lives (and, unless dispatched, everything)."""
        return cast(nn.Linear, self.projector[0]).weight.device

    @property
    def is_quantized(self) -> bool:
        """Whether the decoder's linear layers hold something else than weights.

        Then a kernel that takes their weights, or a CUDA graph of a step, is no option:
        the 8-bit layers look at their input on the CPU.
        """
        layers = self.language_model.model.layers
        return type(layers[0].mlp.down_proj) is not nn.Linear

    def tower_features(self, pixel_values: Tensor) -> Tensor:
        """Patch features before the tower's final layer norm.

        Args:
            pixel_values: ``(N, 3, S, S)``, normalised.

        Returns:
            ``(N, g * g, tower hidden)``, row-major.
        """
        pixels = pixel_values.to(self.dtype)
        tower = self.vision_tower
        fast = fast_tower_for(tower)
        if fast is not None:
            return fast(pixels)
        embedded = tower.embeddings(pixels)
        encoded = tower.encoder(inputs_embeds=embedded)
        features: Tensor = encoded.last_hidden_state
        return features

    def encode_video(self, pixel_values: Tensor, batch_size: int = 1) -> Tensor:
        """Visual tokens of whole videos.

        Args:
            pixel_values: ``(batch_size * N, 3, S, S)``.
            batch_size: Videos in the batch.

        Returns:
            ``(batch_size, num_slow_tokens, hidden)``.
        """
        return self.pack_video(self.tower_features(pixel_values), batch_size)

    def pack_video(self, tower_features: Tensor, batch_size: int = 1) -> Tensor:
        """The second half of :meth:`encode_video`, from the tower's features."""
        count = tower_features.shape[0] // batch_size
        temporal = self._positions()[0][:count].repeat(batch_size, 1)
        frames = self.packer.pack_frames(self._placed(tower_features, temporal))
        return self.packer.pack_time(frames, batch_size)

    def pack_frames(self, tower_features: Tensor, first: int = 0) -> Tensor:
        """Some frames of a video on their way to :meth:`pack_time`.

        A video need not be in memory as patch features as a whole (0.5 GB of each
        kind at full size in FP16).

        Args:
            tower_features: ``(n, g * g, tower hidden)``.
            first: Number of the first of these frames in its video.

        Returns:
            ``(n, s, s, hidden)``.
        """
        temporal = self._positions()[0][first : first + tower_features.shape[0]]
        return self.packer.pack_frames(self._placed(tower_features, temporal))

    def pack_time(self, frames: Tensor) -> Tensor:
        """A whole video: ``(N, s, s, hidden)`` to ``(tokens, hidden)``."""
        return self.packer.pack_time(frames)[0]

    def encode_images(self, pixel_values: Tensor) -> Tensor:
        """Visual tokens of still images: ``(N, 3, S, S)`` to ``(N, tokens, hidden)``.

        An image is a video's first frame (temporal row 0) and stays unpacked unless
        the configuration says otherwise.
        """
        return self.images_from_features(self.tower_features(pixel_values))

    def images_from_features(self, tower_features: Tensor) -> Tensor:
        """The second half of :meth:`encode_images`, from the tower's features."""
        features = self._placed(tower_features, self._positions()[0][:1])
        if self.config.packed_images:
            features = self.packer.pack_frames(features)
        return features.flatten(1, 2)

    def embed_tokens(self, input_ids: Tensor) -> Tensor:
        """Embeddings of token ids, coordinate tokens included."""
        embedded: Tensor = self.language_model.get_input_embeddings()(input_ids)
        return embedded

    def embed_coordinates(self, rows: Tensor) -> Tensor:
        """Continuous coordinates: linear between the rows of the input tables.

        Args:
            rows: float64 ``(K,)``, fractional rows of the embedding matrix.

        Returns:
            ``(K, hidden)``.
        """
        table = self._input_table()
        # Split where they are: MPS has no float64.
        low, high = rows.floor(), rows.ceil()
        share = (rows - low).unsqueeze(-1).to(table.dtype).to(table.device)
        below = table[low.long().to(table.device)]
        above = table[high.long().to(table.device)]
        return below * (1 - share) + above * share

    def embed_prompt(self, prompt: EncodedPrompt, visual: Tensor) -> Tensor:
        """Put a question and its visual tokens together.

        Args:
            prompt: The encoded question.
            visual: ``(tokens, hidden)`` from :meth:`encode_video` or
                :meth:`encode_images`.

        Returns:
            ``(1, L, hidden)``, what the language model reads.
        """
        device = self._input_table().device
        # A copy: while adapters train, transformers makes a leaf of the embedding's own
        # output, which may not be written into.
        embedded = self.embed_tokens(prompt.input_ids.to(device)).clone()
        embedded[prompt.visual] = visual.to(embedded)
        places = prompt.coordinate_positions.to(device)
        embedded[places] = self.embed_coordinates(prompt.coordinate_rows)
        return embedded.unsqueeze(0)

    def _placed(self, tower_features: Tensor, temporal: Tensor) -> Tensor:
        """Projected features with their place in space and time added.

        Args:
            tower_features: ``(N, g * g, tower hidden)``.
            temporal: ``(N or 1, hidden)``, a frame's row of the temporal table.

        Returns:
            ``(N, g, g, hidden)``.
        """
        grid = self.config.grid
        _, height, width = self._positions()
        projected: Tensor = self.projector(tower_features)
        features = torch.unflatten(projected, 1, (grid, grid))
        # In place: they are the projector's own output, which nothing else keeps.
        features += temporal[:, None, None]
        features += height[:, None] + width
        return features

    def _input_table(self) -> Tensor:
        """The embedding matrix, coordinate tables included."""
        return cast(Tensor, self.language_model.get_input_embeddings().weight)

    def _positions(self) -> tuple[Tensor, Tensor, Tensor]:
        """Language-aligned position embeddings: ``(100, h)``, ``(g, h)``, ``(g, h)``.

        The mean of what the model reads and what it writes for a coordinate.
        """
        first = self.config.base_vocab_size
        read = self._input_table()[first:]
        written = self.language_model.lm_head.weight[first:]
        mean = (read + written.to(read.device)) / 2
        temporal, height, width = mean.to(self.device).split(NUM_BINS)[: len(AXES)]
        return temporal, self._resize(height), self._resize(width)

    def _resize(self, table: Tensor) -> Tensor:
        """Linear interpolation of a table to the grid (``align_corners=False``).

        As ``F.interpolate`` has it, whose kernel took as long as the packer's products.
        """
        count, grid = len(table), self.config.grid
        places = (torch.arange(grid, device=table.device) + 0.5) * (count / grid) - 0.5
        places = places.clamp_(0, count - 1)
        low = places.long()
        share = (places - low).unsqueeze(1)
        below = table[low].float()
        above = table[(low + 1).clamp_(max=count - 1)].float()
        return torch.lerp(below, above, share).to(table.dtype)

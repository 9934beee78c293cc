"""The demo model's files other than its weights: configuration and tokenizer.

The same layout as a published checkpoint, at a hundredth of the width.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    trainers,
)

from stablechat import prompts
from stablechat.model.config import LlavaSTConfig, build_config
from stablechat.model.tokens import SYSTEM_PROMPT
from stablechat.types import NUM_BINS
from training.synthetic import language
from training.synthetic.world import ACTIONS, COLORS, SHAPES

PACKER_WIDTH = 192
TOWER_FOLDER = "siglip-demo"
_BPE_SIZE = 640

TOWER = {
    "architectures": ["SiglipVisionModel"],
    "model_type": "siglip_vision_model",
    "hidden_size": 192,
    "intermediate_size": 768,
    # The last layer is dropped, as in the published model; five run.
    "num_hidden_layers": 6,
    "num_attention_heads": 6,
    "num_channels": 3,
    "image_size": 108,
    "patch_size": 6,
    "hidden_act": "gelu_pytorch_tanh",
    "layer_norm_eps": 1e-6,
    "attention_dropout": 0.0,
}

_LANGUAGE = {
    "architectures": ["LlavaQwenForCausalLM"],
    "model_type": "llava_qwen",
    "hidden_act": "silu",
    "hidden_size": 256,
    "intermediate_size": 704,
    "num_hidden_layers": 8,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "max_position_embeddings": 4096,
    "rms_norm_eps": 1e-6,
    "rope_theta": 10000.0,
    "initializer_range": 0.02,
    "attention_dropout": 0.0,
    "tie_word_embeddings": False,
    "use_sliding_window": False,
    "mm_hidden_size": 192,
    "mm_patch_merge_type": "flat",
    "mm_perceiver_latents": 36,
    # The fast path is never filled (see stablechat.model.packer): one placeholder a
    # frame keeps the prompt short.
    "mm_perceiver_latents_fast": 1,
    "mm_projector_type": "mlp2x_gelu",
    "mm_resampler_type": "fast_slow_resampler",
    "mm_vision_select_layer": -2,
    "mm_vision_tower": TOWER_FOLDER,
    "num_spatial_tokens": NUM_BINS,
    "num_temporal_tokens": NUM_BINS,
    "torch_dtype": "float16",
    "use_cache": True,
}

_CHAT_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
_VISUAL_TOKENS = (
    "<im_start>",
    "<im_end>",
    "<im_patch>",
    "<vid_start>",
    "<vid_end>",
    "<vid_patch>",
    "<slow_vid_start>",
    "<slow_vid_end>",
    "<TEMP-INPUT>",
    "<TEMP-OUTPUT>",
    "<HEIGHT-INPUT>",
    "<HEIGHT-OUTPUT>",
    "<WIDTH-INPUT>",
    "<WIDTH-OUTPUT>",
)
# Qwen2's way to cut text before byte-pair merging.
_WORDS = Regex(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def write_skeleton(folder: Path) -> None:
    """Write the configuration files and a freshly trained tokenizer into a folder."""
    tower = folder / TOWER_FOLDER
    tower.mkdir(parents=True, exist_ok=True)
    tokenizer = train_tokenizer()
    config = {**_LANGUAGE, "vocab_size": tokenizer.token_to_id("<TEMP-000>")}
    _write_json(folder / "config.json", config)
    _write_json(tower / "config.json", TOWER)
    ends = [tokenizer.token_to_id(t) for t in ("<|im_end|>", "<|endoftext|>")]
    _write_json(folder / "generation_config.json", {"eos_token_id": ends})
    tokenizer.save(str(folder / "tokenizer.json"))


def read_config(folder: Path) -> LlavaSTConfig:
    """The model's configuration out of a skeleton."""
    return build_config(
        json.loads((folder / "config.json").read_text()),
        json.loads((folder / TOWER_FOLDER / "config.json").read_text()),
        PACKER_WIDTH,
    )


def train_tokenizer() -> Tokenizer:
    """Byte-pair merges over the synthetic world's own sentences."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(_WORDS, "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=_BPE_SIZE,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_corpus(), trainer)
    added = [*_CHAT_TOKENS, *_VISUAL_TOKENS]
    added += [
        f"<{axis}-{value:03d}>"
        for axis in ("TEMP", "HEIGHT", "WIDTH")
        for value in range(NUM_BINS)
    ]
    tokenizer.add_special_tokens(
        [AddedToken(token, special=True, normalized=False) for token in added]
    )
    return tokenizer


def _corpus() -> Iterator[str]:
    rng = random.Random(0)
    yield SYSTEM_PROMPT
    for _ in range(20000):
        color = rng.randrange(len(COLORS) + 1)
        shape = rng.randrange(len(SHAPES) + 1)
        action = rng.randrange(len(ACTIONS) + 1)
        yield language.query(color, shape, action, rng)
        captions = [
            language.caption(
                rng.randrange(len(COLORS)),
                rng.randrange(len(SHAPES)),
                rng.randrange(len(ACTIONS)),
            )
            for _ in range(rng.randrange(1, 5))
        ]
        yield language.describe(captions)
    # Often enough that every word and mark of the fixed texts becomes one token.
    for _ in range(500):
        yield from _prompt_texts()


def _prompt_texts() -> Iterator[str]:
    yield from ("system", "user", "assistant", "\n", ":[", "],", "].", "}. ")
    yield prompts.stvg_prompt("it")
    yield prompts.svg_prompt("it", (0.0, 1.0)).replace("0.000", "").replace("1.000", "")
    yield prompts.tvg_prompt("it")
    yield prompts.rec_prompt("it")
    yield prompts.describe_prompt()
    yield "During the span of {. Object bounding box: Ends in , "
    elc = prompts.elc_prompt(0.0, (0.0, 0.0, 1.0, 1.0))
    yield elc.replace("0.000", "").replace("1.000", "")


def _write_json(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n")

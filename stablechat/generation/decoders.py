"""Which decoder a model gets."""

from __future__ import annotations

import importlib.util
from weakref import WeakKeyDictionary

from torch import nn

from stablechat.generation.batch_decoder import BatchDecoder
from stablechat.generation.decoder import Decoder
from stablechat.generation.plain_decoder import PlainDecoder
from stablechat.generation.static_decoder import StaticDecoder
from stablechat.model.lending import lends_weights
from stablechat.model.modeling import LlavaST

# The projections of a layer; quantised, or wrapped by an adapter, they are no plain
# linear layers.
_ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")
_MLP = ("gate_proj", "up_proj", "down_proj")

_decoders: WeakKeyDictionary[LlavaST, Decoder] = WeakKeyDictionary()
_batch_decoders: WeakKeyDictionary[LlavaST, BatchDecoder] = WeakKeyDictionary()


def decoder_for(model: LlavaST) -> Decoder:
    """The model's decoder, made when it is first asked for.

    It holds the memory of one answer, so only one may be written at a time.
    """
    if model not in _decoders:
        _decoders[model] = _make(model)
    return _decoders[model]


def _make(model: LlavaST) -> Decoder:
    if not is_plain(model):
        return PlainDecoder(model)
    if not fits_kernels(model):
        return StaticDecoder(model)
    from stablechat.generation.cuda_decoder import CudaDecoder  # imports Triton

    return CudaDecoder(model)


def batch_decoder_for(model: LlavaST, num_seats: int) -> BatchDecoder:
    """The model's decoder of several answers, which only one batch may use at a time.

    It stays, with its caches, until it has too few seats, or where idle ones cost
    something too many: its graphs take as long to make as an answer takes.
    """
    known = _batch_decoders.pop(model, None)
    if known is None or not known.suits(num_seats):
        del known  # before there is memory for another
        known = _make_batch_decoder(model, num_seats)
    _batch_decoders[model] = known
    return known


def _make_batch_decoder(model: LlavaST, num_seats: int) -> BatchDecoder:
    if not fits_kernels(model):
        return BatchDecoder(model, num_seats)
    from stablechat.generation.cuda_batch_decoder import CudaBatchDecoder

    return CudaBatchDecoder(model, num_seats)


def fits_kernels(model: LlavaST) -> bool:
    """Whether the CUDA kernels can run an ordinary Qwen2, and a graph hold it."""
    config = model.config.language
    width = int(config.hidden_size) // int(config.num_attention_heads)
    layers = model.language_model.model.layers
    linears = [
        getattr(part, name)
        for layer in layers
        for part, names in ((layer.self_attn, _ATTENTION), (layer.mlp, _MLP))
        for name in names
    ]
    head = model.language_model.lm_head.weight
    return (
        head.device.type == "cuda"
        and importlib.util.find_spec("triton") is not None
        and all(type(linear) is nn.Linear for linear in linears)
        # While it is trained, a part may be kept in float32.
        and all(linear.weight.dtype == head.dtype for linear in linears)
        and width >= 16
        and width & (width - 1) == 0
    )


def is_plain(model: LlavaST) -> bool:
    """Whether the language model is an ordinary Qwen2 in one place."""
    language, config = model.language_model, model.config.language
    devices = {parameter.device for parameter in language.parameters()}
    windows = getattr(config, "layer_types", None) or ["full_attention"]
    return (
        len(devices) == 1
        and not lends_weights(language)
        and config.hidden_act == "silu"
        and set(windows) == {"full_attention"}
    )

"""Which decoder a model gets."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from stablechat.generation.decoder import Decoder
from stablechat.generation.plain_decoder import PlainDecoder
from stablechat.generation.static_decoder import StaticDecoder
from stablechat.model.modeling import LlavaST

_decoders: WeakKeyDictionary[LlavaST, Decoder] = WeakKeyDictionary()


def decoder_for(model: LlavaST) -> Decoder:
    """The model's decoder, made when it is first asked for.

    It holds the memory of one answer, so only one may be written at a time.
    """
    if model not in _decoders:
        make = StaticDecoder if is_plain(model) else PlainDecoder
        _decoders[model] = make(model)
    return _decoders[model]


def is_plain(model: LlavaST) -> bool:
    """Whether the language model is an ordinary Qwen2 in one place."""
    language, config = model.language_model, model.config.language
    devices = {parameter.device for parameter in language.parameters()}
    hooked = any(hasattr(module, "_hf_hook") for module in language.modules())
    windows = getattr(config, "layer_types", None) or ["full_attention"]
    return (
        len(devices) == 1
        and not hooked
        and config.hidden_act == "silu"
        and set(windows) == {"full_attention"}
    )

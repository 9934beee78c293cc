"""Weights in 8 or 4 bits, by bitsandbytes: which layers, and how they are filled.

Only the linear layers of the language model's decoder: four fifths of all weights, and
they tolerate it. The rest stays as it is. The embedding and the head hold the
coordinate tables, whose rows are added to the patch features and interpolated, and
whose scores are compared between neighbouring bins; the tower, the projector and the
packer are small, and bound by computing, which quantised weights make slower.

A layer's weight is a :class:`PendingWeight` on the meta device until its tensor is
read; then it is quantised where it will live. At no time is more than one of them
there in full.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn

from stablechat.errors import InputError

# bitsandbytes imports slowly and is optional: import_module where used.

Quantization = Literal["8bit", "4bit"]
QUANTIZATIONS: tuple[Quantization, ...] = ("8bit", "4bit")

#: The oldest version that the tests ran with.
_OLDEST = (0, 50)
_BLOCK = 64  # weights that share a scale in 4 bits
_SCALES = 256  # of those scales, quantised too, that share one
# Activations from here on are computed unquantised (LLM.int8(), arXiv 2208.07339).
_OUTLIER = 6.0
_FLOATS = (torch.float32, torch.float16, torch.bfloat16)  # that can become 4 bits
# Rows that the CPU's kernel for 4 bits packs together.
_CPU_ROWS = 32


class PendingWeight(nn.Parameter):
    """A weight on the meta device that will be quantised when its tensor is read.

    Attributes:
        quantization: How.
    """

    quantization: Quantization

    @property
    def stored_bytes(self) -> int:
        """Bytes that it will take, scales included."""
        count, rows = self.numel(), self.shape[0]
        if self.quantization == "8bit":
            return count + 4 * rows
        scales = -(-count // _BLOCK)
        return -(-count // 2) + scales + 4 * -(-scales // _SCALES)


def choose_quantization(
    quantization: str | None, device: torch.device, device_map: object = None
) -> Quantization | None:
    """The one asked for, if it can be had on this machine.

    Raises:
        InputError: It has no such name, bitsandbytes is missing, too old or not made
            for this device, or the model is to be spread over several devices.
    """
    if quantization is None:
        return None
    if quantization not in QUANTIZATIONS:
        raise InputError(
            "There is no quantization {quantization!r}; use 8bit or 4bit.",
            quantization=quantization,
        )
    if device_map is not None:
        raise InputError(
            "A quantised model can't be spread over several devices; leave out "
            "device_map or quantization."
        )
    if device.type not in ("cuda", "cpu"):
        raise InputError(
            "A quantised model can't run on {type}; use --device cpu or leave "
            "out --quantization.",
            type=device.type,
        )
    _check_library(_bitsandbytes(), device)
    return quantization


def _check_library(library: Any, device: torch.device) -> None:
    version = str(library.__version__)
    if tuple(int(part) for part in version.split(".")[:2]) < _OLDEST:
        raise InputError(
            "bitsandbytes {version} is too old for quantization; install it "
            "anew (pip install -U -r requirements-quantized.txt).",
            version=version,
        )
    native = import_module("bitsandbytes.cextension").lib
    if device.type == "cuda" and not native.compiled_with_cuda:
        raise InputError(
            "bitsandbytes {version} has no library for CUDA {cuda}; install "
            "another version of it, or use --device cpu.",
            version=version,
            cuda=torch.version.cuda,
        )


def _bitsandbytes() -> Any:
    try:
        with _no_code_from_elsewhere():
            library = import_module("bitsandbytes")
    except (ImportError, OSError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200].rstrip(".")
        raise InputError(
            "Quantization needs the bitsandbytes package ({reason}); install "
            "it (pip install -r requirements-quantized.txt) or leave out "
            "--quantization.",
            reason=reason,
        ) from error
    # It says in every layer of every token that inputs are cast to FP16.
    logging.getLogger("bitsandbytes.autograd._functions").setLevel(logging.ERROR)
    return library


@contextmanager
def _no_code_from_elsewhere() -> Iterator[None]:
    """Hide the package ``kernels``, if it is installed.

    On some CPUs bitsandbytes has it download a library from the hub and runs that,
    while it is imported. It brings a kernel of its own, too.
    """
    logger = logging.getLogger("bitsandbytes.backends.cpu.ops")
    level, known = logger.level, sys.modules.get("kernels")
    logger.setLevel(logging.ERROR)  # it warns that the package is missing
    sys.modules["kernels"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        logger.setLevel(level)
        del sys.modules["kernels"]
        if known is not None:
            sys.modules["kernels"] = known


def is_pending(model: nn.Module) -> bool:
    """Whether any weight waits to be quantised."""
    return any(isinstance(p, PendingWeight) for p in model.parameters())


def make_pending(
    layers: nn.Module, quantization: Quantization, dtype: torch.dtype
) -> None:
    """Replace all linear layers inside a module by empty quantised ones.

    Args:
        layers: On the meta device.
        quantization: How.
        dtype: To compute in.
    """
    names = [n for n, module in layers.named_modules() if type(module) is nn.Linear]
    for name in names:
        linear = cast(nn.Linear, layers.get_submodule(name))
        layers.set_submodule(name, _empty_layer(linear, quantization, dtype))


def _empty_layer(
    linear: nn.Linear, quantization: Quantization, dtype: torch.dtype
) -> nn.Module:
    library = _bitsandbytes()
    shape = (linear.in_features, linear.out_features, linear.bias is not None)
    layer: Any
    with torch.device("meta"):
        if quantization == "8bit":
            layer = library.nn.Linear8bitLt(
                *shape, has_fp16_weights=False, threshold=_OUTLIER
            )
        else:
            layer = library.nn.Linear4bit(
                *shape, compute_dtype=dtype, quant_type="nf4", quant_storage=torch.uint8
            )
            # The CPU's own kernel has no room for other shapes, and fails on them.
            if linear.out_features % _CPU_ROWS or linear.in_features % _BLOCK:
                layer.support_avx512bf16_for_cpu = False
    pending = PendingWeight(linear.weight.detach(), requires_grad=False)
    pending.quantization = quantization
    layer.weight = pending
    return cast(nn.Module, layer)


def fill_pending(layer: nn.Module, weight: Tensor, device: torch.device) -> None:
    """Quantise a weight where it will live, and put it into its layer.

    Args:
        layer: From :func:`make_pending`.
        weight: ``(out, in)``, as it was read: rounding it to the model's type first
            would move weights to another of the 16 values.
        device: Where it will live.
    """
    nn_, functional = _bitsandbytes().nn, _bitsandbytes().functional
    if cast(PendingWeight, layer.weight).quantization == "8bit":
        # The only type that the kernel takes.
        values = weight.to(device, torch.float16)
        rows, scales, _ = functional.int8_vectorwise_quant(values)
        layer.weight = nn_.Int8Params(rows, requires_grad=False, CB=rows, SCB=scales)
        return
    plain = weight if weight.dtype in _FLOATS else weight.float()
    values = plain.to(device).contiguous()
    kind: dict[str, Any] = {"compress_statistics": True, "quant_type": "nf4"}
    packed, state = functional.quantize_4bit(values, blocksize=_BLOCK, **kind)
    layer.weight = nn_.Params4bit(
        packed, quant_state=state, blocksize=_BLOCK, bnb_quantized=True, **kind
    )
    layer.quant_state = state

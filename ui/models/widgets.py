"""The folded panel of the model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from ui.i18n import label
from ui.models.choice import DEVICES, DTYPES, QUANTIZATIONS
from ui.models.facts import facts
from ui.pipeline import Chat


@dataclass(frozen=True)
class LoadWidgets:
    """The form to load another model; only where that is allowed."""

    model: gr.Textbox
    device: gr.Dropdown
    dtype: gr.Dropdown
    quantization: gr.Radio
    load: gr.Button
    stop: gr.Button
    line: gr.HTML

    @property
    def choice(self) -> list[Any]:
        """What is asked for, in the order of ``ModelChoice``."""
        return [self.model, self.device, self.dtype, self.quantization]


@dataclass(frozen=True)
class ModelWidgets:
    """The panel."""

    panel: gr.Accordion
    facts: gr.HTML
    form: LoadWidgets | None


def place_model(chat: Chat, *, may_load: bool) -> ModelWidgets:
    """Place the panel.

    Args:
        chat: The model that answers.
        may_load: Whether another one may be loaded here.
    """
    with gr.Accordion(label("model"), open=False, elem_id="sc-model") as panel:
        told = gr.HTML(facts("en", chat), padding=False, elem_id="sc-model-facts")
        form = _place_form() if may_load else None
    return ModelWidgets(panel, told, form)


def _place_form() -> LoadWidgets:
    model = gr.Textbox(
        label=label("load_model"),
        info=label("load_model_info"),
        placeholder="appletea2333/LLaVA-ST-Qwen2-7B",
        max_lines=1,
        max_length=1000,
        elem_id="sc-load-model",
    )
    with gr.Row():
        device = _choices("model_device", DEVICES, "sc-load-device")
        dtype = _choices("model_dtype", DTYPES, "sc-load-dtype")
    quantization = gr.Radio(
        [
            (label("quantization_none"), ""),
            *((each, each) for each in QUANTIZATIONS[1:]),
        ],
        value="",
        label=label("quantization"),
        elem_id="sc-load-quantization",
    )
    with gr.Row(elem_classes="sc-buttons"):
        load = gr.Button(
            label("load"),
            variant="primary",
            size="md",
            min_width=100,
            elem_id="sc-load",
        )
        stop = gr.Button(
            label("stop"),
            size="md",
            min_width=100,
            interactive=False,
            elem_id="sc-load-stop",
        )
    line = gr.HTML("", padding=False, elem_id="sc-load-line")
    return LoadWidgets(model, device, dtype, quantization, load, stop, line)


def _named(key: str, values: tuple[str, ...]) -> list[tuple[str, str]]:
    """The values, the empty one by a name."""
    return [(label(key), ""), *((each, each) for each in values[1:])]


def _choices(key: str, values: tuple[str, ...], elem_id: str) -> gr.Dropdown:
    return gr.Dropdown(
        _named("choose_itself", values),
        value="",
        label=label(key),
        filterable=False,
        min_width=140,
        elem_id=elem_id,
    )

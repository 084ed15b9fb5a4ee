"""The page itself: its fields, its places for what is shown, and which button does what."""

from __future__ import annotations

from typing import Any

import gradio as gr
from PIL import Image

from seal.app import acts
from seal.app.asking import message
from seal.app.form import ASK, FIND
from seal.app.models import Models
from seal.app.page_words import MINIATURE_NOTE, PLACE, glossary, head, search_label, targets_label
from seal.app.parts import Parts
from seal.app.visitors import Tickets, Visitor

_THUMBNAIL = 240  # pixels
# On a phone the picture is below the form: it comes into sight when the search begins.
_TO_THE_PICTURE = (
    "(...given) => {const stage = document.getElementById('seal-stage');"
    "if (stage && matchMedia('(max-width: 760px)').matches)"
    " stage.scrollIntoView({block: 'start'}); return given}"
)
# No event is for programs, and none waits for another tab's.
_EVENT: dict[str, Any] = {
    "api_visibility": "private", "concurrency_limit": None, "show_progress": "hidden",
}  # fmt: skip


def build_page(parts: Parts) -> gr.Blocks:
    """The page, not yet served."""
    tickets = Tickets()
    with gr.Blocks(title="seal: show, search and tell", analytics_enabled=False) as page:
        visitor = gr.State(Visitor())
        gr.HTML(head(parts.told))
        if parts.only_drawn:
            gr.HTML(message(MINIATURE_NOTE, kind="note"))
        with gr.Row():
            with gr.Column(scale=2, min_width=300):
                upload, examples = _picture_fields(parts)
                fields = _fields(parts)
                with gr.Row():
                    go = gr.Button("Search", variant="primary", elem_id="seal-go", scale=3)
                    stop = gr.Button(
                        "Stop", variant="stop", interactive=False, elem_id="seal-stop", scale=1,
                        min_width=80,
                    )  # fmt: skip
            with gr.Column(scale=5, min_width=300, elem_classes=["seal-view"], elem_id="seal-view"):
                said = gr.HTML("", elem_id="seal-message")
                with gr.Column(elem_classes=["seal", "seal-stage"], elem_id="seal-stage"):
                    picture = gr.HTML(PLACE, elem_id="seal-picture")
                    over = gr.HTML("", elem_id="seal-over")
                below = gr.HTML("", elem_id="seal-below", elem_classes=["seal"])
                card = gr.HTML("", elem_id="seal-answer", elem_classes=["seal"])
                save = gr.DownloadButton(
                    "Save this session as one file", interactive=False, elem_id="seal-save"
                )
                history = gr.Radio(
                    [], label="Asked on this page", visible=False, elem_id="seal-history"
                )
        gr.HTML(glossary())

        stage = [picture, over, below, card, said]
        form = [fields[name] for name in acts.FIELDS]
        upload.upload(
            acts.uploading(parts), [upload, visitor], [upload, visitor, *stage],
            preprocess=False, **_EVENT,
        )  # fmt: skip
        examples.select(acts.choosing(parts), [visitor], [visitor, *form[:4], *stage], **_EVENT)
        fields["mode"].change(acts.changing_mode, form[:1], form[1:4], preprocess=False, **_EVENT)
        gr.on(
            [go.click, fields["question"].submit],
            acts.asking(parts, tickets),
            [visitor, fields["paced"], *form],
            [over, below, card, said, go, stop, save, history, visitor],
            preprocess=False,
            js=_TO_THE_PICTURE,
            **_EVENT,
        )
        stop.click(acts.stopping(tickets), **_EVENT)
        history.input(
            acts.reopening, [history, visitor], [visitor, *stage], preprocess=False, **_EVENT
        )
        page.unload(acts.stopping(tickets))
    return page


def _picture_fields(parts: Parts) -> tuple[gr.File, gr.Gallery]:
    upload = gr.File(
        label="Picture: drop one here, or choose a file",
        file_types=["image"],
        height=110,
        elem_id="seal-upload",
    )
    examples = gr.Gallery(
        [(_thumbnail(example.image), example.name) for example in parts.examples],
        label="Or begin with one of these",
        columns=4,
        height=124,
        allow_preview=False,
        object_fit="cover",
        buttons=[],
        interactive=False,
        elem_id="seal-examples",
    )
    return upload, examples


def _fields(parts: Parts) -> dict[str, Any]:
    models = parts.models
    modes = [ASK, FIND] if models.answers else [FIND]
    fields: dict[str, Any] = {}
    fields["mode"] = gr.Radio(
        modes, value=modes[0], show_label=False, container=False, visible=len(modes) > 1,
        elem_id="seal-mode",
    )  # fmt: skip
    fields["question"] = gr.Textbox(
        label="Question", lines=1, max_lines=4, visible=models.answers, elem_id="seal-question"
    )
    fields["options"] = gr.Textbox(
        label="Options to choose from, one a line (may be empty)",
        lines=2,
        max_lines=8,
        visible=models.answers,
        elem_id="seal-options",
    )
    fields["targets"] = gr.Textbox(
        label=targets_label(modes[0]), lines=2, max_lines=8, elem_id="seal-targets"
    )
    with gr.Accordion("How to search", open=False, elem_id="seal-how"):
        fields |= _ways(parts, models)
    return fields


def _ways(parts: Parts, models: Models) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    fields["search"] = gr.Dropdown(
        [(search_label(name, parts.search_words), name) for name in models.searches],
        value=models.search,
        label="Search",
        elem_id="seal-search",
    )
    fields["model"] = gr.Dropdown(
        models.names, value=models.name, label="Answered by", visible=len(models.names) > 1,
        elem_id="seal-model",
    )  # fmt: skip
    with gr.Row():
        for name, label in (("nodes", "Most regions"), ("seconds", "Most seconds")):
            fields[name] = gr.Number(
                label=f"{label} (empty: no limit)", value=None, minimum=0, min_width=120,
                precision=0 if name == "nodes" else None, elem_id=f"seal-{name}",
            )  # fmt: skip
    fields["one_walk"] = gr.Checkbox(
        label="Look for several things on one walk over the picture", elem_id="seal-one-walk"
    )
    fields["paced"] = gr.Checkbox(
        value=True, label="Give each step a moment, so that it can be watched", elem_id="seal-paced"
    )
    return fields


def _thumbnail(image: Image.Image) -> Image.Image:
    small = image.copy()
    small.thumbnail((_THUMBNAIL, _THUMBNAIL))
    return small

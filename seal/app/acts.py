"""What each button of the page does. Values come as the browser sent them, and are checked."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import gradio as gr

from seal.app.asking import View, ask, message
from seal.app.form import ASK, FIND, read_form
from seal.app.page_words import targets_label
from seal.app.parts import Parts
from seal.app.sessions import MOST_ENTRIES, save_session
from seal.app.stage import shown_picture
from seal.app.uploads import read_upload
from seal.app.visitors import Tickets, Visitor
from seal.pipeline.notes import notes_on

FIELDS = (
    "mode", "question", "options", "targets", "one_walk", "search", "nodes", "seconds", "model",
)  # fmt: skip  # of the form, as `asking` is given them


def uploading(parts: Parts) -> Callable[[Any, Visitor], Any]:
    """An uploaded file becomes the picture, or one line says why not."""
    kept = {path.resolve() for path in parts.folder.rglob("*")}  # the pictures of the examples

    def act(given: Any, visitor: Visitor) -> Any:
        try:
            name, image = read_upload(given, parts.folder, kept)
        except ValueError as error:
            # The field is emptied: what is in it is not what is shown.
            return None, visitor, gr.skip(), gr.skip(), gr.skip(), gr.skip(), message(str(error))
        visitor.image, visitor.name = image, name
        told = message(f"{name}, {image.width} x {image.height} pixels", kind="good")
        for note in notes_on(image, drawn_only=parts.only_drawn):
            told += message(f"{note[:1].upper()}{note[1:]}.", kind="note")
        return None, visitor, shown_picture(image), "", "", "", told

    return act


def choosing(parts: Parts) -> Callable[[Visitor, gr.SelectData], Any]:
    """An example becomes the picture, and its question fills the form."""

    def act(visitor: Visitor, chosen: gr.SelectData) -> Any:
        index = chosen.index
        if not isinstance(index, int) or not 0 <= index < len(parts.examples):
            return visitor, *[gr.skip()] * 9
        example = parts.examples[index]
        visitor.image, visitor.name = example.image, example.name
        mode = ASK if example.question and parts.models.answers else FIND
        texts = example.question, "\n".join(example.options), "\n".join(example.targets)
        return visitor, mode, *texts, shown_picture(example.image), "", "", "", ""

    return act


def changing_mode(mode: Any) -> Any:
    """A question and its options are there where one is asked."""
    asks = mode != FIND
    return gr.update(visible=asks), gr.update(visible=asks), gr.update(label=targets_label(mode))


def asking(parts: Parts, tickets: Tickets) -> Callable[..., Generator[Any, None, None]]:
    """The search, watched: a stream of what changes on the page."""

    def act(
        visitor: Visitor, paced: Any, request: gr.Request, *fields: Any
    ) -> Generator[Any, None, None]:
        session = str(request.session_hash)
        given = dict(zip(FIELDS, fields, strict=True))
        try:
            wanted = read_form(image=visitor.image, name=visitor.name, **given)
        except ValueError as error:
            yield _shown(View(message=message(str(error))), busy=False)
            return
        views = ask(
            parts.desk.submit,
            wanted,
            paced=bool(paced),
            begun=lambda ticket: tickets.keep(session, ticket),
        )
        try:
            for view in views:
                yield _shown(view, busy=True)
        finally:
            views.close()  # cancels what nobody waits for
            tickets.drop(session)
        if view.entry is None:
            yield _shown(View(), busy=False)
            return
        visitor.entries = [*visitor.entries, view.entry][-MOST_ENTRIES:]
        yield _shown(View(), busy=False, parts=parts, visitor=visitor)

    return act


def _shown(
    view: View, *, busy: bool, parts: Parts | None = None, visitor: Visitor | None = None
) -> tuple[Any, ...]:
    """Of the places over, below, card, message, the buttons, and what is kept."""
    places = (view.over, view.below, view.card, view.message)
    saved: Any = gr.skip()
    asked: Any = gr.skip()
    if parts is not None and visitor is not None:
        saved = gr.update(
            value=str(save_session(visitor.entries, parts.told, parts.folder)), interactive=True
        )
        asked = listed(visitor)
    return (
        *(gr.skip() if place is None else place for place in places),
        gr.update(interactive=not busy),
        gr.update(interactive=busy),
        saved,
        asked,
        gr.skip() if visitor is None else visitor,
    )


def listed(visitor: Visitor) -> Any:
    """The list of what was asked, the latest first and chosen."""
    labels = [(entry.label, number) for number, entry in enumerate(visitor.entries)]
    return gr.update(
        choices=labels[::-1], value=len(labels) - 1 if labels else None, visible=len(labels) > 1
    )


def reopening(number: Any, visitor: Visitor) -> Any:
    """Show what was asked before, and ask about its picture from here on."""
    if not isinstance(number, int) or not 0 <= number < len(visitor.entries):
        return visitor, *[gr.skip()] * 5
    entry = visitor.entries[number]
    visitor.image, visitor.name = entry.wanted.image, entry.wanted.name
    return visitor, shown_picture(entry.wanted.image), entry.over, entry.below, entry.card, ""


def stopping(tickets: Tickets) -> Callable[[gr.Request], None]:
    """Stop what this tab is waiting for."""

    def act(request: gr.Request) -> None:
        tickets.cancel(str(request.session_hash))

    return act

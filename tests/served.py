"""A server of fakes, its questions, and pictures as requests carry them."""

from __future__ import annotations

import base64
import io
import threading
from contextlib import contextmanager
from typing import Any

from fakes import FakeAnswerModel, FakeSearchModel
from PIL import Image

from seal.geometry import Box
from seal.inference.build_locator import build_locator
from seal.pipeline import Seal

MUG, BOAT = Box(40, 60, 60, 76), Box(300, 210, 324, 230)
COLOR, SIDE, SKY = "What color is the mug?", "Is the mug left of the boat?", "Is it day?"
NEEDS = {COLOR: ["mug"], SIDE: ["mug", "boat"]}
ANSWERS = {COLOR: "red", SIDE: "yes", SKY: "Yes."}


class HeldAnswers(FakeAnswerModel):
    """Waits at each batch until it is let go."""

    def __init__(self) -> None:
        super().__init__(NEEDS, ANSWERS)
        self.at_it, self.go = threading.Event(), threading.Event()

    def generate(self, requests: Any, *, max_new_tokens: int = 200) -> Any:
        self.at_it.set()
        assert self.go.wait(20)
        return super().generate(requests, max_new_tokens=max_new_tokens)


def fake_seal(*, held: bool = False, search: str = "guided") -> Seal:
    answers = HeldAnswers()
    if not held:
        answers.go.set()
    finder = FakeSearchModel({"mug": [MUG], "boat": [BOAT]})
    return Seal(answers, build_locator(search, finder))


def data_url(image: Image.Image | None = None, kind: str = "PNG", **options: Any) -> str:
    file = io.BytesIO()
    shown = image or Image.new("RGB", (640, 480), (90, 120, 60))
    shown.save(file, kind, **options)
    encoded = base64.b64encode(file.getvalue()).decode()
    return f"data:image/{kind.lower()};base64,{encoded}"


def chat(text: str = COLOR, url: str | None = "", **more: Any) -> dict[str, Any]:
    """A request; `url=None`: without a picture."""
    content: list[dict[str, Any]] = [{"type": "text", "text": text}]
    if url is not None:
        content.insert(0, {"type": "image_url", "image_url": {"url": url or data_url()}})
    return {"model": "seal", "messages": [{"role": "user", "content": content}], **more}


@contextmanager
def application(seal: Seal | None = None, **limits: Any) -> Any:
    """An ASGI application; what is open at the end is given up."""
    from seal.serving.application import Application
    from seal.serving.config import ServeConfig

    app = Application(seal or fake_seal(), ServeConfig(**limits))
    try:
        yield app
    finally:
        app.close()


@contextmanager
def on_loopback(app: Any) -> Any:
    """The application behind a port of 127.0.0.1; yields its address."""
    from seal.serving.server import Server

    addresses: list[str] = []
    started = threading.Event()

    def tell(line: str) -> None:
        addresses.append(line.removeprefix("serving "))
        started.set()

    server = Server(app, "127.0.0.1", 0, tell=tell)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    assert started.wait(20)
    try:
        yield addresses[0]
    finally:
        server.should_exit = True
        thread.join(20)

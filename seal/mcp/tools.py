"""What the tools do: each call reads its image, waits for its turn, and tells what was found."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Protocol

import anyio
from anyio.to_thread import run_sync
from mcp_types import CallToolResult, ContentBlock, ImageContent, TextContent
from PIL.Image import Image

from seal.geometry import Box
from seal.mcp.crops import Crop, around, crop, edges, fractions
from seal.mcp.images import CalledImages
from seal.pipeline import Answer, Question
from seal.pipeline.ask_queue import AskQueue
from seal.search.result import SearchResult
from seal.text.quote import quoted

MOST_CROPS = 4  # shown of one search; the boxes of all are told


class Models(Protocol):
    """Whatever holds the queue once the models are loaded."""

    def queue(self) -> AskQueue:
        """Waits for it; raises what loading failed with."""
        ...


class Tools:
    """The calls by name; any number of them at a time share the models' batches."""

    def __init__(self, images: CalledImages, models: Models, *, timeout: float) -> None:
        """`timeout`: seconds that one call may take."""
        self.images, self.models, self.timeout = images, models, timeout
        self.by_name: dict[str, Callable[..., Awaitable[CallToolResult]]] = {
            "locate": self.locate, "zoom": self.zoom, "ask": self.ask,
        }  # fmt: skip
        self._keys = {
            "locate": {"image": True, "target": True},
            "zoom": {"image": True, "box": True},
            "ask": {"image": True, "question": True, "options": False},
        }

    async def call(self, name: str, given: Mapping[str, Any]) -> CallToolResult:
        """One call; what a caller can mend is an error of one line, and so is what failed here."""
        try:
            if name not in self.by_name:
                raise ValueError(f"there is no tool {quoted(name)}: {', '.join(self.by_name)}")
            self._check_keys(name, given)
            return await self.by_name[name](**given)
        except Exception as error:
            line = " ".join(str(error).split()) or type(error).__name__
            text = TextContent(type="text", text=f"{name}: {line}"[:1000])
            return CallToolResult(content=[text], is_error=True)

    async def locate(self, image: Any, target: Any) -> CallToolResult:
        opened = await run_sync(self.images.open, image)
        if not isinstance(target, str):
            raise ValueError(f"target is text, not {quoted(target)[:100]}")
        result: SearchResult = await self._wait(lambda queue: queue.locate(opened, target))
        told, crops = _search(opened, result)
        return await run_sync(partial(_shown, _words(result, crops), told, crops))

    async def zoom(self, image: Any, box: Any) -> CallToolResult:
        region = _box(box)
        opened = await run_sync(self.images.open, image)
        made = await run_sync(partial(crop, opened, region))
        told = made.to_dict() | {"image_size": list(opened.size)}
        words = f"{made.told}; the image has {opened.width} x {opened.height} pixels"
        return await run_sync(partial(_shown, words, told, [made]))

    async def ask(self, image: Any, question: Any, options: Any = None) -> CallToolResult:
        opened = await run_sync(self.images.open, image)
        asked = Question(opened, question, options or ())
        answer: Answer = await self._wait(lambda queue: queue.submit(asked))
        searches, crops = [], []
        for result in answer.searches:
            told, shown = _search(opened, result)
            searches.append(told)
            crops += shown
        told = {
            "answer": answer.text, "option": answer.option, "missing": list(answer.missing),
            "probabilities": answer.probabilities, "searches": searches, "notes": answer.notes,
        }  # fmt: skip
        words = "\n".join([str(answer), *_crop_words(crops)])
        return await run_sync(partial(_shown, words, told, crops[:MOST_CROPS]))

    async def _wait(self, submit: Callable[[AskQueue], Any]) -> Any:
        """The outcome of a ticket; who gives up, or waits too long, frees its place."""
        queue = await run_sync(self.models.queue, abandon_on_cancel=True)
        ticket = await run_sync(submit, queue)
        loop, done = asyncio.get_running_loop(), asyncio.Event()

        def tell(_: object) -> None:
            with suppress(RuntimeError):  # the loop is over, and nobody waits
                loop.call_soon_threadsafe(done.set)

        ticket.when_done(tell)
        try:
            with anyio.fail_after(self.timeout):
                await done.wait()
        except TimeoutError:
            raise TimeoutError(
                f"not done after {self.timeout:g} s, and given up: ask for less, or start the "
                "server with a longer --timeout"
            ) from None
        finally:
            ticket.cancel()  # does nothing if it is done
        return ticket.result()

    def _check_keys(self, name: str, given: Mapping[str, Any]) -> None:
        keys = self._keys[name]
        for key in given:
            if key not in keys:
                raise ValueError(f"it takes no {quoted(key)[:100]}, but {', '.join(keys)}")
        for key, needed in keys.items():
            if needed and key not in given:
                raise ValueError(f"{key} is missing; it takes {', '.join(keys)}")


def _box(given: Any) -> Box:
    numbers = isinstance(given, list | tuple) and all(
        isinstance(edge, int | float) and not isinstance(edge, bool) and math.isfinite(edge)
        for edge in given
    )
    if not numbers or len(given) != 4:
        raise ValueError(f"box is [x0, y0, x1, y1], four numbers, not {quoted(given)[:100]}")
    x0, y0, x1, y1 = map(float, given)
    if x1 <= x0 or y1 <= y0:
        raise ValueError(f"box is [x0, y0, x1, y1] with x0 < x1 and y0 < y1, not {given}")
    return Box(x0, y0, x1, y1)


def _search(image: Image, result: SearchResult) -> tuple[dict[str, Any], list[Crop]]:
    """What is told of a search, and the crops that are shown."""
    crops = [around(image, box) for box in result.boxes[:MOST_CROPS]]
    guess = None
    if not result.found and result.best_box is not None:
        guess = _placed(image, result.best_box, result.best_score)
    told = {
        "target": result.target,
        "found": result.found,
        "boxes": [
            _placed(image, box, score)
            for box, score in zip(result.boxes, result.scores, strict=True)
        ],
        "best_guess": guess,
        "regions_looked_at": len(result.path),
        "stopped_early": result.stopped_early,
        "image_size": list(image.size),
        "crops": [each.to_dict() for each in crops],
        "notes": list(result.notes),
    }
    return told, crops


def _placed(image: Image, box: Box, score: float) -> dict[str, Any]:
    return {
        "box_xyxy": edges(box),
        "box_normalized": fractions(box, image),
        "score": round(score, 4),
    }


def _words(result: SearchResult, crops: list[Crop]) -> str:
    lines = [str(result)]
    if not result.found and result.best_box is not None:
        lines.append(f"best guess, too unsure to count: {result.best_box} {result.best_score:.2f}")
    notes = [f"note: {note}" for note in result.notes]
    return "\n".join([*lines, *_crop_words(crops), *notes])


def _crop_words(crops: list[Crop]) -> list[str]:
    return [f"picture {number}: {each.told}" for number, each in enumerate(crops[:MOST_CROPS], 1)]


def _shown(words: str, told: dict[str, Any], crops: list[Crop]) -> CallToolResult:
    content: list[ContentBlock] = [TextContent(type="text", text=words)]
    for each in crops:
        data, kind = each.content()
        content.append(ImageContent(type="image", data=data, mime_type=kind))
    # As JSON has it: tuples are lists, whatever made them.
    return CallToolResult(content=content, structured_content=json.loads(json.dumps(told)))

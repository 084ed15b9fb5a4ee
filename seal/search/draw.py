"""Pictures of what a search looked at: one sheet, or an animation of its path."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from seal.geometry import Box
from seal.search import canvas
from seal.search.draw_map import draw_map, from_map, headline
from seal.search.heatmap import heat_grid
from seal.search.result import SearchResult
from seal.search.tree import SearchNode

COLUMNS = 4
MARGIN = 16


def draw_path(
    image: Image.Image, result: SearchResult, *, width: int = 1024, max_crops: int = 20
) -> Image.Image:
    """One sheet: the image with every visited region, then the visited crops in order.

    Crops come from the full image, so a large photograph shows what the model saw; heat lies over
    those that were split. With more visits than `max_crops` the last ones are left out, never the
    one that gave the box. A crop that came from a map of the answer model has a sheet of its own.
    """
    if from_map(result):
        return draw_map(image, result, width=width)
    overview = _overview(image, result, width - 2 * MARGIN)
    shown = _shown(result, max_crops)
    cell = (width - MARGIN * (COLUMNS + 1)) // COLUMNS
    rows = [shown[i : i + COLUMNS] for i in range(0, len(shown), COLUMNS)]
    cards = [[_card(image, result, index, cell) for index in row] for row in rows]
    heights = [max(card.height for card in row) for row in cards]
    left_out = len(result.path) - len(shown)
    title = 56
    top = title + overview.height + MARGIN
    total = top + sum(height + MARGIN for height in heights) + (24 if left_out else 0)
    sheet = Image.new("RGB", (width, total), canvas.PAPER)
    draw = ImageDraw.Draw(sheet)
    canvas.write(draw, (MARGIN, 10), _headline(result, width), canvas.INK, 20)
    canvas.write(draw, (MARGIN, 35), _subtitle(result, width), canvas.FAINT, 13)
    sheet.paste(overview, ((width - overview.width) // 2, title))
    for row, height in zip(cards, heights, strict=True):
        for column, card in enumerate(row):
            sheet.paste(card, (MARGIN + column * (cell + MARGIN), top))
        top += height + MARGIN
    if left_out:
        canvas.write(draw, (MARGIN, top - 4), f"and {left_out} more", canvas.FAINT, 14)
    return sheet


def draw_frames(
    image: Image.Image, result: SearchResult, *, width: int = 640, max_frames: int = 60
) -> list[Image.Image]:
    """A frame for each visit, the region looked at in full light, and one for the verdict.

    With more visits than `max_frames` the last ones are left out, never the one with the box.
    """
    small = canvas.fit(image, width, width)
    scale = small.width / image.width
    dark = Image.blend(small, Image.new("RGB", small.size, canvas.INK), 0.55)
    frames = []
    for index in _shown(result, max_frames):
        node = result.path[index]
        frame = dark.copy()
        region = _scaled(node.box, scale).as_ints()
        part = small.crop(region)
        if node.heat is not None and min(part.size) > 0:
            part = canvas.overlay_heat(part, _grid(node))
        frame.paste(part, region[:2])
        draw = ImageDraw.Draw(frame)
        for earlier in range(index + 1):
            color = canvas.order_color(earlier, len(result.path))
            line = 3 if earlier == index else 1
            canvas.outline(draw, _scaled(result.path[earlier].box, scale), color, line)
        frames.append(_captioned(frame, _caption(result, index)))
    last = small.copy()
    _draw_verdict(ImageDraw.Draw(last), result, scale, Box(0, 0, *small.size))
    frames.append(_captioned(last, _headline(result, 10_000)))
    return frames


def save_animation(
    path: str | Path,
    image: Image.Image,
    result: SearchResult,
    *,
    width: int = 640,
    seconds: float = 0.9,
) -> None:
    """Write the frames as an animated GIF that pauses on the verdict and repeats."""
    frames = draw_frames(image, result, width=width)
    durations = [round(seconds * 1000)] * (len(frames) - 1) + [round(seconds * 3000)]
    frames[0].save(path, "GIF", save_all=True, append_images=frames[1:], duration=durations, loop=0)


def _overview(image: Image.Image, result: SearchResult, width: int) -> Image.Image:
    """The image with every visited region numbered in the order of the visits."""
    picture = canvas.fit(image, width, width)
    scale = picture.width / image.width
    draw = ImageDraw.Draw(picture)
    count = len(result.path)
    for index, node in enumerate(result.path):
        box = _scaled(node.box, scale)
        inset = min(3.0 * (node.depth - 1), box.width / 10, box.height / 10)
        inner = Box(box.x0 + inset, box.y0 + inset, box.x1 - inset, box.y1 - inset)
        canvas.outline(draw, inner, canvas.order_color(index, count), 2)
    for index, node in enumerate(result.path):
        box = _scaled(node.box, scale)
        # Regions share corners with their ancestors: each level stands a step further in. Where
        # there is no room for that, the colors alone tell the order.
        x = box.x0 + 5 + 30 * (node.depth - 1)
        if x + 30 <= box.x1 and box.height >= 30:
            color = canvas.order_color(index, count)
            canvas.badge(draw, x, box.y0 + 5, str(index + 1), color, 13)
    _draw_verdict(draw, result, scale, Box(0, 0, *picture.size))
    return picture


def _draw_verdict(
    draw: ImageDraw.ImageDraw, result: SearchResult, scale: float, frame: Box
) -> None:
    for box, score in zip(result.boxes, result.scores, strict=True):
        name = "crop" if from_map(result) else f"{result.target} {score:.2f}"
        text = canvas.shorten(name, 15, frame.width)
        canvas.label_box(draw, _scaled(box, scale), text, canvas.FOUND, 15, frame)
    if not result.found and not result.settled and result.best_box is not None:
        text = f"best guess {result.best_score:.2f}"
        canvas.label_box(draw, _scaled(result.best_box, scale), text, canvas.DOUBT, 15, frame)


def _card(image: Image.Image, result: SearchResult, index: int, width: int) -> Image.Image:
    """A visited crop with its number, heat, best detection and what guided from there."""
    node = result.path[index]
    text_height = 42
    crop = canvas.fit(image, width, width * 3 // 4, node.box)
    if node.heat is not None:
        crop = canvas.overlay_heat(crop, _grid(node))
    draw = ImageDraw.Draw(crop)
    decisive = result.best_box is not None and index == result.num_steps - 1
    verdict = canvas.FOUND if result.found else canvas.DOUBT
    if node.best_box is not None and (decisive or node.confidence >= 0.1):
        local = node.best_box.shift(-node.box.x0, -node.box.y0)
        box = _scaled(local, crop.width / node.box.width)
        canvas.outline(draw, box, verdict if decisive else canvas.FAINT, 3 if decisive else 1)
    color = canvas.order_color(index, len(result.path))
    canvas.badge(draw, 6, 6, str(index + 1), color, 14)
    card = Image.new("RGB", (width, crop.height + text_height), canvas.PAPER)
    card.paste(crop, (0, 0))
    draw = ImageDraw.Draw(card)
    first, second = _lines(node)
    ink = verdict if decisive else canvas.INK
    canvas.write(draw, (2, crop.height + 4), first, ink, 14)
    canvas.write(
        draw, (2, crop.height + 22), canvas.shorten(second, 13, width - 4), canvas.FAINT, 13
    )
    return card


def _shown(result: SearchResult, limit: int) -> list[int]:
    count = len(result.path)
    if count <= limit:
        return list(range(count))
    decisive = result.num_steps - 1
    first = list(range(limit))
    return first if decisive < limit else [*first[:-1], decisive]


def _lines(node: SearchNode) -> tuple[str, str]:
    """Two lines about a visit: how sure the detector was, and what it was guided by next."""
    sure = [f"{kind} {value:.2f}" for kind, value in sorted(node.confidences.items())]
    seen = f"confidence {node.confidence:.2f}" if node.best_box else "nothing detected"
    if sure and node.cue_kind is None:
        return (seen, ", ".join(sure)) if node.best_box else (sure[0], ", ".join(sure[1:]))
    if node.cue_kind == "contextual" and node.cue is not None:
        return seen, f'likely at "{node.cue.phrase}"'
    return seen, "guided by the target cue" if node.cue_kind == "target" else ""


def _caption(result: SearchResult, index: int) -> str:
    if from_map(result):
        return headline(result)
    seen, guide = _lines(result.path[index])
    return f"{index + 1}. {seen}" + (f", {guide}" if guide else "")


def _headline(result: SearchResult, width: int) -> str:
    if from_map(result):
        return canvas.shorten(headline(result), 20, width - 2 * MARGIN)
    if result.found:
        many = f" ({len(result.boxes)} instances)" if len(result.boxes) > 1 else ""
        verdict = f"found{many}, confidence {max(result.scores):.2f}"
    else:
        verdict = "the whole image answers the question" if result.settled else "not found"
    if result.stopped_early is not None:
        verdict += f", stopped early after {result.stopped_early}"
    return canvas.shorten(f"{result.target}: {verdict}", 20, width - 2 * MARGIN)


def _subtitle(result: SearchResult, width: int) -> str:
    visits = len(result.path)
    parts = [
        f"{visits} region{'s' if visits != 1 else ''} looked at",
        f"strategy {result.strategy}",
        *_guide_words(result),
        f"{result.image_size[0]} x {result.image_size[1]} pixels",
    ]
    if result.found:
        parts.insert(1, f"box from visit {result.num_steps}")
    return canvas.shorten(", ".join(parts), 13, width - 2 * MARGIN)


def _guide_words(result: SearchResult) -> list[str]:
    """Who was asked, if the result says so: one name, or part by part where they differ."""
    parts: dict[str, str] = result.guide.get("parts", {})
    if not parts:
        return []
    first = parts.get("detect") or next(iter(parts.values()))
    others = [f"{part} {name}" for part, name in parts.items() if name != first]
    return [f"guide {first}" + (f" ({', '.join(others)})" if others else "")]


def _captioned(frame: Image.Image, text: str) -> Image.Image:
    taller = Image.new("RGB", (frame.width, frame.height + 30), canvas.PAPER)
    taller.paste(frame, (0, 0))
    text = canvas.shorten(text, 15, frame.width - 16)
    canvas.write(ImageDraw.Draw(taller), (8, frame.height + 6), text, canvas.INK, 15)
    return taller


def _grid(node: SearchNode) -> np.ndarray:
    assert node.heat is not None
    return heat_grid(node.heat, node.box.width, node.box.height)


def _scaled(box: Box, scale: float) -> Box:
    return Box(box.x0 * scale, box.y0 * scale, box.x1 * scale, box.y1 * scale)

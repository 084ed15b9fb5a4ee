"""The picture of a crop that a map asked for: the map over the image, and the crop beside it."""

from __future__ import annotations

from PIL import Image, ImageDraw

from seal.geometry import Box
from seal.search import canvas
from seal.search.heatmap import GridHeat, heat_grid
from seal.search.result import SearchResult

PREFIX = "vicrop_"  # of the strategies whose one region comes from a map of the answer model
MARGIN = 16
TITLE, CAPTION = 56, 24  # pixels of height
_SHARE = 0.6  # of the width, for the image; the crop has the rest
_MOST_CELLS = 96  # along the longer side of the drawn map


def from_map(result: SearchResult) -> bool:
    """Whether the result is one look by a map of the answer model instead of a search."""
    return result.strategy.startswith(PREFIX) and len(result.path) == 1


def draw_map(image: Image.Image, result: SearchResult, *, width: int = 1024) -> Image.Image:
    """One sheet: the image with the map over it and the window, the crop beside it, and notes.

    Without a map in the result, as in a trace that was stored without, the window alone is shown.
    """
    inner = width - 3 * MARGIN
    left = int(inner * _SHARE)
    seen = overview(image, result, left, width)
    window = result.best_box or Box(0, 0, *image.size)
    crop = canvas.fit(image, inner - left, width, window)
    notes = [str(note) for note in result.config.get("notes", [])]
    bottom = TITLE + max(seen.height, crop.height) + CAPTION
    sheet = Image.new("RGB", (width, bottom + MARGIN + 20 * len(notes)), canvas.PAPER)
    draw = ImageDraw.Draw(sheet)
    room = width - 2 * MARGIN
    canvas.write(draw, (MARGIN, 10), canvas.shorten(headline(result), 20, room), canvas.INK, 20)
    canvas.write(draw, (MARGIN, 35), canvas.shorten(_settings(result), 13, room), canvas.FAINT, 13)
    for picture, x, text, space in (
        (seen, MARGIN, f"{result.image_size[0]} x {result.image_size[1]} pixels", left),
        (crop, 2 * MARGIN + left, _crop_words(result, window), inner - left),
    ):
        sheet.paste(picture, (x, TITLE))
        text = canvas.shorten(text, 13, space)
        canvas.write(draw, (x, TITLE + picture.height + 5), text, canvas.FAINT, 13)
    for number, note in enumerate(notes):
        text = canvas.shorten(note, 13, room)
        canvas.write(draw, (MARGIN, bottom + 8 + 20 * number), text, canvas.DOUBT, 13)
    return sheet


def overview(image: Image.Image, result: SearchResult, width: int, height: int) -> Image.Image:
    """The image, as large as fits, with the map over it and the window outlined."""
    picture = canvas.fit(image, width, height)
    (root,) = result.path
    if root.heat is not None:
        grid = heat_grid(root.heat, root.box.width, root.box.height, map_cells(result))
        picture = canvas.overlay_heat(picture, grid)
    if result.best_box is not None:
        x, y = picture.width / image.width, picture.height / image.height
        box = result.best_box
        scaled = Box(box.x0 * x, box.y0 * y, box.x1 * x, box.y1 * y)
        canvas.outline(ImageDraw.Draw(picture), scaled, canvas.FOUND, 3)
    return picture


def map_cells(result: SearchResult) -> int:
    """Cells along the longer side that the drawn map needs; 0: there is no map of its own.

    `trace.to_dict` with as many `heat_cells` keeps all that is drawn.
    """
    if not from_map(result) or result.path[0].heat is None:
        return 0
    heat = result.path[0].heat
    return min(max(heat.grid.shape), _MOST_CELLS) if isinstance(heat, GridHeat) else 24


def headline(result: SearchResult) -> str:
    """What was looked for, if it has a name, and by which map."""
    method = result.strategy.removeprefix(PREFIX).replace("_", "-")
    name = f"{result.target}: " if result.target else ""
    return f"{name}where the model looks, by {method}"


def _settings(result: SearchResult) -> str:
    config = result.config
    parts = []
    if config.get("layer") is not None and config.get("method") != "pure_grad":
        of = f" of {config['num_layers']}" if "num_layers" in config else ""
        parts.append(f"layer {config['layer']}{of} (from 0)")
    if "grid" in config:
        rows, columns = config["grid"]
        parts.append(f"map of {rows} x {columns} cells")
    looks = sum(result.calls.values())
    if looks > 1:
        parts.append(f"{looks} tiles")
    if "view" in config:
        released = config["view"] == "as_released"
        parts.append("stretched over the image" if released else "laid where the model saw it")
    return ", ".join(parts)


def _crop_words(result: SearchResult, window: Box) -> str:
    if result.config.get("whole_image"):
        return "nothing is cropped: the smallest window covers the map"
    scale = result.config.get("window_scale")
    words = f"the crop, {window.width:.0f} x {window.height:.0f} pixels"
    return words if scale is None else f"{words}, {scale:g} x the base window"

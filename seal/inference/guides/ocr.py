"""A guide that reads: finds a target that is text, by the lines that are printed in the image."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL.Image import Image

from seal.geometry import Box
from seal.inference.guides.guide import GuideCost
from seal.inference.guides.rapid_reader import RapidReader
from seal.inference.guides.read_lines import Line, LineReader, read_page
from seal.search.config import SearchConfig
from seal.search.heatmap import GridHeat
from seal.search.protocol import Detections, Heat, Patch, Query, QueryKind
from seal.text.fuzzy import find_fuzzy
from seal.text.wanted_text import wanted_texts

_CELLS = 48  # of a heat, along the longer side
_LEAST_HEAT = 0.3  # match below which print is cold: any line shares some letters
_MOST_STACKED = 4  # lines that one text may stand in, one below the other
_MOST_TOLD = 20  # lines in a trace


@dataclass(kw_only=True, slots=True)
class TextReaderConfig:
    """How images are read, and what counts as the text that is looked for."""

    tile_size: int = 1280  # pixels a side; larger images are read in tiles
    overlap: float = 0.25  # of neighbors, as a fraction of a side
    most_tiles: int = 64  # of an image; tiles grow until they are no more
    least_match: float = 0.5  # told as a detection: share of the letters that agree
    max_boxes: int = 10  # told of a patch, the best first
    max_images: int = 64  # whose lines are kept

    def __post_init__(self) -> None:
        if self.tile_size < 64:
            raise ValueError(f"tile_size={self.tile_size}: tiles of at least 64 pixels")
        if not 0 <= self.overlap <= 0.9:
            raise ValueError(f"overlap={self.overlap} is not in [0, 0.9]")
        if not 0 < self.least_match <= 1:
            raise ValueError(f"least_match={self.least_match} is not in (0, 1]")
        for name in ("most_tiles", "max_boxes", "max_images"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)} is not at least 1")


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a text may stand, in image pixels."""

    box: Box
    score: float


class TextReader:
    """A `SearchModel` with `TargetHeat` on a reader of lines; it has no contextual cue.

    Each image is read once, at full size, whatever regions and targets are asked about.
    """

    name = "ocr"
    kinds: frozenset[QueryKind] = frozenset({"detect", "cue_heatmap", "target_heat"})

    def __init__(self, reader: LineReader, config: TextReaderConfig | None = None) -> None:
        self.reader = reader
        self.config = config or TextReaderConfig()
        self.cost = GuideCost()
        self._pages: OrderedDict[int, tuple[Image, list[Line]]] = OrderedDict()
        self._places: dict[tuple[int, str], list[_Place]] = {}

    def detect(self, queries: Sequence[Query]) -> list[Detections]:
        """Where the text stands that the target names; the heat and what was read come with it."""
        self.cost.count("detect", len(queries))
        return [self._detect(query) for query in queries]

    def target_heat(self, queries: Sequence[Query]) -> list[Heat]:
        """Print that is like the text; what is half like it is a quarter as hot."""
        self.cost.count("target_heat", len(queries))
        return [self._heat(query) for query in queries]

    def cue_heatmap(self, queries: Sequence[Query]) -> list[Heat]:
        """As `target_heat`, of the phrase."""
        self.cost.count("cue_heatmap", len(queries))
        return [self._heat(query) for query in queries]

    def search_config(self) -> SearchConfig:
        """Scores are shares of letters here: one of five may be wrong, a quarter at the end."""
        return SearchConfig(
            confidence_high=0.79,
            confidence_low=0.7,
            instance_threshold=0.79,
            nms_iou=0.5,
            cue_threshold=0.5,
            cue_threshold_decay=1.0,
            cue_threshold_min=0.5,
        )

    def settings(self) -> dict[str, Any]:
        config = self.config
        return {
            "reader": self.reader.name,
            "tile_size": config.tile_size,
            "overlap": config.overlap,
            "least_match": config.least_match,
        }

    def forget(self, image: Image) -> None:
        """Drop the lines of an image."""
        if self._pages.pop(id(image), None) is not None:
            for key in [key for key in self._places if key[0] == id(image)]:
                del self._places[key]

    def lines(self, image: Image) -> list[Line]:
        """What is printed in an image, from the top down."""
        if id(image) not in self._pages:
            config = self.config
            self._pages[id(image)] = (
                image,
                read_page(
                    self.reader,
                    image,
                    tile=config.tile_size,
                    overlap=config.overlap,
                    most_tiles=config.most_tiles,
                ),
            )
            self.cost.calls += 1
            self.cost.crops_encoded += 1
            while len(self._pages) > config.max_images:
                self.forget(next(iter(self._pages.values()))[0])
        self._pages.move_to_end(id(image))
        return self._pages[id(image)][1]

    def _detect(self, query: Query) -> Detections:
        kept: list[_Place] = []
        for place in self._in_patch(query, self.config.least_match):
            if len(kept) == self.config.max_boxes:
                break
            if all(place.box.iou(other.box) < 0.3 for other in kept):
                kept.append(place)
        boxes = [[p.box.x0, p.box.y0, p.box.x1, p.box.y1] for p in kept]
        return Detections(
            np.array(boxes, np.float32).reshape(-1, 4),
            np.array([place.score for place in kept], np.float32),
            self._heat(query),
            said=self._said(query),
        )

    def _heat(self, query: Query) -> GridHeat:
        x0, y0, x1, y1 = query.patch.box.as_ints()
        width, height = x1 - x0, y1 - y0
        scale = _CELLS / max(width, height)
        rows, columns = max(round(height * scale), 1), max(round(width * scale), 1)
        grid = np.zeros((rows, columns), np.float32)
        peak = 0.0
        for place in self._in_patch(query, _LEAST_HEAT):
            peak = max(peak, place.score)
            box = place.box
            top, bottom = int(box.y0 / height * rows), int(np.ceil(box.y1 / height * rows))
            left, right = int(box.x0 / width * columns), int(np.ceil(box.x1 / width * columns))
            cells = grid[top : max(bottom, top + 1), left : max(right, left + 1)]
            np.maximum(cells, place.score**2, out=cells)
        return GridHeat(grid, width, height, peak=peak)

    def _in_patch(self, query: Query, least: float) -> list[_Place]:
        """The places at least half of which the patch shows, in its pixels, the best first."""
        x0, y0, x1, y1 = query.patch.box.as_ints()
        found = []
        for place in self._all_places(query):
            box = place.box
            left, top = max(box.x0, x0), max(box.y0, y0)
            right, bottom = min(box.x1, x1), min(box.y1, y1)
            if place.score < least or right <= left or bottom <= top:
                continue
            shown = Box(left, top, right, bottom)
            if shown.area >= 0.5 * box.area:
                found.append(_Place(shown.shift(-x0, -y0), place.score))
        return found

    def _all_places(self, query: Query) -> list[_Place]:
        """Where in the image the text may stand, the best first."""
        image = query.patch.image
        lines = self.lines(image)
        key = id(image), query.text
        if key not in self._places:
            wanted = wanted_texts(query.text)
            found = [place for text in wanted for place in _places(text, lines)]
            self._places[key] = sorted(found, key=lambda place: -place.score)
        return self._places[key]

    def _said(self, query: Query) -> str:
        shown = [
            line.text
            for line in self.lines(query.patch.image)
            if _center_within(line.box, query.patch)
        ]
        if not wanted_texts(query.text):
            return "the target names no text to look for"
        if not shown:
            return "no print is read here"
        more = f" and {len(shown) - _MOST_TOLD} more lines" if len(shown) > _MOST_TOLD else ""
        return "reads: " + " | ".join(shown[:_MOST_TOLD]) + more


def load_text_reader(
    models: str | None = None, config: TextReaderConfig | None = None, *, threads: int | None = None
) -> TextReader:
    """The guide on RapidOCR; `models`: a folder of other networks for it, see `RapidReader`.

    Raises:
        ValueError: the package is not installed, with what to install; or the folder lacks a file.
    """
    return TextReader(RapidReader(models, threads=threads), config)


def _places(text: str, lines: Sequence[Line]) -> Iterator[_Place]:
    """Each line's part that is most like the text, and blocks of lines that hold it together."""
    own = {id(line): find_fuzzy(text, line.text) for line in lines}
    for line in lines:
        match = own[id(line)]
        if match.score > 0:
            length = max(len(line.text), 1)
            yield _Place(line.part(match.start / length, match.end / length), match.score)
    for block in _blocks(lines):
        match = find_fuzzy(text, " ".join(line.text for line in block))
        single = max(own[id(line)].score for line in block)
        if match.score > single:
            boxes = [line.box for line in block]
            yield _Place(
                Box(
                    min(box.x0 for box in boxes), min(box.y0 for box in boxes),
                    max(box.x1 for box in boxes), max(box.y1 for box in boxes),
                ),
                match.score,
            )  # fmt: skip


def _blocks(lines: Sequence[Line]) -> Iterator[list[Line]]:
    """Two to four lines, each right below the one before, of letters of about one size."""
    nearest: dict[int, Line | None] = {}  # by identity of the line above
    for upper in lines:
        below = (line for line in lines if _right_below(upper, line))
        nearest[id(upper)] = min(below, key=lambda line: line.box.y0, default=None)
    for first in lines:
        block = [first]
        while len(block) < _MOST_STACKED and (lower := nearest[id(block[-1])]) is not None:
            block.append(lower)
            yield list(block)


def _right_below(upper: Line, lower: Line) -> bool:
    a, b = upper.box, lower.box
    wide = min(a.x1, b.x1) - max(a.x0, b.x0)
    gap = b.y0 - a.y1
    alike = 0.5 < upper.height / max(lower.height, 1e-6) < 2
    return (
        b.y0 > a.y0
        and alike
        and wide > 0.3 * min(a.width, b.width)
        and -0.5 * upper.height < gap < upper.height
    )


def _center_within(box: Box, patch: Patch) -> bool:
    x, y = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2
    own = patch.box
    return own.x0 <= x < own.x1 and own.y0 <= y < own.y1

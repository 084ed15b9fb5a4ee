"""The pictures that a demo's report opens with, of whatever its stages have left so far."""

from __future__ import annotations

import html
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from seal.building.records.report import draw_record
from seal.data.record_set import Record, RecordSet
from seal.evaluation.results.before_after import before_and_after, put_right
from seal.evaluation.results.charts import WITHIN, answer_bars, found_curves
from seal.evaluation.results.shown_searches import (
    ABSENT,
    BEST,
    FOUND,
    WRONG,
    search_words,
    telling_searches,
)
from seal.evaluation.task import Prediction
from seal.images import open_image
from seal.pages.colors import ink
from seal.pages.curves import loss_curves
from seal.pages.page import Page, picture
from seal.search.draw import draw_path
from seal.search.trace import from_dict
from seal.training.log import read_metrics

# Systems that are drawn, in the order of the bars, and what a reader calls them.
SHOWN = {
    "no_crops": "trained without crops",
    "none": "no search",
    "whole_image_detector": "one look at the whole",
    "guided": "guided search",
    "oracle": "true boxes given",
}
_LOOKED_THROUGH = 120  # records, for the scenes that are shown
_WIDTH = 900  # pixels of the first picture
_SMALL = 700  # of the others
_TITLES = {
    FOUND: "One that is found",
    WRONG: "One that goes wrong",
    ABSENT: "One that is not there",
}


def lines_of(results: Path) -> Iterator[Prediction]:
    """The lines of a finished evaluation's predictions.jsonl; none where there is no such file."""
    path = results / "predictions.jsonl"
    if path.is_file():
        with path.open(encoding="utf-8") as lines:
            yield from map(json.loads, lines)


def searches_of(results: Path, strategy: str = "guided") -> dict[str, Prediction]:
    """The searches that tell the most, by kind."""
    return telling_searches(lines_of(results), strategy)


def add_best_search(page: Page, searches: Mapping[str, Prediction], benchmark: Path) -> None:
    """The first picture: how a search goes."""
    line = searches.get(BEST) or next(iter(searches.values()), None)
    if line is not None:
        shown = draw_path(
            _image(line, benchmark), from_dict(line["result"]), width=_WIDTH, max_crops=12
        )
        page.picture(
            shown,
            f"{search_words(line)} Above, the whole scene with every region that was looked at, in "
            "order; below, each of them as the search model saw it: warm colors are where it "
            "expects the target, quoted words are where it says that such a thing would be.",
            alt=f"a search for the {line['result']['target']}, region by region",
        )


def add_charts(page: Page, found: Mapping[str, Mapping[str, Any]]) -> None:
    """Accuracy and search length, as far as they are measured."""
    figures = []
    if (answers := found.get("benchmark")) is not None:
        systems = dict(answers["systems"])
        if (without := found.get("benchmark_no_crops")) is not None:
            systems["no_crops"] = without["systems"]["none"]
        drawn = answer_bars(
            {**answers, "systems": systems}, names=SHOWN, first=("none", "no_crops")
        )
        figures.append((drawn, "Answers to held-out questions; lines are 95% intervals."))
    if (search := found.get("search")) is not None:
        figures.append((found_curves(search), WITHIN))
    if drawn_ones := [(drawn, told) for drawn, told in figures if drawn]:
        page.sheet(drawn_ones, wide=True)


def add_before_after(page: Page, results: Path, benchmark: Path, *, but_of: str | None) -> None:
    """A question that searching put right, of another image than `but_of`."""
    pair = put_right(lines_of(results), "none", "guided", but_of=but_of)
    if pair is not None:
        page.heading("A question, before and after the search")
        image = open_image(benchmark / str(pair[1]["question"]["image"]))
        page.markup(before_and_after(image, *pair))


def add_kinds(page: Page, searches: Mapping[str, Prediction], benchmark: Path) -> None:
    """A success, a failure, and a search for what is not there."""
    chosen = [(title, searches[kind]) for kind, title in _TITLES.items() if kind in searches]
    if not chosen:
        return
    page.heading("Found, missed, not there")
    figures = []
    for title, line in chosen:
        shown = draw_path(
            _image(line, benchmark), from_dict(line["result"]), width=_SMALL, max_crops=8
        )
        words = search_words(line)
        figures.append((picture(shown, alt=words), f"<b>{title}.</b> {words}"))
    page.sheet(figures, wide=True)


def add_scenes(page: Page, data: Path, *, count: int = 3) -> None:
    """A few built scenes with what is annotated in them."""
    folder = data / "vsm"
    if not (folder / "set.json").is_file():
        return
    records = RecordSet.open(folder)
    by_image: dict[Path, Record] = {}
    for index in range(min(len(records), _LOOKED_THROUGH)):
        record = records[index]
        path = records.image_path(record)
        if path is not None and _num_boxes(record) > _num_boxes(by_image.get(path)):
            by_image[path] = record
    # The fullest first: their pictures say most.
    chosen = sorted(by_image.items(), key=lambda pair: -_num_boxes(pair[1]))[:count]
    figures = []
    for path, record in chosen:
        shown = picture(draw_record(record, open_image(path)), alt="a drawn scene, boxes on things")
        figures.append((shown, _taught(record)))
    page.sheet(figures)


def _num_boxes(record: Record | None) -> int:
    return 0 if record is None else sum(len(e.boxes or ()) for e in record.expressions)


def _taught(record: Record) -> str:
    """What is annotated of a scene, each thing in the color of its box, HTML."""
    there: list[str] = []
    absent: list[str] = []
    for place, expression in enumerate(record.expressions):
        name = f'<span style="color:{ink(place)}">{html.escape(expression.text)}</span>'
        (absent if expression.boxes == () else there).append(name)
    told = f"There: {', '.join(there)}."
    return f"{told} Not there: {', '.join(absent)}." if absent else told


def add_losses(page: Page, runs: Path, names: Sequence[str] = ()) -> None:
    """The losses of every training below `runs` so far, in the order of `names`, then by time."""
    logs = sorted(runs.glob("*/metrics.jsonl"), key=lambda path: path.stat().st_mtime)
    logs.sort(key=lambda path: names.index(path.parent.name) if path.parent.name in names else 99)
    figures = []
    for path in logs:
        drawn = loss_curves(read_metrics(path))
        if drawn:
            figures.append((drawn, f"<b>{path.parent.name}</b>"))
    if figures:
        page.sheet(figures, wide=True)
        page.note("Each part is weighted as in the total.")


def _image(line: Prediction, benchmark: Path) -> Image.Image:
    return open_image(benchmark / line["target"]["image"])

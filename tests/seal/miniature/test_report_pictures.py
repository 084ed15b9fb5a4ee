"""The report's pictures are of what stages left, and of the fullest scenes among what is taught."""

from __future__ import annotations

import json
import re

import pytest
from PIL import Image

from seal.data.record_set import RecordSet
from seal.miniature.report_pictures import (
    add_best_search,
    add_charts,
    add_losses,
    add_scenes,
    lines_of,
    searches_of,
)
from seal.miniature.scenes import build_scene_set
from seal.pages.page import Page


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    build_scene_set("vsm", folder / "vsm", num_scenes=4, seed=0, workers=0)
    return folder


def test_the_fullest_scenes_are_shown_with_what_is_there_and_what_is_not(data):
    page = Page("p")
    add_scenes(page, data, count=2)
    text = page.to_html()
    assert text.count("<figure>") == text.count("data:image/jpeg") == 2
    shown = re.findall(r"<figcaption>(.*?)</figcaption>", text)
    assert all(
        caption.startswith("There: <span") and "Not there: <span" in caption for caption in shown
    )
    most = max(
        sum(len(e.boxes or ()) for e in record.expressions)
        for record in RecordSet.open(data / "vsm")
    )
    assert most > 0


def test_before_there_is_anything_nothing_is_shown(tmp_path):
    page = Page("p")
    add_scenes(page, tmp_path)
    add_charts(page, {})
    add_losses(page, tmp_path)
    assert list(lines_of(tmp_path)) == [] and searches_of(tmp_path) == {}
    add_best_search(page, {}, tmp_path)
    assert page.inside == ""


def test_the_best_search_is_drawn_on_its_image(tmp_path):
    Image.new("RGB", (200, 100), "navy").save(tmp_path / "a.jpg")
    node = {
        "box": [0, 0, 200, 100], "depth": 1, "score": 0.0, "parent": None, "confidence": 0.9,
        "best_box": [10.0, 10.0, 30.0, 30.0], "cue_kind": "target", "cue_phrase": None,
        "cue_answer": None, "extractor": None, "child_shares": [],
    }  # fmt: skip
    result = {
        "version": 1, "target": "cup", "strategy": "guided", "found": True,
        "boxes": [[10.0, 10.0, 30.0, 30.0]], "scores": [0.9], "best_box": [10.0, 10.0, 30.0, 30.0],
        "best_score": 0.9, "num_steps": 1, "image_size": [200, 100], "config": {}, "calls": {},
        "evaluated_ahead": 0, "seconds": {}, "path": [node], "stopped_early": None,
    }  # fmt: skip
    target = {"id": "a", "image": "a.jpg", "name": "cup", "boxes": [[10, 10, 30, 30]], "group": ""}
    line = {"id": "a", "strategy": "guided", "target": target, "result": result}
    (tmp_path / "predictions.jsonl").write_text(json.dumps(line) + "\n")
    page = Page("p")
    add_best_search(page, searches_of(tmp_path), tmp_path)
    assert "cup: found in 1 region, and the box is right." in page.inside
    assert 'alt="a search for the cup, region by region"' in page.inside


def test_trainings_stand_in_the_order_of_the_stages(tmp_path):
    for name in ("b", "a", "c"):
        log = tmp_path / name / "metrics.jsonl"
        log.parent.mkdir()
        log.write_text('{"step": 1, "loss": 2.0}\n{"step": 2, "loss": 1.0}\n')
    page = Page("p")
    add_losses(page, tmp_path, ["c", "a"])
    assert re.findall(r"<b>(\w)</b>", page.inside)[:2] == ["c", "a"]

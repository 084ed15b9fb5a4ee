"""The layer that looks at annotated boxes is found; a stop and a damaged picture cost nothing."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image
from vstar_folder import ANNOTATIONS, write_bench

from seal.evaluation.choices import ViCropNumbers
from seal.evaluation.named_tasks import task_named
from seal.evaluation.vicrop_layers.config import LayersRun
from seal.evaluation.vicrop_layers.report import draw_layers, layer_metrics, layers_table
from seal.evaluation.vicrop_layers.run import annotated_questions, calibrate, maps_of_layers
from seal.geometry import Box
from seal.inference.vicrop.config import ViCropConfig
from seal.inference.vicrop.default_layers import FamilyDefaults
from seal.inference.vicrop.reader import RelativeFactors
from seal.pages.table import markdown

GRID = 24
BOXES = {
    annotation["question"]: [Box.from_xywh(*box) for box in annotation["bbox"] if box]
    for annotation in ANNOTATIONS.values()
}


class KnowingReader:
    """Layer 2 looks at the boxes of the question, layer 0 at the corner, layer 1 everywhere."""

    num_layers, layer = 3, 1

    def __init__(self, *, shrinks=False):
        self.defaults = FamilyDefaults({3: 1}, 100, shrinks=shrinks)
        self.asked = []

    def layer_maps(self, image, question):
        self.asked.append(question)
        width, height = image.size
        warm = np.full((GRID, GRID), 0.01, np.float32)
        for box in BOXES[question]:
            x0, x1 = (int(x / width * GRID) for x in (box.x0, box.x1))
            y0, y1 = (int(y / height * GRID) for y in (box.y0, box.y1))
            warm[y0 : y1 + 1, x0 : x1 + 1] = 1
        corner = np.full((GRID, GRID), 0.01, np.float32)
        corner[-3:, :3] = 1
        general = np.full((GRID, GRID), 0.5, np.float32)
        view = Box(0, 0, width, height)
        return [RelativeFactors(each, general, view) for each in (corner, general, warm)]


@pytest.fixture
def bench(tmp_path):
    return write_bench(tmp_path / "bench")


def run(bench, out, reader=None):
    reader = reader or KnowingReader()
    task = task_named("vstar_bench").task(str(bench))
    questions = annotated_questions(task)
    return calibrate(reader, questions, task.images, out, ViCropConfig()), reader


def test_the_layer_that_looks_there_is_the_best_and_a_flat_one_is_chance(bench, tmp_path):
    lines, _ = run(bench, tmp_path / "out")
    metrics = layer_metrics(lines, default=1, name="a model")
    assert (metrics["best_layer"], metrics["default_layer"]) == (2, 1)
    corner, flat, warm = metrics["layers"]
    assert flat["times_chance"]["value"] == pytest.approx(1)
    assert warm["times_chance"]["value"] > 20 and warm["covered"]["value"] > 0.5
    assert metrics["best_layer_by_crop"] == 2 and warm["crop_times_chance"]["value"] > 5
    assert corner["covered"]["value"] == 0
    assert metrics["held_out"]["value"] == pytest.approx(warm["share"]["value"])
    difference = metrics["best_minus_default"]["value"]
    assert difference == pytest.approx(warm["share"]["value"] - flat["share"]["value"])
    for metric in (metrics["chance"], metrics["held_out"], warm["share"], warm["crop"]):
        assert set(metric) == {"value", "n", "invalid", "low", "high"} and metric["n"] == 4


def test_what_was_read_is_not_read_again(bench, tmp_path):
    out = tmp_path / "out"
    first, reader = run(bench, out)
    assert len(reader.asked) == len(first) == 4
    stored = (out / "predictions.jsonl").read_text().splitlines(keepends=True)
    (out / "predictions.jsonl").write_text("".join(stored[:2]))
    again, reader = run(bench, out)
    assert len(reader.asked) == 2
    assert again == first
    for name in ("a.mug", "b"):  # another picture is another question
        Image.new("RGB", (640, 480)).save(bench / "direct_attributes" / f"{name}.jpg")
    assert len(run(bench, out)[1].asked) == 2


def test_a_damaged_picture_is_an_error_of_its_question(bench, tmp_path):
    (bench / "direct_attributes" / "b.jpg").write_bytes(b"no picture")
    lines, _ = run(bench, tmp_path / "out")
    metrics = layer_metrics(lines, default=1)
    assert len(metrics["errors"]) == 1 and "b.jpg" in metrics["errors"][0]
    assert (metrics["layers"][0]["share"]["n"], metrics["layers"][0]["share"]["invalid"]) == (3, 1)
    assert metrics["num_questions"] == 4


def test_targets_that_are_not_there_and_their_questions_are_left_out(bench, tmp_path):
    path = bench / "relative_position" / "d.json"
    nothing = json.loads(path.read_text()) | {"bbox": [None, None]}
    path.write_text(json.dumps(nothing))
    assert len(annotated_questions(task_named("vstar_bench").task(str(bench)))) == 3
    for path in bench.rglob("*.json"):
        content = json.loads(path.read_text())
        path.write_text(json.dumps(content | {"bbox": [None] * len(content["bbox"])}))
    with pytest.raises(ValueError, match="none of 4 questions has an annotated box"):
        annotated_questions(task_named("vstar_bench").task(str(bench)))


def test_large_images_are_read_in_the_tiles_that_the_locator_would_use():
    question = next(iter(BOXES))
    image = Image.new("RGB", (2048, 1024))
    config = ViCropConfig()
    whole = maps_of_layers(KnowingReader(), image, question, config)
    tiled = maps_of_layers(KnowingReader(shrinks=True), image, question, config)
    assert [m.values.shape for m in whole] == [(GRID, GRID)] * 3
    assert [m.values.shape for m in tiled] == [(GRID, 2 * GRID)] * 3
    assert {m.view for m in tiled} == {Box(0, 0, 2048, 1024)}


def test_the_table_and_the_picture_show_every_layer(bench, tmp_path):
    metrics = layer_metrics(run(bench, tmp_path / "out")[0], default=1, name="a model")
    table = markdown(layers_table(metrics))
    assert "2 best" in table and "1 default" in table and "a model: maps of 3 layers" in table
    draw_layers(metrics, tmp_path / "layers.png")
    with Image.open(tmp_path / "layers.png") as picture:
        assert min(picture.size) > 300


def test_one_question_has_numbers_without_intervals(bench, tmp_path):
    lines, _ = run(bench, tmp_path / "out")
    metrics = layer_metrics(lines[:1], default=1)
    assert metrics["layers"][2]["share"]["low"] is None
    assert metrics["held_out"]["value"] is None
    draw_layers(metrics, tmp_path / "layers.png")
    with pytest.raises(ValueError, match="0 of 0 questions could be read"):
        layer_metrics([], default=0)


def test_a_layer_cannot_be_named_where_all_are_read():
    with pytest.raises(ValueError, match=r"vicrop\.layer=3: all layers are read here"):
        LayersRun(benchmark="b", vqa="v", out="o", vicrop=ViCropNumbers(layer=3))
    with pytest.raises(ValueError, match="view='x' is none of"):
        LayersRun(benchmark="b", vqa="v", out="o", vicrop=ViCropNumbers(view="x"))
    with pytest.raises(ValueError, match="protocol='x'"):
        LayersRun(benchmark="b", vqa="v", out="o", protocol="x")
    with pytest.raises(ValueError, match="lookahead=2: nothing is searched here"):
        LayersRun(benchmark="b", vqa="v", out="o", lookahead=2)

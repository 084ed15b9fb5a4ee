"""A box that a model prints comes back where it was drawn, whatever the form and the shape."""

from __future__ import annotations

import io

import numpy as np
import pytest
import tiny_families
import tiny_models
from chat_server import ChatServer
from fakes import generation
from PIL import Image
from seeing_model import SeeingModel, red_box, scene

from seal.geometry import Box
from seal.images import pad_to_square
from seal.inference.answers.endpoint import EndpointAnswerModel
from seal.inference.answers.endpoint_config import EndpointConfig
from seal.inference.answers.hf import HFAnswerModel
from seal.inference.answers.seal_vqa import NetworkAnswerModel
from seal.inference.guides.box_heat import box_heat
from seal.inference.guides.given_picture import default_form
from seal.inference.guides.printed_forms import FORMS, printed_form
from seal.inference.guides.vlm_boxes import PrintedBoxes
from seal.search.config import SearchConfig
from seal.search.draw import draw_path
from seal.search.driver import run_searches
from seal.search.guided import GuidedSearch
from seal.search.protocol import Patch, Query, answered_kinds
from seal.search.trace import from_dict, to_dict
from seal.search.tree import split
from seal.text.printed_boxes import parse_boxes

PRINTED = {
    "qwen2_vl": "({x0},{y0}),({x1},{y1})",
    "qwen2_5_vl": '```json\n[{{"bbox_2d": [{x0}, {y0}, {x1}, {y1}], "label": "mug"}}]\n```',
    "qwen3_vl": '[{{"bbox_2d": [{x0}, {y0}, {x1}, {y1}], "label": "mug"}}]',
    "internvl": "mug[[{x0}, {y0}, {x1}, {y1}]]",
    "json": '[{{"label": "mug", "box": [{x0}, {y0}, {x1}, {y1}]}}]',
}
UNITS = {"thousand": 1000, "fraction": 1, "pixels": None}
SHAPES = [(640, 480), (300, 900), (501, 333), (97, 61), (1024, 128)]


def query(image, box=None, text="the mug", kind="detect"):
    return Query(kind, Patch(image, box or Box(0, 0, *image.size)), text)


@pytest.mark.parametrize("size", SHAPES, ids=str)
@pytest.mark.parametrize("form", FORMS)
def test_a_box_comes_back_from_every_form_and_shape(form, size):
    width, height = size
    drawn = Box(width // 3, height // 4, width // 3 + 20, height // 4 + 16)
    unit = UNITS[FORMS[form].coordinates]
    model = SeeingModel(printed=PRINTED[form], unit=unit, least=0.001)
    guide = PrintedBoxes(model, form=form)
    (found,) = guide.detect([query(scene(width, height, drawn))])
    np.testing.assert_allclose(found.boxes[0], [drawn.x0, drawn.y0, drawn.x1, drawn.y1], atol=0.02)
    assert found.scores == pytest.approx([0.95])


@pytest.mark.parametrize(("coordinates", "unit"), UNITS.items())
@pytest.mark.parametrize("order", ["xyxy", "yxyx"])
def test_plain_json_means_what_it_was_asked_for(coordinates, unit, order):
    corners = "[{x0}, {y0}, {x1}, {y1}]" if order == "xyxy" else "[{y0}, {x0}, {y1}, {x1}]"
    model = SeeingModel(printed=corners, unit=unit)
    guide = PrintedBoxes(
        model, form="json", coordinates=coordinates, order=order, scores="fixed", fixed_score=0.6
    )
    (found,) = guide.detect([query(scene(400, 200, Box(40, 100, 90, 150)))])
    np.testing.assert_allclose(found.boxes, [[40, 100, 90, 150]], atol=0.5)
    assert found.scores == pytest.approx([0.6]) and model.cost.calls == 1
    (asked,) = model.asked
    assert ("400 wide and 200 high" in asked) == (coordinates == "pixels")
    assert ("[y0, x0, y1, x1]" in asked) == (order == "yxyx")


def test_boxes_are_in_pixels_of_their_patch():
    image = scene(640, 480, Box(400, 300, 440, 330))
    patch = Box(320, 240, 640, 480)
    (found,) = PrintedBoxes(SeeingModel(printed=PRINTED["qwen3_vl"]), form="qwen3_vl").detect(
        [query(image, patch)]
    )
    np.testing.assert_allclose(found.boxes, [[80, 60, 120, 90]], atol=0.5)


def test_a_printed_box_is_judged_by_what_it_shows():
    def said(x0):
        return (
            f'[{{{{"bbox_2d": [{x0}, 300, {x0 + 100}, 400]}}}}, {{{{"bbox_2d": [5, 5, 40, 40]}}}}]'
        )

    model = SeeingModel(printed=said(600))
    guide = PrintedBoxes(model, form="qwen3_vl")
    (found,) = guide.detect([query(scene(1000, 1000, Box(600, 300, 700, 400)))])
    assert found.scores == pytest.approx([0.95, 0.1])
    assert model.shown[1:] == [(150, 150), (54, 54)]  # the box and around it, cut at the border
    assert model.batches == [1, 2]  # all boxes in one more batch
    assert found.heat.peak() == pytest.approx(0.95)
    assert guide.cost.queries == {"detect": 1} and guide.cost.asked.calls == 3


def test_nothing_printed_is_nothing_found_and_costs_one_call():
    model = SeeingModel()
    (found,) = PrintedBoxes(model, form="qwen3_vl").detect([query(scene(200, 100, None))])
    assert found.boxes.shape == (0, 4) and len(found.scores) == 0 and model.cost.calls == 1
    assert found.heat.peak() == 0 and found.heat.shares(split(Box(0, 0, 200, 100))) == [0.0] * 4


def test_only_so_many_boxes_of_an_answer_are_looked_at():
    many = ", ".join(f"[{i}, 10, {i + 50}, 60]" for i in range(0, 400, 20))
    model = SeeingModel(printed=many)
    (found,) = PrintedBoxes(model, form="qwen3_vl", max_boxes=3).detect(
        [query(scene(100, 100, Box(0, 0, 20, 20)))]
    )
    assert len(found.boxes) == 3 and model.cost.calls == 4


def test_the_heat_is_the_boxes():
    heat = box_heat([Box(0, 0, 50, 50), Box(99, 99, 100, 100)], [0.8, 0.4], 100, 100)
    assert heat.peak() == pytest.approx(0.8)
    upper_left, lower_right = heat.shares([Box(0, 0, 50, 50), Box(50, 50, 100, 100)])
    assert upper_left > 0.99 and 0 < lower_right < 0.01
    (cue,) = PrintedBoxes(SeeingModel(), form="qwen3_vl").cue_heatmap(
        [query(scene(300, 300, Box(200, 10, 260, 70)), text="the table", kind="cue_heatmap")]
    )
    assert cue.shares(split(Box(0, 0, 300, 300)))[1] == pytest.approx(1, abs=0.02)


def test_a_whole_search_ends_at_the_box_and_can_be_drawn():
    image = scene(800, 600, Box(640, 60, 680, 100))
    # From afar it prints nothing; it must come closer.
    model = SeeingModel(printed=PRINTED["qwen3_vl"], least=0.01)
    said = model._say
    model._say = lambda memory: (
        said(memory) if "most likely" in memory.question or memory.image.width < 500 else "[]"
    )
    guide = PrintedBoxes(model, form="qwen3_vl")
    search = GuidedSearch(SearchConfig(min_size=100, cue_threshold=0.1, cue_threshold_min=0.1))
    assert search.needs <= answered_kinds(guide)
    (result,) = run_searches([search.explore(image, "the mug")], guide)
    assert result.found and result.boxes[0].iou(Box(640, 60, 680, 100)) > 0.95
    assert len(result.path) > 1 and result.path[0].cue.phrase == "table"
    assert from_dict(to_dict(result, heat_cells=24)).boxes == result.boxes
    assert draw_path(image, result).width > 100


FAMILIES = {"qwen2_5_vl": "qwen2_5_vl", "qwen3_vl": "qwen3_vl", "internvl": "internvl"}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_familys_own_form_is_chosen_and_a_search_runs_on_random_weights(family):
    answers = HFAnswerModel.from_pretrained(tiny_families.folder(family), device="cpu")
    assert default_form(answers) == FAMILIES[family]
    guide = PrintedBoxes(answers, max_new_tokens=3)
    image = tiny_models.noise(150, 90)
    search = GuidedSearch(SearchConfig(min_size=50))
    (result,) = run_searches([search.explore(image, "boat")], guide)
    assert result.path and not result.found  # it prints no boxes


class _Printing(HFAnswerModel):
    """A real model as far as pictures go, which prints where the red is in what it was given."""

    def generate(self, requests, *, max_new_tokens=200):
        said = []
        for memory in requests:
            _, rows, columns = self.row(memory).pixels["image_grid_thw"][0].tolist()
            patch = self.hf.processor.image_processor.patch_size
            box, image = red_box(memory.image), memory.image
            across, down = columns * patch / image.width, rows * patch / image.height
            edges = [box.x0 * across, box.y0 * down, box.x1 * across, box.y1 * down]
            said.append(generation(f"[{', '.join(f'{edge:.2f}' for edge in edges)}]"))
        return said


class _PrintingWhatItSees(HFAnswerModel):
    """LLaVA, which prints fractions of what its processor gives it: the middle of the picture."""

    def generate(self, requests, *, max_new_tokens=200):
        said = []
        for memory in requests:
            image = memory.image
            side = min(image.size)
            left, top = (image.width - side) // 2, (image.height - side) // 2
            box = red_box(image.crop((left, top, left + side, top + side)))
            edges = () if box is None else (box.x0, box.y0, box.x1, box.y1)
            said.append(generation(str([round(edge / side, 4) for edge in edges])))
        return said


@pytest.mark.parametrize("size", [(400, 300), (123, 211), (90, 90)], ids=str)
def test_a_model_whose_processor_cuts_is_shown_all_of_a_patch(size):
    answers = _PrintingWhatItSees.from_pretrained(tiny_families.folder("llava"), device="cpu")
    guide = PrintedBoxes(answers, scores="fixed")
    drawn = Box(2, 5, 30, 41)  # near a border: cut off, were the patch not padded first
    (found,) = guide.detect([query(scene(*size, drawn))])
    np.testing.assert_allclose(found.boxes, [[2, 5, 30, 41]], atol=0.05)


class _PrintingItsSquare(NetworkAnswerModel):
    """SEAL's VQA LLM, which prints fractions of the square that it pads a picture to."""

    def generate(self, requests, *, max_new_tokens=200):
        boxes = [red_box(pad_to_square(memory.image, "center")[0]) for memory in requests]
        sides = [max(memory.image.size) for memory in requests]
        return [
            generation(f"[{b.x0 / s}, {b.y0 / s}, {b.x1 / s}, {b.y1 / s}]")
            for b, s in zip(boxes, sides, strict=True)
        ]


def test_seals_vqa_llm_counts_in_the_square_that_it_sees():
    model = _PrintingItsSquare(tiny_models.vqa_model(), tiny_models.tokenizer())
    guide = PrintedBoxes(model, scores="fixed")
    image = scene(640, 300, Box(500, 20, 560, 90))
    boxes = [None, Box(480, 0, 640, 300)]
    whole, part = guide.detect([query(image, box) for box in boxes])
    np.testing.assert_allclose(whole.boxes, [[500, 20, 560, 90]], atol=0.01)
    np.testing.assert_allclose(part.boxes, [[20, 20, 80, 90]], atol=0.01)


@pytest.mark.parametrize("size", [(400, 300), (123, 211), (60, 50)], ids=str)
@pytest.mark.parametrize("form", ["qwen2_5_vl", "json"])
def test_pixels_are_those_of_the_picture_as_the_processor_resized_it(form, size):
    answers = _Printing.from_pretrained(tiny_families.folder("qwen2_5_vl"), device="cpu")
    pixels = {"coordinates": "pixels"} if form == "json" else {}
    guide = PrintedBoxes(answers, form=form, scores="fixed", **pixels)
    drawn = Box(10, 20, 40, 45)
    images = [scene(*size, drawn), scene(*reversed(size), drawn)]
    for found in guide.detect([query(image) for image in images]):
        np.testing.assert_allclose(found.boxes, [[10, 20, 40, 45]], atol=0.05)
    resized = [answers.row(guide._asked(query(image))[0]) for image in images]
    grids = [row.pixels["image_grid_thw"][0].tolist() for row in resized]
    assert [(14 * w, 14 * h) for _, h, w in grids] != [image.size for image in images]


@pytest.mark.parametrize(
    ("form", "sent", "frame"),
    [
        ("qwen2_5_vl", (640, 480), (644, 476)),  # rounded to whole tokens by the server
        ("json", (640, 480), (640, 480)),
        ("qwen2_5_vl", (346, 259), (336, 252)),  # within max_pixels first
        ("json", (346, 259), (346, 259)),
    ],
)
def test_pixels_of_a_server_are_those_of_the_picture_that_is_sent(
    monkeypatch, tmp_path, form, sent, frame
):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    monkeypatch.setenv("SEAL_CACHE", str(tmp_path))
    told = f"[{frame[0] // 4}, {frame[1] // 2}, {frame[0] // 2}, {frame[1]}]"
    most = None if sent == (640, 480) else 90_000
    config = EndpointConfig(max_pixels=most, check_vision=False)
    coordinates = "pixels" if form == "json" else None
    with ChatServer(say=lambda asked: told) as server:
        model = EndpointAnswerModel.from_address(f"{server.url}#m", config, tell=lambda line: None)
        guide = PrintedBoxes(model, form=form, coordinates=coordinates, scores="fixed")
        (found,) = guide.detect([query(scene(640, 480, None))])
    (picture,) = server.pictures
    assert Image.open(io.BytesIO(picture)).size == sent
    np.testing.assert_allclose(found.boxes, [[160, 240, 320, 480]], atol=1.5)


def test_questions_ask_in_the_models_own_form():
    for name, form in FORMS.items():
        asked = form.ask("the red {mug}", (640, 480))
        assert "red {mug}" in asked and "the red" not in asked, name
        assert parse_boxes(asked) == []  # an echo of the question is no box


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"form": "yolo"}, "form='yolo' is none of qwen2_vl, qwen2_5_vl, qwen3_vl, internvl, json"),
        ({"form": "json", "coordinates": "feet"}, "coordinates='feet' is none of fraction"),
        ({"form": "json", "order": "xywh"}, "order='xywh' is none of xyxy, yxyx"),
        ({"form": "internvl", "coordinates": "pixels"}, "form=internvl says itself"),
        ({"form": "json", "scores": "mean"}, "scores='mean' is none of existence, fixed"),
        ({"form": "json", "fixed_score": 2}, r"fixed_score=2 is not in \[0, 1\]"),
        ({"form": "json", "max_boxes": 0}, "max_boxes=0 and max_new_tokens=256"),
    ],
)
def test_settings_that_mean_nothing_are_refused(options, said):
    with pytest.raises(ValueError, match=said):
        PrintedBoxes(SeeingModel(), **options)


def test_a_form_that_is_not_named_is_the_familys_or_plain_json():
    assert PrintedBoxes(SeeingModel()).settings()["form"] == "json"
    assert printed_form("json").coordinates == "fraction"

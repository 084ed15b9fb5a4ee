"""Boxes are read as they are printed, garbage is none, and none ever leaves its picture."""

from __future__ import annotations

import random
import time

import pytest

from seal.geometry import Box
from seal.text.printed_boxes import Frame, PrintedBox, boxes_of, parse_boxes

ONE = [(10.0, 20.0, 30.0, 40.0)]
TWO = [*ONE, (50.0, 60.0, 70.0, 80.0)]
# fmt: off
CASES = [
    # Qwen2.5-VL and Qwen3-VL: JSON, mostly in a fence.
    ('```json\n[\n\t{"bbox_2d": [10, 20, 30, 40], "label": "mug"}\n]\n```', ONE),
    ('[{"bbox_2d": [10, 20, 30, 40], "label": "mug"}, {"bbox_2d": [50, 60, 70, 80]}]', TWO),
    ('{"bbox_2d": [10, 20, 30, 40], "label": "mug"}', ONE),
    ('[{"label": "mug", "bbox_2d": [10, 20, 30, 40]}]', ONE),
    ('```\n[{"bbox_2d": [10, 20, 30, 40]}]\n```', ONE),
    ('```json\n[{"bbox_2d": [10, 20, 30, 40]}]', ONE),
    ('Here it is:\n```json\n[{"bbox_2d": [10, 20, 30, 40]}]\n```\nHope that helps!', ONE),
    ('[{"bbox_2d": [10,20,30,40], "label": "mug", "sub_label": "red"},]', ONE),
    ("[{'bbox_2d': [10, 20, 30, 40], 'label': 'mug'}]", ONE),
    ('[{bbox_2d: [10, 20, 30, 40], label: "mug"}]', ONE),
    ('[{"bbox_2d": [[10, 20], [30, 40]]}]', ONE),
    ('[{"bbox_2d": [10, 20, 30, 40], "label": "a [big] mug {red}"}]', ONE),
    # Broken off: what is whole counts, and a last number may lack digits.
    ('[{"bbox_2d": [10, 20, 30, 40], "label": "mug"}, {"bbox_2d": [50, 60', ONE),
    ('[{"bbox_2d": [10, 20, 30, 40], "label": "mug"}, {"bbox_2d": [50, 60, 70, 8', ONE),
    ('[{"bbox_2d": [10, 20, 30, 40], "la', ONE),
    ('[{"bbox_2d": [10, 20, 30', []),
    ('[{"bbox_2d": [10, 20, 30, 4', []),
    ('[{"bbox_2d":', []),
    ('<|box_start|>(10,20),(30,4', []),
    ('<box>[[10,20,30,4', []),
    ('{"x0": 10, "y0": 20, "x1": 30, "y1": 4', []),
    # Qwen2-VL: two corners, with its tokens and without.
    ('<|object_ref_start|>mug<|object_ref_end|><|box_start|>(10,20),(30,40)<|box_end|>', ONE),
    ('<|box_start|>(10,20),(30,40)<|box_end|><|box_start|>(50,60),(70,80)<|box_end|>', TWO),
    ('the mug(10,20),(30,40)', ONE),
    ('(10,20),(30,40)(50,60),(70,80)', TWO),
    ('(10, 20), (30, 40)', ONE),
    ('(10,20) (30,40)', ONE),
    ('mug <box>(10,20),(30,40)</box>', ONE),
    # InternVL: lists of lists, with its tokens and without.
    ('<ref>mug</ref><box>[[10, 20, 30, 40]]</box>', ONE),
    ('<ref>mug</ref><box>[[10,20,30,40],[50,60,70,80]]</box>', TWO),
    ('mug[[10, 20, 30, 40]]', ONE),
    ('[[10, 20, 30, 40]]', ONE),
    ('<box>[10, 20, 30, 40]</box>', ONE),
    ('[[010,020,030,040]]', ONE),
    # Plain JSON, lists and words.
    ('[10, 20, 30, 40]', ONE),
    ('[10.0, 20.0, 30.0, 40.0]', ONE),
    ('[10.,20.,30.,40.]', ONE),
    ('[1e1, 2e1, 3E+1, 400e-1]', ONE),
    ('(10, 20, 30, 40)', ONE),
    ('10, 20, 30, 40', ONE),
    (' 10,20,30,40.\n', ONE),
    ('The mug is at [10, 20, 30, 40].', ONE),
    ('The mug is at [10, 20, 30, 40] and the other one at [50, 60, 70, 80].', TWO),
    ('1. [10, 20, 30, 40]\n2. [50, 60, 70, 80]', TWO),
    ('{"boxes": [[10, 20, 30, 40], [50, 60, 70, 80]]}', TWO),
    ('{"mug": [10, 20, 30, 40]}', ONE),
    ('{"objects": [{"name": "mug", "box": [10, 20, 30, 40]}]}', ONE),
    ('{"x0": 10, "y0": 20, "x1": 30, "y1": 40}', ONE),
    ('{"x1": 10, "y1": 20, "x2": 30, "y2": 40}', ONE),
    ('{"x_min": 10, "y_min": 20, "x_max": 30, "y_max": 40}', ONE),
    ('{"xmin": 10, "xmax": 30, "ymin": 20, "ymax": 40}', ONE),
    ('{"left": 10, "top": 20, "right": 30, "bottom": 40}', ONE),
    ('{"x": 10, "y": 20, "width": 20, "height": 20}', ONE),
    ('{"x": 10, "y": 20, "w": 20, "h": 20}', ONE),
    ('{"label": "mug", "bounding_box": {"x": 10, "y": 20, "width": 20, "height": 20}}', ONE),
    ('{x0: 10, y0: 20, x1: 30, y1: 40}', ONE),
    ('<box>10 20 30 40</box>', ONE),
    ('<box>10, 20, 30, 40</box>', ONE),
    ('[-5, 20, 30, 40]', [(-5.0, 20.0, 30.0, 40.0)]),
    ('[10, 20, 30, 40], [10, 20, 30, 40]', ONE),
    ('[10, 20, 30, 40] [10, 20, 30, 40] [50, 60, 70, 80]', TWO),
    # Thoughts are no answer.
    ('<think>maybe [1, 2, 3, 4]</think>[10, 20, 30, 40]', ONE),
    ('<think>maybe [1, 2, 3, 4]</think>There is none.', []),
    ('<think>maybe [1, 2, 3, 4]', []),
    ('<answer>[10, 20, 30, 40]</answer>', ONE),
    # None.
    ('', []),
    ('   \n', []),
    ('[]', []),
    ('```json\n[]\n```', []),
    ('{}', []),
    ('None', []),
    ('null', []),
    ('There is no mug in this picture.', []),
    ('The picture is 640 x 480 and shows 4 people, 2 dogs, 1 car.', []),
    ('[{"bbox_2d": null, "label": "mug"}]', []),
    ('[{"bbox_2d": [], "label": "mug"}]', []),
    ('[{"bbox_2d": [x0, y0, x1, y1], "label": "mug"}]', []),
    ('[{"point_2d": [10, 20], "label": "mug"}]', []),
    ('[10, 20, 30]', []),
    ('[10, 20, 30, 40, 50]', []),
    ('[10, 20, 30, 40, 50, 60, 70, 80]', []),
    ('[10 20 30 40]', []),
    ('["a", "b", "c", "d"]', []),
    ('[10%, 20%, 30%, 40%]', []),
    ('(10, 20)', []),
    ('\u0661\u0660, no', []),
    ('}{][)(}}}{{{', []),
]
# fmt: on


@pytest.mark.parametrize(("text", "numbers"), CASES, ids=lambda case: repr(case)[:50])
def test_an_answer_gives_the_boxes_that_are_printed_in_it(text, numbers):
    assert [box.numbers for box in parse_boxes(text)] == numbers


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ('[{"bbox_2d": [1, 2, 3, 4], "label": "mug"}]', ["mug"]),
        ('[{"label": "mug", "bbox_2d": [1, 2, 3, 4]}]', ["mug"]),
        ("[{'name': 'red mug', 'box': [1, 2, 3, 4]}, {'box': [5, 6, 7, 8]}]", ["red mug", ""]),
        ('{"label": "mug", "box": {"x": 1, "y": 2, "w": 3, "h": 4}}', ["mug"]),
        ('{"label": "all", "objects": [{"box": [1, 2, 3, 4], "label": "mug"}]}', ["mug"]),
        ('[{"bbox_2d": [1, 2, 3, 4], "label": "mug', [""]),
        ("<ref>mug</ref><box>[[1,2,3,4],[5,6,7,8]]</box>", ["mug", "mug"]),
        ("<ref>mug</ref><box>[[1,2,3,4]]</box><ref>boat</ref>[[5,6,7,8]]", ["mug", "boat"]),
        ("<|object_ref_start|>a mug<|object_ref_end|><|box_start|>(1,2),(3,4)", ["a mug"]),
        ("[1, 2, 3, 4]", [""]),
    ],
)
def test_a_box_is_of_what_its_own_object_or_the_words_before_it_say(text, labels):
    assert [box.label for box in parse_boxes(text)] == labels


def test_a_list_of_everything_is_narrowed_to_the_target():
    mug, boat = PrintedBox((1, 2, 3, 4), "a Mug"), PrintedBox((5, 6, 7, 8), "boat")
    assert boxes_of([mug, boat], "the red mug") == [mug]
    assert boxes_of([mug, boat], "ship") == [mug, boat]
    assert boxes_of([PrintedBox((1, 2, 3, 4))], "mug") == [PrintedBox((1, 2, 3, 4))]
    assert boxes_of([], "mug") == []


def test_numbers_mean_what_the_frame_says():
    box = PrintedBox((100, 200, 300, 400))
    assert Frame(1000, 1000).to_pixels(box, 640, 480) == Box(64, 96, 192, 192)
    assert Frame(400, 800).to_pixels(box, 200, 200) == Box(50, 50, 150, 100)
    yx = Frame(1000, 1000, "yxyx")
    assert yx.to_pixels(box, 1000, 1000) == Box(200, 100, 400, 300)
    named = PrintedBox(box.numbers, named=True)
    assert yx.to_pixels(named, 1000, 1000) == Box(100, 200, 300, 400)
    fractions = Frame(1, 1).to_pixels(PrintedBox((0.25, 0.5, 0.75, 1)), 80, 60)
    assert fractions == Box(20, 30, 60, 60)


def test_corners_may_be_swapped_and_what_lies_outside_is_cut_off():
    frame = Frame(1000, 1000)
    box = Box(10, 20, 30, 40)
    for numbers in ((30, 40, 10, 20), (10, 40, 30, 20), (30, 20, 10, 40)):
        assert frame.to_pixels(PrintedBox(numbers), 1000, 1000) == box
    assert frame.to_pixels(PrintedBox((-50, 20, 2000, 40)), 1000, 1000) == Box(0, 20, 1000, 40)
    for nothing in ((1100, 0, 1200, 50), (10, 10, 10, 40), (10, 10, 30, 10), (-9, -9, -1, -1)):
        assert frame.to_pixels(PrintedBox(nothing), 1000, 1000) is None
    for odd in (float("inf"), float("nan"), float("-inf")):
        assert frame.to_pixels(PrintedBox((0, 0, odd, 10)), 1000, 1000) is None


def test_a_frame_that_means_nothing_is_refused():
    with pytest.raises(ValueError, match="a frame has a width and a height, got 0 x 10"):
        Frame(0, 10)
    with pytest.raises(ValueError, match="order='xywh' is none of xyxy, yxyx"):
        Frame(1, 1, "xywh")


def test_any_text_gives_boxes_inside_the_picture_or_none():
    rng = random.Random(0)
    pieces = [text for text, _ in CASES] + list("[]{}()<>|,.:;\"'`0123456789-+eE \n\t\x00\u4e2d")
    pieces += ["9" * 400, "1e999", "<think>", "</think>", "<box>", "<ref>", '"label":', "box_2d"]
    frames = [Frame(1000, 1000), Frame(1, 1), Frame(53, 997, "yxyx")]
    seen = 0
    for _ in range(4000):
        text = "".join(rng.choice(pieces) for _ in range(rng.randint(1, 12)))
        cut = rng.randint(0, len(text))
        text = text[:cut] + rng.choice(pieces) + text[cut + rng.randint(0, 3) :]
        for printed in parse_boxes(text):
            box = rng.choice(frames).to_pixels(printed, 123, 45)
            if box is not None:
                seen += 1
                assert 0 <= box.x0 < box.x1 <= 123 and 0 <= box.y0 < box.y1 <= 45
    assert seen > 1000  # the mutations leave enough to look at


@pytest.mark.parametrize(
    "piece",
    [
        "(",
        "[",
        "{",
        "1,",
        "[1,2,3,",
        "(1,2),",
        '{"a":1',
        "<ref>",
        "1",
        "a ",
        "<box>1 ",
        '"label":"',
    ],
)
def test_a_degenerate_answer_takes_no_time(piece):
    started = time.process_time()
    assert len(parse_boxes(piece * (40_000 // len(piece)))) <= 1
    assert time.process_time() - started < 1

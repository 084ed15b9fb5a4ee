from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from seal.building.formats.plausible_boxes import check_boxes, judge_boxes

WIDTH, HEIGHT = 640, 480
NAN = np.nan


def true_boxes(number: int, seed: int = 0) -> np.ndarray[Any, Any]:
    """(N, 4) boxes of all places and sizes, inside the image."""
    rng = np.random.default_rng(seed)
    w, h = rng.uniform(10, 320, number), rng.uniform(10, 240, number)
    return np.stack([rng.uniform(0, WIDTH - w), rng.uniform(0, HEIGHT - h), w, h], axis=1)


def written(form: str, boxes: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    x, y, w, h = boxes.T
    scale = np.array([WIDTH, HEIGHT, WIDTH, HEIGHT])
    return {
        "pixels": boxes,
        "fractions": boxes / scale,
        "percent": 100 * boxes / scale,
        "thousandths": 1000 * boxes / scale,
        "corners": np.stack([x, y, x + w, y + h], axis=1),
        "centers": np.stack([x + w / 2, y + h / 2, w, h], axis=1),
        "fractions of corners": np.stack([x, y, x + w, y + h], axis=1) / scale,
        "yolo": np.stack([x + w / 2, y + h / 2, w, h], axis=1) / scale,
    }[form]


def judged(boxes: np.ndarray[Any, Any], masks: Any = None) -> list[tuple[str, bool]]:
    found = judge_boxes(boxes, np.tile([WIDTH, HEIGHT], (len(boxes), 1)).astype(float), masks)
    return [(doubt.message, doubt.certain) for doubt in found]


@pytest.mark.parametrize("number", [1, 5, 10, 30, 400])
def test_boxes_in_pixels_are_believed(number: int) -> None:
    for seed in range(40):
        boxes = true_boxes(number, seed)
        assert judged(boxes, boxes + 0.4) == []


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ("fractions", "fractions of the image (0..1)"),
        ("fractions of corners", "fractions of the image (0..1)"),
        ("yolo", "fractions of the image (0..1)"),
        ("percent", "percent of the image (0..100)"),
        ("corners", "[x0, y0, x1, y1]"),
        ("centers", "[center x, center y, width, height]"),
    ],
)
def test_another_form_is_refused_with_its_name(form: str, said: str) -> None:
    # Of centers fewer run past the border.
    for number, seed in [(300, 0), *((60 if form == "centers" else 10, i) for i in range(9))]:
        ((message, certain),) = judged(written(form, true_boxes(number, seed)))
        assert said in message and certain, message
        assert "[x, y, width, height] are expected" in message


def test_thousandths_run_past_the_border_of_smaller_images() -> None:
    ((message, certain),) = judged(written("thousandths", true_boxes(100)))
    assert "run past the border" in message and "thousandths of the image" in message and certain


@pytest.mark.parametrize("form", ["corners", "centers"])
def test_boxes_that_contradict_their_own_masks_are_refused(form: str) -> None:
    # Small things in the left upper corner: nothing runs past a border.
    boxes = true_boxes(12) / 4 + [20, 20, 0, 0]
    found = judged(written(form, boxes), boxes)
    assert "of their own masks" in found[0][0] or "own masks" in found[0][0]
    assert found[0][1] and ("[x0" if form == "corners" else "[center") in found[0][0]
    assert judged(boxes, boxes) == []


def test_a_few_boxes_of_another_form_are_told_and_not_refused() -> None:
    boxes = true_boxes(200)
    boxes[:10] = written("fractions", boxes[:10])
    ((message, certain),) = judged(boxes)
    assert message.startswith("10 of 200 boxes have no number above 1.5") and not certain
    boxes = true_boxes(200)
    boxes[:10, 2] = -5
    ((message, certain),) = judged(boxes)
    assert message.startswith("10 of 200 boxes have no width or height") and not certain
    boxes = true_boxes(200)
    boxes[:10] = [600, 10, 100, 50]
    ((message, certain),) = judged(boxes)
    assert message.startswith("10 of 200 boxes run past the border") and not certain
    boxes = true_boxes(200)
    masks = boxes.copy()
    masks[:10, 0] += 400
    ((message, certain),) = judged(boxes, masks)
    assert message.startswith("10 of 200 boxes with a mask lie elsewhere") and not certain


def test_a_single_odd_box_is_not_worth_a_word() -> None:
    for odd in ([0, 0, 1, 1], [600, 400, 100, 100], [5, 5, 0, 9]):
        boxes = true_boxes(200)
        boxes[7] = odd
        assert judged(boxes) == []


def test_boxes_without_any_width_are_refused() -> None:
    boxes = true_boxes(20)
    boxes[:, 2] = 0
    ((message, certain),) = judged(boxes)
    assert "all 20 boxes have no width or height above 0" in message and certain


def test_labels_of_whole_images_and_boxes_of_smaller_copies_are_told() -> None:
    ((message, certain),) = judged(np.tile([0.0, 0.0, WIDTH, HEIGHT], (10, 1)))
    assert "are their whole image" in message and not certain
    ((message, certain),) = judged(true_boxes(50) / 2)
    assert "smaller copies" in message and not certain


@pytest.mark.parametrize("number", [10, 60])
def test_corners_cut_at_the_border_are_known_in_a_finished_set(number: int) -> None:
    for seed in range(10):
        boxes = written("corners", true_boxes(number, seed))
        boxes[:, 2:] = np.minimum(boxes[:, :2] + boxes[:, 2:], [WIDTH, HEIGHT]) - boxes[:, :2]
        ((message, certain),) = judged(boxes)
        assert "[x0, y0, x1, y1]" in message and certain == (number > 20), message


def test_large_things_in_the_middle_are_no_corners() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        low = rng.uniform(0, 150, (30, 2))
        high = np.array([WIDTH, HEIGHT]) - rng.uniform(0, 150, (30, 2)).clip(min=60) + 60
        boxes = np.hstack([low, np.minimum(high, [WIDTH, HEIGHT]) - low])
        assert judged(boxes) == []


def test_what_is_refused_can_be_insisted_on(capsys: pytest.CaptureFixture[str]) -> None:
    boxes = written("fractions", true_boxes(10))
    samples = [(tuple(box), (WIDTH, HEIGHT), None) for box in boxes]
    with pytest.raises(ValueError, match=r"^a.json: all 10 boxes .*; check_boxes=false believes"):
        check_boxes(samples, "a.json", insist=False)
    assert check_boxes(samples, "a.json", insist=True) == {
        "WARNING: boxes like fractions, of 10 looked at": 10
    }
    assert "WARNING: a.json: all 10 boxes have no number above 1.5" in capsys.readouterr().err


def test_four_zeros_stand_for_no_box() -> None:
    assert not check_boxes([((0.0, 0.0, 0.0, 0.0), (9, 9), None)] * 20, "a", insist=False)

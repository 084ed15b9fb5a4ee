"""Trials of COCO-Search18 become targets with scanpaths; what is not as it should be is named."""

from __future__ import annotations

import json

import pytest
from golden_files import SAMPLES, needs_samples
from PIL import Image

from seal.evaluation.tasks.coco_search18 import CocoSearch18Config
from seal.evaluation.tasks.coco_search18_files import read_sought

FIRST12 = SAMPLES / "coco_search18" / "coco_search18_fixations_TP_test_first12.json"


def trial(**changed):
    return {
        "name": "000000000007.jpg", "subject": 1, "task": "potted plant", "condition": "present",
        "bbox": [140, 0, 350, 210], "X": [840.0, 400.0, 200.0], "Y": [525.0, 300.0, 100.0],
        "T": [200, 180, 150, 90], "length": 3, "fixOnTarget": True, "correct": 1, "split": "test",
        **changed,
    }  # fmt: skip


def write(path, *trials):
    path.write_text(json.dumps(list(trials)), encoding="utf-8")
    return path


@needs_samples
def test_the_official_records_are_read_in_pixels_of_the_display():
    targets = CocoSearch18Config(fixations=str(FIRST12)).build().targets()
    assert len(targets) == 12 and {target.target.name for target in targets} == {"bottle"}
    first = targets[0]
    assert first.id == "000000394517.jpg/bottle"
    (box,) = first.target.boxes
    assert (box.x0, box.y0, box.width, box.height) == (1348, 559, 142, 395)
    # Three fixations, of which the first is the cross in the middle; seven durations.
    assert first.meta["scanpaths"] == [[[1194.5, 670.3], [1445.0, 684.5]]]
    assert {target.meta["picture"] for target in targets} == {"blank"}
    last = [target.meta["scanpaths"][0][-1] for target in targets]
    for target, (x, y) in zip(targets, last, strict=True):  # people end on what they find
        (box,) = target.target.boxes
        assert box.x0 <= x <= box.x1 and box.y0 <= y <= box.y1


def test_several_people_search_for_one_target(tmp_path):
    path = write(
        tmp_path / "a.json", trial(), trial(subject=2, X=[840, 300], Y=[525, 50], length=2),
        trial(subject=3, correct=0), trial(subject=4, fixOnTarget=False),
        trial(subject=5, X=[830], Y=[520], length=1),
    )  # fmt: skip
    (sought,) = read_sought(path)
    assert len(sought.trials) == 5
    assert sought.scanpaths == [((400, 300), (200, 100)), ((300, 50),)]  # who found it by moving


def test_fixations_off_the_display_are_left_out(tmp_path):
    path = write(tmp_path / "a.json", trial(X=[840, -3, 1680, 200], Y=[525, 9, 9, 99], length=4))
    assert read_sought(path)[0].scanpaths == [((200, 99),)]


def test_two_things_in_one_photograph_are_two_targets(tmp_path):
    path = write(tmp_path / "a.json", trial(), trial(task="cup", bbox=[500, 500, 90, 90]))
    targets = CocoSearch18Config(fixations=str(path)).build().targets()
    assert [t.id.split("/")[1] for t in targets] == ["potted plant", "cup"]
    assert len(CocoSearch18Config(fixations=str(path), limit=1).build().targets()) == 1


@pytest.mark.parametrize("place", ["COCO_val2014_{}", "val2014/COCO_val2014_{}", "{}"])
def test_boxes_and_fixations_go_to_the_pixels_of_the_photograph(tmp_path, place):
    photo = tmp_path / "photos" / place.format("000000000007.jpg")
    photo.parent.mkdir(parents=True)
    Image.new("RGB", (640, 480), "red").save(photo)
    path = write(tmp_path / "a.json", trial())
    task = CocoSearch18Config(fixations=str(path), images=str(tmp_path / "photos")).build()
    (target,) = task.targets()
    (box,) = target.target.boxes
    assert (box.x0, box.y0, box.x1, box.y1) == pytest.approx((0, 0, 160, 96))
    assert target.meta["scanpaths"][0][1] == pytest.approx([60 * 640 / 1400, 100 * 640 / 1400])
    assert target.meta["picture"] == "photo" and target.meta["scale"] == pytest.approx(640 / 1400)
    assert task.images.open(target.image).size == (640, 480)
    assert task.images.digest(target.image) != "blank"


def test_the_data_sets_own_pictures_stay_as_they_are(tmp_path):
    stimulus = tmp_path / "potted_plant" / "000000000007.jpg"  # as it lays them out
    stimulus.parent.mkdir()
    Image.new("RGB", (1680, 1050)).save(stimulus)
    path = write(tmp_path / "a.json", trial())
    (target,) = CocoSearch18Config(fixations=str(path), images=str(tmp_path)).build().targets()
    assert target.meta["picture"] == "stimulus" and target.meta["scale"] == 1
    assert target.target.boxes[0].x0 == 140


def test_blank_displays_are_told_apart(tmp_path):
    path = write(tmp_path / "a.json", trial(), trial(name="000000000008.jpg"))
    task = CocoSearch18Config(fixations=str(path)).build()
    first, second = (task.images.open(target.image) for target in task.targets())
    assert first.size == second.size == (1680, 1050)
    assert first.getpixel((0, 0)) != second.getpixel((0, 0))


def test_a_photograph_that_is_missing_is_named(tmp_path):
    path = write(tmp_path / "a.json", trial())
    with pytest.raises(ValueError, match=r"1 of 1 photographs are not there.*000000000007.jpg"):
        CocoSearch18Config(fixations=str(path), images=str(tmp_path)).build()


def test_a_photograph_of_another_name_does_not_hold_the_box(tmp_path):
    Image.new("RGB", (100, 640)).save(tmp_path / "000000000007.jpg")
    path = write(tmp_path / "a.json", trial(bbox=[1500, 9, 90, 90]))
    with pytest.raises(ValueError, match="lies outside 100 x 640 pixels: is this the photograph"):
        CocoSearch18Config(fixations=str(path), images=str(tmp_path)).build()


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"condition": "absent"}, 'trial 1: condition="absent": expected present'),
        ({"bbox": [1, 2, 3]}, "trial 1: bbox"),
        ({"bbox": [1, 2, 0, 3]}, "trial 1: bbox"),
        ({"bbox": [1600, 2, 200, 3]}, "expected a box on the display, 1680 x 1050"),
        ({"X": [840, "4", 5]}, "trial 1: X.*a list of numbers"),
        ({"X": [840, float("nan"), 5]}, "trial 1: X.*a list of numbers"),
        ({"X": [840, 10**400, 5]}, "trial 1: X.*a list of numbers"),
        ({"Y": [525]}, "3 X, 1 Y and length=3 must be as many"),
        ({"length": 4}, "length=4 must be as many"),
        ({"correct": 2}, "correct=2: expected 0 or 1"),
        ({"subject": "1"}, "subject"),
        ({"task": " "}, "task"),
        ({"fixOnTarget": 1}, "fixOnTarget=1: expected true or false"),
        # The release in which everything is scaled.
        ({"X": [256, 9, 9], "Y": [160, 9, 9]}, r"begin at \(256, 160\).*scaled to another size"),
    ],
)
def test_a_trial_that_is_not_as_it_should_be_is_named(tmp_path, changed, says):
    path = write(tmp_path / "a.json", trial(**changed))
    with pytest.raises(ValueError, match=says) as error:
        read_sought(path)
    assert "a.json" in str(error.value) and "\n" not in str(error.value)


def test_other_files_are_refused(tmp_path):
    with pytest.raises(ValueError, match="trial 1 lacks condition"):
        read_sought(
            write(tmp_path / "a.json", {k: v for k, v in trial().items() if k != "condition"})
        )
    with pytest.raises(ValueError, match="trial 1: expected one object"):
        read_sought(write(tmp_path / "b.json", [1]))
    with pytest.raises(ValueError, match="expected a list of trials, found a dict"):
        (tmp_path / "c.json").write_text("{}")
        read_sought(tmp_path / "c.json")
    with pytest.raises(ValueError, match="has no trial"):
        read_sought(write(tmp_path / "d.json"))
    with pytest.raises(ValueError, match="has no coco_search18_fixations_TP"):
        read_sought(tmp_path)


def test_a_trial_is_there_once_and_a_target_has_one_box(tmp_path):
    with pytest.raises(ValueError, match="trial 2: subject=1: expected each person once"):
        read_sought(write(tmp_path / "a.json", trial(), trial()))
    with pytest.raises(ValueError, match=r"trial 2: bbox.*the box of the trials before"):
        read_sought(write(tmp_path / "a.json", trial(), trial(subject=2, bbox=[1, 1, 9, 9])))
    for split in ("split1", "split2"):  # two ways to part the same trials
        write(tmp_path / f"coco_search18_fixations_TP_train_{split}.json", trial())
    with pytest.raises(ValueError, match="is a trial in two files"):
        read_sought(tmp_path)

"""ScienceQA: the test part's questions with a picture, of the official files and of the hub."""

from __future__ import annotations

import json

import pytest
from option_lines import lines_of, picture, right
from PIL import Image

from seal.evaluation.named_tasks import task_named
from seal.evaluation.scorings.named import scoring_named
from seal.evaluation.sources.rows import ListedRows

SPEC = task_named("scienceqa")


def problem(**more):
    return {
        "question": "Which is it?", "choices": ["a bone", "a leaf"], "answer": 1, "hint": "",
        "image": "image.png", "task": "closed choice", "grade": "grade4", "split": "test",
        "subject": "natural science", "topic": "biology", **more,
    }  # fmt: skip


PROBLEMS = {
    "11": problem(),
    "4": problem(hint="Look at the map.", subject="social science", choices=["x", "y", "z"]),
    "5": problem(image=None),
    "6": problem(split="train"),
}


def folder(path, problems=PROBLEMS, test=("11", "4", "5"), images="test"):
    for name in test:
        (path / images / name).mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 3)).save(path / images / name / "image.png")
    (path / "problems.json").write_text(json.dumps(problems))
    (path / "pid_splits.json").write_text(json.dumps({"test": list(test), "train": ["6"]}))
    return path


@pytest.mark.parametrize("images", ["test", "images/test"])
def test_questions_of_the_test_part_with_a_picture_are_asked(tmp_path, images):
    task = SPEC.task(str(folder(tmp_path, images=images)))
    first, second = task.questions()
    assert [first.id, second.id] == ["11", "4"]
    assert first.image == f"{images}/11/image.png" and task.images.open(first.image).width == 4
    assert (first.options, first.answer) == (("a bone", "a leaf"), 1)
    assert first.text == "Which is it?"
    assert second.text == "Context: Look at the map.\nWhich is it?"
    assert [first.split, second.split] == ["natural science", "social science"]
    (put,) = scoring_named("letter_llava").wordings(second, 0)
    assert put.text.startswith("Context: Look at the map.\nWhich is it?\nA. x\nB. y\nC. z\nAnswer")
    found = SPEC.task("").metrics(lines_of([first, second], right, "letter_llava"))
    assert found["overall"]["accuracy"]["value"] == 1 and found["overall"]["accuracy"]["n"] == 2


def test_the_hubs_rows_ask_the_same_and_leave_out_what_has_no_picture(tmp_path):
    content = [
        PROBLEMS[name] | {"image": picture() if PROBLEMS[name]["image"] else None}
        for name in ("11", "5", "4")
    ]
    rows = ListedRows("hub:lmms-lab/ScienceQA", content, [", row 0", ", row 1", ", row 2"])
    questions, images = SPEC.read_rows(rows)
    assert [q.id for q in questions] == ["0", "2"] and images.open("2").size == (8, 6)
    local = SPEC.task(str(folder(tmp_path))).questions()
    for part in ("text", "options", "answer", "split", "meta"):
        assert [getattr(q, part) for q in questions] == [getattr(q, part) for q in local]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"answer": 2}, "answer=2: expected the place of an option, 0 to 1"),
        ({"choices": ["alone"]}, "choices=.*2 to 26 options"),
        ({"subject": "chess"}, 'subject="chess": expected one of natural science'),
        ({"hint": 3}, "hint=3"),
        ({"question": " "}, "question="),
    ],
)
def test_a_problem_that_is_wrong_is_named(tmp_path, change, says):
    where = folder(tmp_path, {"11": problem(**change)}, ["11"])
    with pytest.raises(ValueError, match=rf"problems\.json: .*11.*: {says}"):
        SPEC.task(str(where)).questions()


def test_files_that_contradict_each_other_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"test has 12, which is none of .*problems\.json"):
        SPEC.task(str(folder(tmp_path, test=("11", "12")))).questions()
    (tmp_path / "pid_splits.json").write_text(json.dumps({"val": ["11"]}))
    with pytest.raises(ValueError, match=r"pid_splits\.json: test must be a list"):
        SPEC.task(str(tmp_path)).questions()
    with pytest.raises(ValueError, match="no problem of the test part has a picture"):
        SPEC.task(str(folder(tmp_path / "b", {"5": problem(image="")}, ["5"]))).questions()

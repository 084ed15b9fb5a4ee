from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from seal.evaluation.judged import Judged
from seal.evaluation.tasks.visual_probe import SPEC, metrics, read


def row(number: int, image: str, **values: Any) -> dict[str, Any]:
    return {
        "images": [image], "problem": f"<image>\nWhat is at {number}?", "solution": "a red mug",
        "data_source": "visual_probe", "doc_id": number,
    } | values  # fmt: skip


def write_split(folder: Path, name: str, rows: list[dict[str, Any]]) -> Path:
    split = folder / f"VisualProbe_{name}"
    (split / "data").mkdir(parents=True, exist_ok=True)
    (split / "val.json").write_text(json.dumps(rows))
    for entry in rows:
        for image in entry.get("images", ()):
            (split / "data" / Path(image).name).write_bytes(b"")
    return split


def bench(folder: Path) -> Path:
    write_split(folder, "Hard", [row(0, "VisualProbe_Hard/data/h0.jpg")])
    # Some copies name pictures from the split's own folder on.
    write_split(folder, "Easy", [row(0, "data/e0.jpg"), row(1, "data/e0.jpg")])
    write_split(folder, "Medium", [row(0, "VisualProbe_Medium/data/m0.jpg")])
    return folder


def test_the_three_levels_are_read_with_their_pictures(tmp_path):
    questions, images = read(bench(tmp_path))
    assert [(q.id, q.split, q.image) for q in questions] == [
        ("easy/0", "easy", "VisualProbe_Easy/data/e0.jpg"),
        ("easy/1", "easy", "VisualProbe_Easy/data/e0.jpg"),
        ("medium/0", "medium", "VisualProbe_Medium/data/m0.jpg"),
        ("hard/0", "hard", "VisualProbe_Hard/data/h0.jpg"),
    ]
    assert all(images.has(q.image or "") for q in questions)
    assert questions[1].text == "What is at 1?" and questions[1].labels == ("a red mug",)


def test_one_level_is_read_alone(tmp_path):
    questions, images = read(bench(tmp_path) / "VisualProbe_Hard")
    assert [q.id for q in questions] == ["hard/0"] and images.has(questions[0].image or "")


def test_accuracy_is_the_share_that_the_judge_calls_right(tmp_path):
    questions, _ = read(bench(tmp_path))
    grades = [1.0, None, 0.0, None]
    lines = [{"answer": {"text": "a mug"}, "grade": {"score": grade}} for grade in grades]
    lines[3] = {"answer": {"text": ""}}
    judged = [
        Judged(q, line, SPEC.judge(q, line)) for q, line in zip(questions, lines, strict=True)
    ]
    splits = metrics(judged, 0)
    assert list(splits) == ["easy", "medium", "hard", "overall"]
    found = {
        name: (of["accuracy"]["value"], of["accuracy"]["n"], of["ungraded"])
        for name, of in splits.items()
    }
    assert found == {
        "easy": (1.0, 1, 1), "medium": (0.0, 1, 0), "hard": (0.0, 1, 0), "overall": (1 / 3, 3, 1),
    }  # fmt: skip
    assert splits["overall"]["accuracy"]["invalid"] == 1
    low, high = (splits["overall"]["accuracy"][end] for end in ("low", "high"))
    assert 0 < low < 0.1 and 0.7 < high < 0.9  # Wilson's: each is of a picture of its own


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ([row(0, "a.jpg"), row(0, "b.jpg")], r"entry 2: doc_id=0"),
        ([row(0, "a.jpg", images=["a.jpg", "b.jpg"])], "entry 1: images="),
        ([row(0, "a.jpg", images=[])], "entry 1: images="),
        ([row(0, "a.jpg", problem="<image>\n")], "entry 1: problem="),
        ([row(0, "a.jpg", solution=" ")], "entry 1: solution="),
        ([row(0, "a.jpg"), {"doc_id": 1}], "entry 2 lacks problem, solution, images"),
        ([], "has no entries"),
    ],
)
def test_a_malformed_entry_is_named(tmp_path, rows, problem):
    split = write_split(tmp_path, "Easy", rows)
    with pytest.raises(ValueError, match=problem) as caught:
        read(tmp_path)
    assert str(caught.value).startswith(str(split / "val.json"))


def test_another_folder_is_refused_with_what_is_expected(tmp_path):
    with pytest.raises(ValueError, match="expected folders VisualProbe_Easy"):
        read(tmp_path)
    (tmp_path / "val.json").write_text("[]")
    with pytest.raises(ValueError, match="expected folders VisualProbe_Easy"):
        read(tmp_path)

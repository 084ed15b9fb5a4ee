"""ChartQA: official files and the hub's rows ask the same, and numbers may be a little wrong."""

from __future__ import annotations

import json

import pytest
from option_lines import picture, written_line
from PIL import Image

from seal.evaluation.named_tasks import task_named
from seal.evaluation.sources.rows import ListedRows

SPEC = task_named("chartqa")
ASKED = {
    "human": [("a.png", "How many bars?", "14"), ("a.png", "Which is largest?", "Mint")],
    "augmented": [("b.png", "What was the share in 2019?", "37.5")],
}


def folder(path):
    (path / "png").mkdir(parents=True)
    for name in ("a.png", "b.png"):
        Image.new("RGB", (4, 3)).save(path / "png" / name)
    for kind, of in ASKED.items():
        rows = [{"imgname": i, "query": q, "label": a} for i, q, a in of]
        (path / f"test_{kind}.json").write_text(json.dumps(rows))
    return path


def hub_rows():
    rows = [
        {"type": f"{kind}_test", "question": q, "answer": a, "image": picture()}
        for kind, of in ASKED.items()
        for _, q, a in of
    ]
    return ListedRows("hub:lmms-lab/ChartQA", rows, [f", row {i}" for i in range(len(rows))])


def test_both_forms_ask_the_same_by_who_asked(tmp_path):
    task = SPEC.task(str(folder(tmp_path)))
    questions = task.questions()
    assert [q.id for q in questions] == ["human/0", "human/1", "augmented/0"]
    assert [q.image for q in questions] == ["png/a.png", "png/a.png", "png/b.png"]
    assert task.images.open("png/a.png").size == (4, 3)
    others, images = SPEC.read_rows(hub_rows())
    parts = ("id", "text", "split", "labels")
    assert [[getattr(q, part) for part in parts] for q in others] == [
        [getattr(q, part) for part in parts] for q in questions
    ]
    assert images.open("human/1").size == (8, 6)


def test_overall_is_over_all_questions_and_numbers_may_be_a_little_wrong(tmp_path):
    questions = SPEC.task(str(folder(tmp_path))).questions()
    lines = [
        written_line(question, said, "short_answer")
        for question, said in zip(questions, ("14.5", "mint.", "40"), strict=True)
    ]
    found = SPEC.task("").metrics(lines)
    assert found["human"]["accuracy"]["value"] == 1 and found["augmented"]["accuracy"]["value"] == 0
    assert found["overall"]["accuracy"]["value"] == pytest.approx(2 / 3)


def test_what_is_missing_or_wrong_is_named(tmp_path):
    where = folder(tmp_path)
    (where / "test_human.json").write_text(json.dumps([{"imgname": "a.png", "query": "?"}]))
    with pytest.raises(ValueError, match=r"test_human\.json lacks the column label"):
        SPEC.task(str(where)).questions()
    (where / "test_human.json").unlink()
    with pytest.raises(ValueError, match=r"has no test_human\.json"):
        SPEC.task(str(where)).questions()
    rows = ListedRows(
        "rows", [{"type": "val", "question": "?", "answer": "1", "image": None}], [""]
    )
    with pytest.raises(ValueError, match='type="val": expected one of human_test, augmented_test'):
        SPEC.read_rows(rows)

"""VizWiz: the official file and the hub's rows, judged by how many annotators agree."""

from __future__ import annotations

import json

import pytest
from option_lines import picture, written_line
from PIL import Image

from seal.evaluation.named_tasks import task_named
from seal.evaluation.scorings.named import scoring_named
from seal.evaluation.sources.rows import ListedRows

SPEC = task_named("vizwiz")
TEN = ["unanswerable"] * 2 + ["soup"] * 8


def entry(**more):
    return {
        "image": "VizWiz_val_00000003.jpg", "question": "What is this?", "answerable": 1,
        "answers": [{"answer": one, "answer_confidence": "yes"} for one in TEN],
        "answer_type": "other", **more,
    }  # fmt: skip


def folder(path, *entries):
    (path / "val").mkdir(parents=True)
    Image.new("RGB", (4, 3)).save(path / "val" / "VizWiz_val_00000003.jpg")
    (path / "val.json").write_text(json.dumps(list(entries) or [entry()]))
    return path


def test_both_forms_ask_the_same(tmp_path):
    task = SPEC.task(str(folder(tmp_path)))
    (question,) = task.questions()
    assert (question.id, question.split) == ("VizWiz_val_00000003", "other")
    assert question.labels == tuple(TEN)
    assert task.images.open(question.image).size == (4, 3)
    row = {"question_id": "VizWiz_val_00000003", "question": "What is this?", "answers": TEN,
           "category": "other", "image": picture()}  # fmt: skip
    (other,), images = SPEC.read_rows(ListedRows("rows", [row], [", row 0"]))
    for part in ("id", "text", "split", "labels"):
        assert getattr(other, part) == getattr(question, part)
    assert images.open(other.image).size == (8, 6)


@pytest.mark.parametrize(
    ("said", "credit"), [("Unanswerable", (8 * 2 / 3 + 2 * 1 / 3) / 10), ("soup", 1), ("tin", 0)]
)
def test_an_answer_earns_what_its_annotators_give(tmp_path, said, credit):
    (question,) = SPEC.task(str(folder(tmp_path))).questions()
    scoring = SPEC.scorings[0]
    assert SPEC.judge(question, written_line(question, said, scoring))["credit"] == pytest.approx(
        credit
    )


def test_it_is_said_what_to_answer_where_nothing_can_be(tmp_path):
    (question,) = SPEC.task(str(folder(tmp_path))).questions()
    (put,) = scoring_named(SPEC.scorings[0]).wordings(question, 0)
    assert put.text == (
        "What is this?\nWhen the provided information is insufficient, respond with "
        "'Unanswerable'.\nAnswer the question using a single word or phrase."
    )


@pytest.mark.parametrize(
    ("entries", "says"),
    [
        ([entry(answers=None)], r"entry 1: answers=null.*test sets have none"),
        ([entry(answer_type="odd")], 'answer_type="odd": expected one of yes/no'),
        ([entry(), entry()], "entry 2: image=.*an id of its own"),
        ([{"image": "a.jpg"}], "lacks the column question"),
    ],
)
def test_an_entry_that_is_wrong_is_named(tmp_path, entries, says):
    with pytest.raises(ValueError, match=says):
        SPEC.task(str(folder(tmp_path, *entries))).questions()

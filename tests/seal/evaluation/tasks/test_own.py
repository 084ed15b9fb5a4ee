from __future__ import annotations

import json

import pytest
from fakes import FakeAnswerModel
from PIL import Image

from seal.evaluation.named_tasks import task_named
from seal.evaluation.run import Benchmark
from seal.evaluation.run_metrics import benchmark_metrics
from seal.evaluation.systems import Systems
from seal.geometry import Box
from seal.pipeline import ProtocolConfig

MUG = {
    "id": "k1", "image": "p/1.png", "question": "Which colour is the mug?",
    "options": ["red", "blue"], "answer": "blue", "category": "colour",
    "targets": [{"name": "mug", "boxes": [[40, 60, 60, 76]]}],
}  # fmt: skip
SIGN = {"id": 2, "image": "p/1.png", "question": "What does the sign say?", "answers": ["Exit."]}


def write(tmp_path, *rows):
    path = tmp_path / "mine.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def questions(tmp_path, *rows):
    return task_named("own").task(str(write(tmp_path, *rows)), require_images=False).questions()


def judged(question, text, scoring="letter_or_short"):
    line = {
        "id": question.id, "system": "s", "scoring": scoring, "question": question.to_dict(),
        "presented": [[1, 0]] if question.options else None,
        "answer": None if text is None else {"text": text, "texts": [text], "losses": []},
    }  # fmt: skip
    return task_named("own").task().score(question, line), line


def test_a_line_is_a_question_with_options_or_with_labels(tmp_path):
    mug, sign = questions(tmp_path, MUG, SIGN)
    assert (mug.id, mug.options, mug.answer, mug.split) == ("k1", ("red", "blue"), 1, "colour")
    assert mug.targets[0].boxes == (Box(40, 60, 60, 76),)
    assert (sign.id, sign.options, sign.answer, sign.labels) == ("2", (), None, ("Exit.",))


@pytest.mark.parametrize(
    ("options", "answer", "right"),
    [(["red", "blue"], "A", 0), (["red", "blue"], " Blue", 1), (["B", "A"], "A", 1),
     (["b", "x"], "B", 0)],
)  # fmt: skip
def test_the_right_option_is_told_by_its_words_else_by_its_letter(tmp_path, options, answer, right):
    (question,) = questions(tmp_path, MUG | {"options": options, "answer": answer})
    assert question.answer == right


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (MUG | {"answer": "green"}, 'mine.jsonl:1: answer="green": expected the words of an opt'),
        (MUG | {"answer": "C"}, 'answer="C": expected the words'),
        (MUG | {"answer": 1}, "answer=1: expected a text"),
        (MUG | {"answers": ["blue"]}, "a question with options has one answer"),
        (MUG | {"options": ["red", "Red"]}, "expected two or more different options"),
        (MUG | {"options": [str(i) for i in range(27)], "answer": "1"}, "expected at most 26"),
        (MUG | {"opions": []}, "has opions, which is none of id, question"),
        (MUG | {"category": "overall"}, "expected another name"),
        (MUG | {"targets": [{"boxes": []}]}, "expected objects with name, boxes"),
        (MUG | {"targets": [{"name": "m", "boxes": [[4, 4, 2, 6]]}]}, r"expected \[x0, y0, x1, y"),
        (MUG | {"targets": [{"name": "m", "boxes": [[0, 0, float("nan"), 6]]}]}, "expected .x0"),
        (MUG | {"meta": []}, r"meta=\[\]: expected an object"),
        (MUG | {"id": None}, "id=null: expected a number or a text"),
        (MUG | {"image": 3}, "image=3: expected a text"),
        (SIGN | {"answers": []}, "expected at least one right answer"),
        (SIGN | {"answers": ["a", ""]}, "expected a list of texts that are not empty"),
        (SIGN | {"answer": "exit"}, "give options with an answer, or answers in words"),
        ({"id": 1, "question": "?"}, "give options with an answer, or answers in words"),
        ({"id": 1}, "mine.jsonl:1 lacks question"),
        ([], "expected one object with id, question, found a list"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_line(tmp_path, row, says):
    with pytest.raises(ValueError, match=says):
        questions(tmp_path, row)


def test_one_id_is_one_question(tmp_path):
    with pytest.raises(ValueError, match=r"mine\.jsonl:3: id=\"2\": expected an id that line 2 ha"):
        questions(tmp_path, MUG, SIGN, SIGN | {"id": "2"})
    (tmp_path / "mine.jsonl").write_text("\n" * 600)
    with pytest.raises(ValueError, match="nothing but blanks"):
        task_named("own").task(str(tmp_path / "mine.jsonl")).questions()


@pytest.mark.parametrize(
    ("text", "credit", "exact"),
    [("exit", 1, True), ("  EXIT. ", 1, True), ("The exit!", 1, False), ("no exit", 0, False)],
)
def test_words_count_after_vqas_normalization_and_exactly_beside_it(tmp_path, text, credit, exact):
    (question,) = questions(tmp_path, SIGN)
    score, _ = judged(question, text)
    assert (score["credit"], score["exact"], score["invalid"]) == (credit, exact, False)


@pytest.mark.parametrize("text", ["A", "a", "A.", "(A)"])
def test_a_letter_that_is_an_article_is_right_however_it_is_written(tmp_path, text):
    (question,) = questions(tmp_path, SIGN | {"answers": ["A"]})
    assert judged(question, text)[0]["credit"] == 1


@pytest.mark.parametrize("text", [None, "", " \n"])
def test_no_words_are_invalid(tmp_path, text):
    (question,) = questions(tmp_path, SIGN)
    score, _ = judged(question, text)
    assert (score["credit"], score["invalid"]) == (0, True)


def test_letters_count_for_the_option_that_stood_there(tmp_path):
    (question,) = questions(tmp_path, MUG)
    assert judged(question, "A")[0]["credit"] == 1
    assert judged(question, "(B)")[0]["credit"] == 0


def test_vqa_accuracy_stands_where_every_question_has_ten_annotators(tmp_path):
    ten = SIGN | {"answers": ["exit"] * 2 + ["way out"] * 8}
    task = task_named("own").task()
    (question,) = questions(tmp_path, ten)
    of = task.metrics([judged(question, "exit")[1]])["overall"]
    assert of["accuracy"]["value"] == 1 and of["exact"]["value"] == 1
    assert of["vqa_accuracy"]["value"] == pytest.approx(0.6)  # (2 x 1/3 + 8 x 2/3) / 10
    (question,) = questions(tmp_path, SIGN)
    assert "vqa_accuracy" not in task.metrics([judged(question, "exit")[1]])["overall"]


def test_a_file_of_both_kinds_runs_from_end_to_end(tmp_path):
    path = write(tmp_path, MUG, SIGN)
    (tmp_path / "p").mkdir()
    Image.new("RGB", (64, 48), (90, 120, 60)).save(tmp_path / "p" / "1.png")
    task = task_named("own").task(str(path))
    put = f"{SIGN['question']}\nAnswer the question using a single word or phrase."
    model = FakeAnswerModel({}, {put: "exit"})
    systems = Systems(("none",), model, None, protocol=ProtocolConfig())
    lines = Benchmark(task, tmp_path / "out", scoring="letter_or_short").predict(systems)
    assert sorted(lines[0]["presented"][0]) == [0, 1] and lines[1]["presented"] == [[]]
    found = benchmark_metrics(task, lines)["systems"]["none"]
    assert list(found) == ["colour", "overall"] and found["overall"]["accuracy"]["n"] == 2
    assert found["overall"]["exact"]["value"] == 1

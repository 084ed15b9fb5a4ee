from __future__ import annotations

import json
import math

import pytest

from seal.evaluation.recorded.forms import FORMS, read_said

LLAVA = {"question_id": 7, "prompt": "Which?\nA. red\nB. blue", "text": "B", "model_id": "m-7b"}
ZOOM_EYE = {"input_image": "a/x.jpg", "output": 1, "per_option_losses": [0.5, 0.25, None]}
LMMS_2024 = {"logs": [{"doc_id": 3, "target": "A", "doc": {"question_id": "q3"},
                       "arguments": [["Which?\nA. red", 0]], "resps": [["A."]],
                       "filtered_resps": ["A."]}]}  # fmt: skip
LMMS_2025 = {"doc_id": 3, "doc": {"question": "Which?", "A": "red", "B": "blue", "C": "nan"},
             "target": "A", "resps": [["A."]], "filtered_resps": ["A."],
             "acc": {"question_id": 9}}  # fmt: skip
LMMS_2026 = {"doc_id": 3, "target": "A", "input": "Which?", "filtered_resps": "A."}
KIT = {"index": 5.0, "question": "Which?", "A": "red", "B": 12.0, "C": None, "answer": "B",
       "prediction": "A"}  # fmt: skip
VICROP = {"id": "k", "original_answer": "red", "crop_answer": None, "labels": ["red"]}


def said_of(tmp_path, content, suffix=".jsonl", form=None):
    path = tmp_path / f"a{suffix}"
    text = json.dumps(content) if suffix == ".json" else "".join(map(as_line, content))
    path.write_text(text, encoding="utf-8")
    return read_said(path, form)


def as_line(row):
    return row if isinstance(row, str) else json.dumps(row) + "\n"


def test_a_line_of_llava_is_a_text_with_its_prompt(tmp_path):
    (said,), form = said_of(tmp_path, [LLAVA])
    assert (form.name, said.id, said.text) == ("llava", "7", "B")
    assert said.hints.prompt == LLAVA["prompt"]


def test_zoom_eye_names_the_option_and_its_losses(tmp_path):
    (said,), form = said_of(tmp_path, [ZOOM_EYE])
    assert (form.name, said.id, said.chosen, said.text) == ("zoom_eye", "a/x.jpg", 1, None)
    assert said.losses[:2] == (0.5, 0.25) and math.isnan(said.losses[2])


def test_zoom_eye_keeps_the_rotations_of_a_question_in_one_row(tmp_path):
    row = {
        "index": 4, "question": "Which?", "input_image": "4.jpg", "answer": ["A", "B"],
        "options": ["A. red\nB. blue\n", "A. blue\nB. red\n"], "output": ["A", "B. red"],
    }  # fmt: skip
    said, _ = said_of(tmp_path, [row])
    assert [s.hints.names for s in said] == [("4",), ("5",)]
    assert [s.hints.options for s in said] == [("red", "blue"), ("blue", "red")]
    assert [(s.text, s.hints.truth) for s in said] == [("A", "A"), ("B. red", "B")]


@pytest.mark.parametrize("content", [LMMS_2024, [LMMS_2025], [LMMS_2026]], ids=["24", "25", "26"])
def test_three_editions_of_lmms_evals_samples_are_read(tmp_path, content):
    suffix = ".json" if isinstance(content, dict) else ".jsonl"
    (said,), form = said_of(tmp_path, content, suffix)
    assert (form.name, said.id, said.text) == ("lmms_eval", "", "A.")
    assert (said.hints.number, said.hints.truth) == (3, "A")


def test_lmms_evals_row_tells_the_question_where_the_edition_keeps_it(tmp_path):
    (old,), _ = said_of(tmp_path, LMMS_2024, ".json")
    assert (old.hints.names, old.hints.prompt) == (("q3",), "Which?\nA. red")
    (middle,), _ = said_of(tmp_path, [LMMS_2025])
    assert (middle.hints.names, middle.hints.question) == (("9",), "Which?")
    assert middle.hints.options == ("red", "blue")
    (new,), _ = said_of(tmp_path, [LMMS_2026])
    assert (new.hints.names, new.hints.prompt) == ((), "Which?")


def test_lmms_evals_likelihoods_are_losses(tmp_path):
    row = LMMS_2026 | {"filtered_resps": [["1.5", "False"], ["nan", "False"], ["0.25", "True"]]}
    (said,), _ = said_of(tmp_path, [row])
    assert said.text is None and said.losses[0] == 1.5 and said.losses[2] == 0.25
    assert math.isnan(said.losses[1])


def test_vlmevalkits_row_is_a_row_of_the_benchmark_with_a_prediction(tmp_path):
    (said,), form = said_of(tmp_path, [KIT], ".json")
    assert (form.name, said.text, said.hints.names) == ("vlmevalkit", "A", ("5",))
    assert (said.hints.options, said.hints.truth) == (("red", "12"), "B")
    assert said.hints.number == 5  # where the benchmark's questions have names of their own


def test_what_vlmevalkit_writes_when_the_model_was_not_reached_is_no_answer(tmp_path):
    row = KIT | {"prediction": "Failed to obtain answer via API. "}
    (said,), _ = said_of(tmp_path, [row])
    assert said.text is None and "Failed" in said.more["failed"]


def test_vicrops_entry_is_two_systems(tmp_path):
    said, form = said_of(tmp_path, [VICROP], ".json")
    assert form.name == "vicrop"
    assert [(s.system, s.text) for s in said] == [("original", "red"), ("crop", None)]


@pytest.mark.parametrize("suffix", [".tsv", ".csv"])
def test_tables_hold_losses_as_json_and_places_as_text(tmp_path, suffix):
    tab = "\t" if suffix == ".tsv" else ";"
    head, row = ["id", "losses"], ["a", "[0.5, NaN]"]
    if suffix == ".csv":
        tab, row = ",", ["a", '"[0.5, NaN]"']
    (said,), _ = said_of(tmp_path, [tab.join(head) + "\n", tab.join(row) + "\n"], suffix)
    assert said.losses[0] == 0.5 and math.isnan(said.losses[1])


def test_an_object_by_id_is_a_row_of_each(tmp_path):
    said, _ = said_of(tmp_path, {"v1": "red", "v2": {"prediction": "blue"}, "v3": None}, ".json")
    assert [(s.id, s.text) for s in said] == [("v1", "red"), ("v2", "blue"), ("v3", None)]


def test_an_answer_beside_a_prediction_is_the_right_one(tmp_path):
    (said,), _ = said_of(tmp_path, [{"id": 1, "answer": "B", "prediction": "A"}])
    assert (said.text, said.hints.truth) == ("A", "B")
    (said,), _ = said_of(tmp_path, [{"question_id": 1, "answer": "red"}])  # VQA's own form
    assert (said.text, said.hints.truth) == ("red", None)


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([{"a": 1}], r"a\.jsonl:1 is of no known form, it has a; known are llava: question_id"),
        ([LLAVA | LMMS_2026], "is of llava and of lmms_eval"),
        ([LLAVA, {"question_id": 8}], "a.jsonl:2 lacks text"),
        ([LLAVA | {"text": ["B"]}], r"a\.jsonl:1: text=\['B'\]: expected a text"),
        ([LLAVA | {"question_id": None}], "question_id is empty"),
        ([LLAVA | {"question_id": {}}], "question_id={}: expected a number or a text"),
        ([ZOOM_EYE | {"output": -1}], "output=-1: expected a place"),
        ([ZOOM_EYE | {"output": 1.5}], "output=1.5: expected a place"),
        ([ZOOM_EYE | {"output": True}], "output=True: expected a place"),
        ([ZOOM_EYE | {"per_option_losses": 0.5}], "per_option_losses=0.5: expected a list"),
        ([ZOOM_EYE | {"per_option_losses": ["1"]}], "per_option_losses holds '1': expected num"),
        ([ZOOM_EYE | {"per_option_losses": []}], r"per_option_losses=\[\]: expected a list"),
        ([ZOOM_EYE | {"output": ["A"]}], "lacks question, options, answer"),
        ([LMMS_2026 | {"filtered_resps": ["A", "B"]}], "expected one answer, found 2"),
        ([LMMS_2026 | {"doc_id": "x"}], "doc_id='x': expected a place"),
        ([{"id": 1, "text": "A", "output": "B"}], "has text and output: which of them"),
        ([{"id": 1, "options": ["a", "b"], "answer": "a"}], "no answer of a system"),
        ([{"id": 1, "text": "\ud800"}], "half of a character"),
        (['{"id": 1, "text": "a"'], "a.jsonl:1 is not JSON"),
        (['{"id": 1, "text": "a", "id": 2}'], "'id' stands twice, as 1 and as 2"),
        (["[1]"], "expected an object"),
        ([" \n"], "holds no answers"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_row(tmp_path, rows, says):
    with pytest.raises(ValueError, match=says):
        said_of(tmp_path, rows)


def test_a_named_form_is_taken_as_named(tmp_path):
    both = LLAVA | LMMS_2026
    assert said_of(tmp_path, [both], form="llava")[0][0].text == "B"
    assert said_of(tmp_path, [both], form="lmms_eval")[0][0].text == "A."
    with pytest.raises(ValueError, match=r"lacks doc_id"):
        said_of(tmp_path, [LLAVA], form="lmms_eval")
    with pytest.raises(ValueError, match=r"form='xml' is none of llava, zoom_eye"):
        said_of(tmp_path, [LLAVA], form="xml")
    assert "plain" in FORMS

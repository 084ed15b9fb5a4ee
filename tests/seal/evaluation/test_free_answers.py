"""Result files of ViCrop, and any others with labels, are judged in both ways, with intervals."""

from __future__ import annotations

import json

import pytest
from golden_files import golden_json
from programs_here import run_program

from seal.evaluation.answer_scorers import SCORERS
from seal.evaluation.score import ScoreRun, run_score, score_table
from seal.pages.table import markdown

KINDS = {
    "vicrop_textvqa": "vqa", "vicrop_vqav2": "vqa", "vicrop_aokvqa": "vqa", "vicrop_gqa": "gqa",
    "vicrop_docvqa": "docvqa", "vicrop_pope": "pope", "vicrop_vstar": "vstar",
}  # fmt: skip
ROWS = [
    {"id": "a", "question": "Color?", "labels": ["red"] * 10, "original_answer": "blue",
     "crop_answer": "Red."},
    {"id": "b", "question": "What?", "labels": ["two", "2"] * 5, "original_answer": "2",
     "crop_answer": "two"},
]  # fmt: skip


def judge(tmp_path, task, content, file="llava-x-rel_att.json", **options):
    path = tmp_path / file
    text = json.dumps(content) if file.endswith(".json") else "\n".join(map(json.dumps, content))
    path.write_text(text, encoding="utf-8")
    return run_score(ScoreRun(task=task, answers=str(path), out=str(tmp_path / "out"), **options))


def test_every_benchmark_of_the_original_has_a_scorer():
    assert set(KINDS) == set(SCORERS)


@pytest.mark.goldens("vicrop_scores")
@pytest.mark.parametrize("task", KINDS)
def test_result_files_of_the_original_get_the_numbers_of_its_report(tmp_path, task):
    rows = golden_json("vicrop/scores")[KINDS[task]]
    metrics = judge(tmp_path, task, rows)
    expected = golden_json("vicrop/scores")["means"][KINDS[task]]
    for system in ("original", "crop"):
        found = metrics["systems"][system]["overall"]
        assert all(set(m) == {"value", "n", "invalid", "low", "high"} for m in found.values())
        released, standard = found["released"], found["standard"]
        assert released["n"] == expected["rows"]
        assert released["n"] + released["invalid"] == len(rows) == standard["n"]
        assert 100 * released["value"] == pytest.approx(expected[system], abs=1e-9)
        assert released["low"] <= released["value"] <= released["high"]
        assert 0 <= standard["low"] <= standard["value"] <= standard["high"] <= 1
    assert metrics["protocol"] == "vicrop"
    assert set(metrics["paired"]) == {"crop_vs_original"}


def test_the_program_prints_the_table_and_writes_the_numbers(tmp_path, capsys):
    path = tmp_path / "llava-textvqa-rel_att.json"
    path.write_text(json.dumps(ROWS))
    out = tmp_path / "out"
    assert run_program("eval/score", "task=vicrop_textvqa", f"answers={path}", f"out={out}") == 0
    told = capsys.readouterr().out
    assert "released |" in told and "| crop " in told
    assert f"written: {out}" in told and (out / "metrics.json").is_file()
    assert run_program("eval/score", "task=vicrop_x", f"answers={path}", f"out={out}") == 2
    assert "vicrop_textvqa" in capsys.readouterr().err


def test_both_judgements_and_their_difference(tmp_path):
    metrics = judge(tmp_path, "vicrop_textvqa", ROWS)
    original, crop = (metrics["systems"][name]["overall"] for name in ("original", "crop"))
    assert original["standard"]["value"] == crop["standard"]["value"] - 0.5 == 0.5
    assert metrics["paired"]["crop_vs_original"]["overall"]["standard"]["value"] == 0.5
    stored = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert stored == json.loads(json.dumps(metrics))
    table = markdown(score_table(metrics))
    assert "released" in table and "100.0 [" in table and "vicrop_textvqa" in table


def test_kept_answers_are_judged_again_to_the_same_numbers(tmp_path):
    first = judge(tmp_path, "vicrop_gqa", ROWS)
    again = run_score(
        ScoreRun(task="vicrop_gqa", answers=str(tmp_path / "out"), out=str(tmp_path / "again"))
    )
    assert again == first


def test_labels_and_questions_may_stand_in_another_file_and_the_unanswered_count(tmp_path):
    known = tmp_path / "data.json"
    known.write_text(json.dumps([{k: r[k] for k in ("id", "question", "labels")} for r in ROWS]))
    said = [{"question_id": "a", "text": "red"}]
    metrics = judge(tmp_path, "vicrop_textvqa", said, "a.jsonl", annotations=str(known), name="x")
    found = metrics["systems"]["x"]["overall"]
    assert (found["standard"]["value"], found["standard"]["n"]) == (0.5, 2)
    assert (found["standard"]["invalid"], found["released"]["n"]) == (1, 1)
    for wrong, says in [
        ([{"id": "z", "text": ""}], "a.jsonl:1: 'z' is no question of"),
        ([*said, *said], "a.jsonl:2 answers 'a' again as 'x'"),
        ([{"text": ""}], "a.jsonl:1: None is no question of"),
    ]:
        with pytest.raises(ValueError, match=says):
            judge(tmp_path, "vicrop_textvqa", wrong, "a.jsonl", annotations=str(known), name="x")


def test_rows_of_one_name_are_all_counted(tmp_path):
    rows = [{**row, "id": "same"} for row in ROWS]
    metrics = judge(tmp_path, "vicrop_textvqa", rows)
    assert metrics["systems"]["crop"]["overall"]["standard"]["n"] == 2 == metrics["num_questions"]


def test_pope_tells_precision_recall_and_f1(tmp_path):
    rows = [
        {"labels": "yes", "text": "Yes"}, {"labels": "no", "text": "yes, a mug"},
        {"labels": ["no"], "text": "There is not"}, {"labels": "yes", "text": "maybe"},
    ]  # fmt: skip
    found = judge(tmp_path, "vicrop_pope", rows, "a.jsonl")["systems"]["answers"]["overall"]
    assert [found[key]["value"] for key in ("standard", "precision", "recall", "f1", "yes")] == [
        0.5, 0.5, 0.5, 0.5, 0.5,
    ]  # fmt: skip
    assert found["standard"]["invalid"] == 1


def test_vstar_reads_the_letter_where_the_original_compares_spellings(tmp_path):
    question = "Which color?\n(A) It is a red one.\n(B) It is blue.\nAnswer with the letter."
    rows = [
        {"question": question, "labels": ["B"] * 4, "text": "(B)"},
        {"question": question, "labels": ["B"] * 4, "text": "B. It is a red one, no."},
        {"question": question, "labels": "(B)", "text": "It is blue."},
        {"question": question, "labels": ["A"], "text": "neither"},
    ]
    found = judge(tmp_path, "vicrop_vstar", rows, "a.jsonl")["systems"]["answers"]["overall"]
    assert (found["standard"]["value"], found["standard"]["invalid"]) == (0.75, 1)
    assert found["released"]["value"] != found["standard"]["value"]


def own_line(name, text, *, presented=None, split="attribute", answer=1, system="vicrop_rel_att"):
    """As eval/benchmark writes it."""
    question = {
        "id": name, "text": "Which color?", "image": "a.jpg", "targets": [], "meta": {},
        "options": ["It is a red one.", "It is blue."], "answer": answer, "split": split,
    }  # fmt: skip
    said = None if text is None else {"text": text, "losses": []}
    return {"id": name, "system": system, "task": "vstar_bench", "protocol": "default",
            "scoring": "string" if presented is None else "letter", "question": question,
            "presented": presented, "answer": said, "error": None}  # fmt: skip


def test_our_own_benchmark_runs_are_judged_as_vicrop_judged_vstar(tmp_path):
    lines = [
        own_line("a", "It is blue."),
        own_line("b", "(A)", presented=[[1, 0]]),
        own_line("c", "It is a red one.", split="spatial"),
        own_line("d", None, split="spatial"),
    ]
    systems = judge(tmp_path, "vicrop_vstar", lines, "predictions.jsonl")["systems"]
    assert list(systems["vicrop_rel_att"]) == ["attribute", "spatial", "overall"]
    attribute, spatial, overall = systems["vicrop_rel_att"].values()
    assert attribute["standard"]["value"] == 1 and spatial["standard"]["value"] == 0
    assert (overall["standard"]["value"], overall["standard"]["invalid"]) == (0.5, 1)
    # Four equal labels of 0.3 each are full credit.
    assert (overall["released"]["n"], overall["released"]["invalid"]) == (3, 1)
    assert overall["released"]["value"] == pytest.approx(2 / 3)
    lines[1] = own_line("b", "(A)", presented=[1, 0])  # the form of before
    again = judge(tmp_path, "vicrop_vstar", lines, "before.jsonl")["systems"]
    assert again == systems
    kept = [json.loads(line) for line in (tmp_path / "out" / "predictions.jsonl").open()]
    assert kept[1]["question"].splitlines()[1:3] == ["(A) It is blue.", "(B) It is a red one."]
    assert kept[1]["labels"] == ["A"] * 4


def test_the_right_answer_beside_what_was_said_is_not_what_was_said(tmp_path):
    rows = [{"id": "a", "labels": ["red"], "answer": "red", "prediction": "blue"}]
    found = judge(tmp_path, "vicrop_gqa", rows, "a.jsonl")["systems"]["answers"]["overall"]
    assert found["standard"]["value"] == found["released"]["value"] == 0
    with pytest.raises(ValueError, match=r"a\.jsonl:1 has text and output: which of them was said"):
        judge(tmp_path, "vicrop_gqa", [{"text": "a", "output": "b", "labels": "a"}], "a.jsonl")


def test_labels_of_two_questions_of_one_name_are_refused(tmp_path):
    known = tmp_path / "data.json"
    known.write_text(json.dumps([{"id": "a", "labels": ["red"]}, {"id": "a", "labels": ["blue"]}]))
    said = [{"id": "a", "text": "red"}]
    with pytest.raises(ValueError, match=r"data\.json: entry 2 is called 'a', as is .*entry 1"):
        judge(tmp_path, "vicrop_gqa", said, "a.jsonl", annotations=str(known))


def test_questions_of_one_image_stand_or_fall_together(tmp_path):
    rows = [
        {"id": f"{image}{n}", "labels": "yes", "image": f"{image}.jpg",
         "original_answer": "no", "crop_answer": "yes" if image < "e" else "no"}
        for image in "abcdefgh" for n in range(6)
    ]  # fmt: skip
    together = judge(tmp_path, "vicrop_pope", rows)
    alone = judge(tmp_path, "vicrop_pope", [{**row, "image": row["id"]} for row in rows])
    for metric in ("released", "standard", "recall"):
        wide, narrow = (m["systems"]["crop"]["overall"][metric] for m in (together, alone))
        assert wide["value"] == narrow["value"] == 0.5
        assert wide["high"] - wide["low"] > 1.5 * (narrow["high"] - narrow["low"])
    wide, narrow = (
        m["paired"]["crop_vs_original"]["overall"]["standard"] for m in (together, alone)
    )
    assert wide["high"] - wide["low"] > 1.5 * (narrow["high"] - narrow["low"])


def test_files_of_labels_may_call_them_by_other_names(tmp_path):
    for key, labels in (("label", "red"), ("answers", ["red"] * 10)):
        rows = [{"id": 1, "text": "Red", key: labels, "category": "colors"}]
        found = judge(tmp_path, "vicrop_gqa", rows, "a.jsonl")["systems"]["answers"]
        assert found["colors"] == found["overall"] and found["overall"]["standard"]["value"] == 1


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ([{"text": "x"}], "has no labels: give the file"),
        ([{"text": "x", "labels": [1]}], r"labels=\[1\]: expected a text or a list"),
        ([{"labels": ["x"]}], "has none of original_answer, crop_answer, text"),
        ([{"text": 3, "labels": ["x"]}], "text=3: expected a text"),
        ([{"text": "x", "labels": ["x"], "question": 2}], "question=2: expected a text"),
        (["x"], "entry 1 is 'x', not an object"),
        ([own_line("a", "x", answer=None)], "entry 1: the question has no options"),
        ({}, "expected a list of objects, got a dict"),
        ([], "holds no answers"),
    ],
)
def test_wrong_files_are_named_with_their_entry(tmp_path, content, says):
    with pytest.raises(ValueError, match=says) as error:
        judge(tmp_path, "vicrop_gqa", content)
    assert "llava-x-rel_att.json" in str(error.value) and "\n" not in str(error.value)


def test_a_question_is_needed_where_its_lines_are_the_options(tmp_path):
    with pytest.raises(ValueError, match="has no question, whose option lines are needed"):
        judge(tmp_path, "vicrop_vstar", [{"text": "x", "labels": ["A"]}])


def test_wrong_settings_are_refused(tmp_path):
    with pytest.raises(ValueError, match="vicrop_gqa"):
        ScoreRun(task="nothing", answers="x", out="y")
    with pytest.raises(ValueError, match="scoring=letter is for options"):
        ScoreRun(task="vicrop_gqa", answers="x", out="y", scoring="letter")
    with pytest.raises(ValueError, match="does not exist: give a JSON list"):
        run_score(ScoreRun(task="vicrop_gqa", answers=str(tmp_path / "no"), out=str(tmp_path)))

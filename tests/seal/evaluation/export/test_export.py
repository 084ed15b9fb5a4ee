"""A run in other programs' forms: what they hold, and that reading them back changes no number."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from vstar_folder import write_bench

from seal.evaluation.export.answers import exported_answers
from seal.evaluation.export.run import ExportRun, run_export
from seal.evaluation.named_tasks import task_named
from seal.evaluation.run import line_key
from seal.evaluation.run_metrics import benchmark_metrics
from seal.evaluation.score import ScoreRun, run_score
from seal.evaluation.scorings.named import scoring_named
from seal.evaluation.sources.workbook import read_workbook
from seal.evaluation.store import latest, read_predictions
from seal.evaluation.task import TaskQuestion

COST = {
    "answer_model": {"calls": 2, "tokens_read": 300.4, "tokens_written": 12.0, "pixels": 1000},
    "calls": {"detect": 3}, "visits": 2, "seconds": {"show": 0.5},
}  # fmt: skip


@pytest.fixture
def bench(tmp_path):
    return write_bench(tmp_path / "bench")


def questions(bench):
    return task_named("vstar_bench").task(str(bench)).questions()


def line(question, scoring, *, system="guided", task="vstar_bench", seed=0, **said):
    answer = {"text": "", "texts": [], "losses": [], "searches": [], "cost": COST} | said
    orders = [list(w.order) for w in scoring_named(scoring).wordings(question, seed)] or None
    return {
        "id": question.id, "system": system, "task": task, "task_version": "2",
        "protocol": "default", "scoring": scoring, "presented": orders, "prompt": None,
        "question": question.to_dict(),
        "answer": answer if said else None, "error": None if said else "its image is damaged",
    }  # fmt: skip


def write_run(folder, lines, seed=0):
    folder.mkdir(parents=True)
    (folder / "predictions.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines))
    (folder / "config.yaml").write_text(f"task_version: '2'\nseed: {seed}\n")
    return folder


def lettered(bench, scoring, seed=0):
    """Right by its letter, wrong, a word, nothing that could be put."""
    made = []
    for question, said in zip(questions(bench), ("right", "wrong", "Yellow", None), strict=True):
        (wording,) = scoring_named(scoring).wordings(question, seed)
        right = wording.order.index(question.answer)
        text = {"right": "ABC"[right], "wrong": f"({'ABC'[1 - min(right, 1)]})"}.get(said, said)
        answer = {} if said is None else {"text": text, "texts": [text]}
        made.append(line(question, scoring, seed=seed, **answer))
    return made


def export(run, out, form, **more):
    assert run_export(ExportRun(run=str(run), form=form, out=str(out), **more)) > 0
    return out


def numbers(metrics, system):
    return {
        split: [of["accuracy"]["value"], of["accuracy"]["n"], of["accuracy"]["invalid"]]
        for split, of in metrics["systems"][system].items()
    }


@pytest.mark.parametrize(
    ("scoring", "form", "name"),
    [
        ("letter_vlmevalkit", "vlmevalkit", "a.xlsx"),
        ("letter_vlmevalkit", "vlmevalkit", "a.tsv"),
        ("letter_lmms_eval", "lmms_eval", "a.jsonl"),
    ],
)
@pytest.mark.parametrize("seed", [0, 3])
def test_reading_a_form_back_changes_no_number(bench, tmp_path, scoring, form, name, seed):
    run = write_run(tmp_path / "run", lettered(bench, scoring, seed), seed)
    task = task_named("vstar_bench").task(str(bench))
    before = benchmark_metrics(task, list(latest(read_predictions(run), line_key).values()))
    out = export(run, tmp_path / name, form)
    after = run_score(
        ScoreRun(answers=str(out), annotations=str(bench), out=str(tmp_path / "scored"))
    )
    assert after["scoring"] == scoring
    assert numbers(after, "answers") == numbers(before, "guided")
    assert numbers(before, "guided")["overall"] == [0.25, 4, 2]


def test_losses_come_back_as_they_were(bench, tmp_path):
    known = ([0.1, 0.5, 0.9], [0.7, 0.2], [0.4, 0.4], [None, 0.1])
    lines = [
        line(question, "likelihood", losses=losses)
        for question, losses in zip(questions(bench), known, strict=True)
    ]
    run = write_run(tmp_path / "run", lines)
    out = export(run, tmp_path / "a.jsonl", "lmms_eval")
    scored = ScoreRun(answers=str(out), annotations=str(bench), out=str(tmp_path / "scored"))
    after = run_score(scored)
    assert after["scoring"] == "likelihood"
    overall = after["systems"]["answers"]["overall"]
    assert (overall["accuracy"]["value"], overall["ties"]) == (0.25, 1)
    assert overall["accuracy"]["invalid"] == 1
    kept = [one["answer"]["losses"] for one in read_predictions(tmp_path / "scored")]
    assert kept[:3] == [list(losses) for losses in known[:3]]


def test_options_and_the_true_letter_stand_as_they_were_shown(bench, tmp_path):
    lines = lettered(bench, "letter_vlmevalkit", seed=5)
    rows = read_workbook(
        export(write_run(tmp_path / "run", lines, 5), tmp_path / "a.xlsx", "vlmevalkit")
    )
    for row, one in zip(rows, lines, strict=True):
        (order,) = one["presented"]
        shown = [row[letter] for letter in "ABC"[: len(order)]]
        assert shown == [one["question"]["options"][i] for i in order]
        assert shown["ABC".index(row["answer"])] == one["question"]["options"][0]
        assert (row["index"], row["category"]) == (one["id"], one["question"]["split"])
    assert rows[1]["C"] is None
    assert rows[3]["prediction"] == "Failed to obtain answer via API."


def test_of_likelihoods_the_likeliest_letter_is_written_and_z_where_there_is_none(bench, tmp_path):
    known = ([0.1, 0.5, 0.9], [0.7, 0.2], [0.4, 0.4], [None, 0.1])
    run = write_run(
        tmp_path / "run",
        [line(q, "likelihood", losses=of) for q, of in zip(questions(bench), known, strict=True)],
    )
    rows = read_workbook(export(run, tmp_path / "a.xlsx", "vlmevalkit"))
    assert [row["prediction"] for row in rows] == ["A", "B", "Z", "Z"]


def test_samples_have_the_keys_of_lmms_eval(bench, tmp_path):
    lines = lettered(bench, "letter_lmms_eval")
    run = write_run(tmp_path / "run", lines)
    out = export(run, tmp_path / "a.jsonl", "lmms_eval")
    samples = [json.loads(one) for one in out.read_text().splitlines()]
    first = samples[0]
    (order,) = lines[0]["presented"]
    assert [sample["doc_id"] for sample in samples] == [0, 1, 2, 3]
    assert first["target"] == first["filtered_resps"] == "ABC"[order.index(0)]
    assert first["token_counts"] == [{"input_tokens": 300, "output_tokens": 12}]
    assert first["input"].startswith("What is the color of the mug?\nA. The mug is ")
    result = first["vstar_overall_acc"]
    assert result == first["vstar_direct_attributes_acc"]
    assert result["score"] == 1.0 and result["prediction"] == result["ground_truth"]
    assert result["question_id"] == "direct_attributes/a.mug"
    assert [s["vstar_overall_acc"]["score"] for s in samples] == [1.0, 0.0, 0.0, 0.0]
    assert [s["vstar_overall_acc"]["prediction"] for s in samples][2:] == [None, None]


@pytest.mark.parametrize("scoring", ["likelihood", "letter"])
def test_an_answer_to_what_nobody_knows_is_exported_and_has_no_score(tmp_path, scoring):
    question = TaskQuestion("3", "What color?", options=("red", "blue"))  # of a test split
    said = {"losses": [2, 1]} if scoring == "likelihood" else {"text": "B", "texts": ["B"]}
    run = write_run(tmp_path / "run", [line(question, scoring, task="mmbench", **said)])
    (sample,) = [json.loads(one) for one in export(run, tmp_path / "a.jsonl", "lmms_eval").open()]
    told = sample["mmbench_overall_acc"]
    assert (sample["target"], told["score"], told["ground_truth"]) == ("", None, None)
    assert told["prediction"] in ("A", "B")
    (row,) = read_workbook(export(run, tmp_path / "a.xlsx", "vlmevalkit"))
    assert row["prediction"] == "B" and row["answer"] is None


def test_of_several_wordings_one_is_named(bench, tmp_path):
    question = questions(bench)[0]
    run = write_run(
        tmp_path / "run", [line(question, "letter_cyclic", text="A", texts=["A", "B", "C"])]
    )
    with pytest.raises(ValueError, match=r"put in 3 wordings.* wording=0 to 2"):
        exported_answers(run)
    with pytest.raises(ValueError, match="has no wording=3, only 0 to 2"):
        exported_answers(run, wording=3)
    (second,) = exported_answers(run, wording=1)
    (first,) = exported_answers(run, wording=0)
    assert (second.text, second.order) == ("B", (*first.order[1:], first.order[0]))


def test_of_several_systems_one_is_named(bench, tmp_path):
    question = questions(bench)[0]
    run = write_run(
        tmp_path / "run",
        [line(question, "likelihood", system=s, losses=[1, 2, 3]) for s in ("none", "guided")],
    )
    with pytest.raises(ValueError, match="answers of none, guided: say whose with system=NAME"):
        exported_answers(run)
    with pytest.raises(ValueError, match="no answers of system=oracle, only none, guided"):
        exported_answers(run, "oracle")
    assert len(exported_answers(run, "none")) == 1


def free(task, *rows):
    """Lines of questions without options: id, what was said, right answers."""
    return [
        line(
            TaskQuestion(name, f"What is {name}?", labels=labels),
            "short_answer", task=task, text=said, texts=[said],
        )
        for name, said, labels in rows
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("task", "suffix", "told"),
    [
        ("vqav2", ".json", [{"question_id": 7, "answer": "Red."}]),
        ("textvqa", ".json", [{"question_id": 7, "answer": "Red."}]),
        ("docvqa", ".json", [{"questionId": 7, "answer": "Red."}]),
        ("gqa", ".json", [{"questionId": "7", "prediction": "red"}]),
        ("aokvqa", ".json", {"7": {"direct_answer": "Red."}}),
        ("mm_vet", ".json", {"7": "Red."}),
    ],
)
def test_servers_get_answers_in_words_in_their_own_form(tmp_path, task, suffix, told):
    run = write_run(tmp_path / "run", free(task, ("7", "Red.", ("red",))))
    out = export(run, tmp_path / f"a{suffix}", "upload")
    assert json.loads(out.read_text()) == told
    with pytest.raises(ValueError, match=f"{task} is uploaded as {suffix}"):
        export(run, tmp_path / "a.csv", "upload")


def test_servers_get_options_in_their_own_form(tmp_path):
    question = TaskQuestion("3", "What color?", options=("red", "blue"), answer=0)
    for task, name, told in (
        ("seed_image", "a.jsonl", {"question_id": "3", "prediction": "B"}),
        ("aokvqa", "b.json", {"3": {"multiple_choice": "blue"}}),
    ):
        run = write_run(tmp_path / task, [line(question, "likelihood", task=task, losses=[2, 1])])
        assert json.loads(export(run, tmp_path / name, "upload").read_text()) == told
    run = write_run(tmp_path / "m", [line(question, "likelihood", task="mmbench", losses=[2, 1])])
    (row,) = read_workbook(export(run, tmp_path / "m.xlsx", "upload"))
    wanted = {"index": 3, "A": "red", "B": "blue", "prediction": "B", "answer": "A"}
    assert {key: row[key] for key in wanted} == wanted


def test_a_benchmarks_own_columns_stand_beside_the_answers(tmp_path):
    meta = {"hint": "Look up.", "question": "What color?", "l2_category": "fine", "cycle": 0}
    question = TaskQuestion(
        "1000003", "Look up.\nWhat color?", options=("red", "blue"), answer=0, split="color",
        meta=meta | {"shuffled": True},
    )  # fmt: skip
    lines = [line(question, "letter_vlmevalkit", task="mmbench", text="B", texts=["B"])]
    run = write_run(tmp_path / "run", lines)
    (row,) = read_workbook(export(run, tmp_path / "a.xlsx", "vlmevalkit"))
    assert row == {
        "index": 1000003, "question": "What color?", "A": "red", "B": "blue", "hint": "Look up.",
        "l2-category": "fine", "cycle_category": 0, "answer": "A", "category": "color",
        "prediction": "B",
    }  # fmt: skip
    (row,) = read_workbook(export(run, tmp_path / "b.xlsx", "upload"))
    assert list(row) == ["index", "question", "A", "B", "cycle_category", "answer", "prediction"]


def test_an_upload_lacks_no_answer(tmp_path):
    lines = free("gqa", ("7", "Red.", ("red",)), ("8", "Blue", ("blue",)))
    lines[1] |= {"answer": None, "error": "its image is damaged"}
    run = write_run(tmp_path / "run", lines)
    with pytest.raises(ValueError, match="1 of 2 questions have no answer, for example 8"):
        export(run, tmp_path / "a.json", "upload")


def test_several_right_answers_are_a_list_in_a_cell(tmp_path):
    run = write_run(
        tmp_path / "run", free("vqav2", ("7", "red", ("red", "dark red")), ("8", "a", ("a",)))
    )
    rows = read_workbook(export(run, tmp_path / "a.xlsx", "vlmevalkit"))
    assert [row["answer"] for row in rows] == ['["red", "dark red"]', "a"]
    assert [row["index"] for row in rows] == [7, 8]


def test_what_cannot_be_exported_is_told(bench, tmp_path):
    run = write_run(tmp_path / "run", lettered(bench, "letter_lmms_eval"))
    with pytest.raises(ValueError, match="vstar_bench has no server whose form is known"):
        export(run, tmp_path / "a.json", "upload")
    with pytest.raises(ValueError, match="no run of eval/benchmark"):
        export(tmp_path, tmp_path / "a.xlsx", "vlmevalkit")
    with pytest.raises(ValueError, match="form='csv' is none of vlmevalkit, lmms_eval, upload"):
        ExportRun(run="a", form="csv", out="a.csv")
    with pytest.raises(ValueError, match=r"form=lmms_eval is a file \.jsonl"):
        ExportRun(run="a", form="lmms_eval", out="a.json")
    twice = [replace(q, meta={"index": 4}) for q in questions(bench)[:2]]
    run = write_run(tmp_path / "twice", [line(q, "likelihood", losses=[1] * 3) for q in twice[:1]])
    with (run / "predictions.jsonl").open("a") as file:
        file.write(json.dumps(line(twice[1], "likelihood", losses=[1, 2])) + "\n")
    with pytest.raises(ValueError, match="two questions have the index 4"):
        export(run, tmp_path / "a.xlsx", "vlmevalkit")

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from fakes import FakeAnswerModel, FakeSearchModel
from golden_files import SAMPLES, needs_samples
from vstar_folder import ANNOTATIONS, write_bench

from seal.evaluation.named_tasks import task_named
from seal.evaluation.run import Benchmark
from seal.evaluation.run_metrics import benchmark_metrics, write_metrics
from seal.evaluation.score import ScoreRun, run_score, score_notes
from seal.evaluation.store import settle
from seal.evaluation.systems import Systems
from seal.pipeline import ProtocolConfig


def answers(path, lines):
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return str(path)


def test_losses_of_another_program_are_judged_without_its_model(tmp_path):
    bench = write_bench(tmp_path / "bench", images=False)
    lines = [
        {"input_image": f"{name}.jpg", "per_option_losses": [0.1] + [0.2] * (len(a["options"]) - 1)}
        for name, a in ANNOTATIONS.items()
    ]
    lines[1]["per_option_losses"] = [0.3, 0.2]
    path = answers(tmp_path / "a.jsonl", lines)
    run = ScoreRun(answers=path, annotations=str(bench), out=str(tmp_path / "out"), name="other")
    metrics = run_score(run)
    overall = metrics["systems"]["other"]["overall"]
    assert (overall["accuracy"]["value"], overall["accuracy"]["n"]) == (0.75, 4)
    assert "target_hit" not in overall  # nothing is known about a search
    stored = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert stored == json.loads(json.dumps(metrics))
    again = run_score(ScoreRun(answers=str(tmp_path / "out"), out=str(tmp_path / "again")))
    assert again == metrics


def test_letters_stand_for_the_options_in_the_order_that_the_row_tells(tmp_path):
    bench = write_bench(tmp_path / "bench", images=False)
    said = ["(A)", "B", "A. because", "who knows"]
    lines = [
        {"id": name, "text": text, "options": of["options"]}
        for (name, of), text in zip(ANNOTATIONS.items(), said, strict=True)
    ]
    path = answers(tmp_path / "a.jsonl", lines)
    metrics = run_score(ScoreRun(answers=path, annotations=str(bench), out=str(tmp_path)))
    accuracy = metrics["systems"]["answers"]["overall"]["accuracy"]
    assert (accuracy["value"], accuracy["invalid"]) == (0.5, 1)
    assert metrics["scoring"] == "letter"


def test_a_question_without_an_answer_counts_as_invalid_and_is_named(tmp_path):
    bench = write_bench(tmp_path / "bench", images=False)
    path = answers(tmp_path / "a.jsonl", [{"id": "direct_attributes/b", "losses": [0.1, 0.2]}])
    metrics = run_score(ScoreRun(answers=path, annotations=str(bench), out=str(tmp_path)))
    accuracy = metrics["systems"]["answers"]["overall"]["accuracy"]
    assert (accuracy["value"], accuracy["n"], accuracy["invalid"]) == (0.25, 4, 3)
    (error,) = metrics["errors"]
    assert "no answer to 3 of 4 questions: 'direct_attributes/a.mug', 'relative_" in error


def test_only_a_line_feed_ends_a_line_and_blank_lines_are_skipped(tmp_path):
    bench = write_bench(tmp_path / "bench", images=False)
    said = ["(A)\u2028", "B\u0085because", "A", "(A)"]
    lines = [
        {"id": name, "text": text, "order": [*range(len(of["options"]))]}
        for (name, of), text in zip(ANNOTATIONS.items(), said, strict=True)
    ]
    text = "\r\n".join(json.dumps(line, ensure_ascii=False) for line in lines)
    path = tmp_path / "a.jsonl"
    path.write_text(text + "\n\n  \n", encoding="utf-8", newline="")
    metrics = run_score(ScoreRun(answers=str(path), annotations=str(bench), out=str(tmp_path)))
    assert metrics["systems"]["answers"]["overall"]["accuracy"]["n"] == 4
    assert metrics["errors"] == []


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ([{"id": "nowhere", "losses": [1, 2]}], "a.jsonl:1: 'nowhere' names no question"),
        ([{"id": "direct_attributes/b", "losses": [1]}], "a.jsonl:1: 1 losses for 2 options"),
        ([], "holds no answers"),
    ],
)
def test_wrong_answers_files_are_named(tmp_path, lines, says):
    bench = write_bench(tmp_path / "bench", images=False)
    path = answers(tmp_path / "a.jsonl", lines)
    with pytest.raises(ValueError, match=says):
        run_score(ScoreRun(answers=path, annotations=str(bench), out=str(tmp_path)))


def test_foreign_answers_need_the_annotations(tmp_path):
    path = answers(tmp_path / "a.jsonl", [{"id": "x", "losses": [1]}])
    with pytest.raises(ValueError, match="need annotations=, the benchmark"):
        run_score(ScoreRun(answers=path, out=str(tmp_path)))
    with pytest.raises(ValueError, match=r"b\.jsonl does not exist"):
        run_score(ScoreRun(answers=str(tmp_path / "b.jsonl"), out=str(tmp_path)))


def run_of_ours(bench, out, *, scoring="likelihood", limit=None, names=("none", "guided"), seed=3):
    """What eval/benchmark leaves in its folder, of fakes that find nothing."""
    task = task_named("vstar_bench").task(str(bench), limit=limit)
    answers = FakeAnswerModel({}, {a["question"]: a["options"][1] for a in ANNOTATIONS.values()})
    systems = Systems(names, answers, FakeSearchModel({}), protocol=ProtocolConfig())
    config = {"systems": list(names), "baseline": "none", "seed": seed}
    config["questions"] = len(task.questions())
    settle(out, config, config)
    lines = Benchmark(task, out, scoring=scoring, seed=seed).predict(systems)
    write_metrics(out, benchmark_metrics(task, lines, seed=seed))
    return out


def test_deleted_metrics_are_restored_byte_for_byte_in_the_runs_own_folder(tmp_path):
    bench = write_bench(tmp_path / "bench")
    run_of_ours(bench, tmp_path / "run", names=("none", "guided", "oracle"))
    out = run_of_ours(bench, tmp_path / "run", limit=1)  # a smaller run in the same folder
    before = (out / "metrics.json").read_bytes()
    (out / "metrics.json").unlink()
    run_score(ScoreRun(answers=str(out), out=str(out)))
    assert (out / "metrics.json").read_bytes() == before
    assert json.loads(before)["seed"] == 3 and json.loads(before)["num_questions"] == 2


def test_answers_to_questions_that_the_benchmark_has_no_more_are_in_no_restored_number(tmp_path):
    bench = write_bench(tmp_path / "bench")
    run_of_ours(bench, tmp_path / "run")
    gone = next((bench / "direct_attributes").glob("*.json"))
    gone.unlink()
    out = run_of_ours(bench, tmp_path / "run")
    before = (out / "metrics.json").read_bytes()
    (out / "metrics.json").unlink()
    run_score(ScoreRun(answers=str(out), out=str(out)))
    assert (out / "metrics.json").read_bytes() == before
    assert f"direct_attributes/{gone.stem}" in (out / "predictions.jsonl").read_text()


def test_elsewhere_a_runs_metrics_may_be_of_another_seed(tmp_path):
    bench = write_bench(tmp_path / "bench")
    out = run_of_ours(bench, tmp_path / "run")
    same = run_score(ScoreRun(answers=str(out), out=str(tmp_path / "same")))
    assert (tmp_path / "same" / "metrics.json").read_bytes() == (out / "metrics.json").read_bytes()
    other = run_score(ScoreRun(answers=str(out), out=str(tmp_path / "other"), seed=4))
    assert (same["seed"], other["seed"]) == (3, 4)
    with pytest.raises(ValueError, match="metrics are of seed=3, not 4"):
        run_score(ScoreRun(answers=str(out), out=str(out), seed=4))
    with pytest.raises(
        ValueError, match=r"metrics\.json is there; in a run's own folder it is only"
    ):
        run_score(ScoreRun(answers=str(out), out=str(out)))
    with pytest.raises(ValueError, match="is the folder of another run"):
        other = run_of_ours(bench, tmp_path / "second")
        run_score(ScoreRun(answers=str(other), out=str(out)))


def test_a_runs_folder_keeps_its_answers(tmp_path):
    bench = write_bench(tmp_path / "bench")
    out = run_of_ours(bench, tmp_path / "run")
    path = answers(tmp_path / "a.jsonl", [{"id": "direct_attributes/b", "losses": [0.1, 0.2]}])
    with pytest.raises(ValueError, match="is the folder of a run, whose answers would be lost"):
        run_score(ScoreRun(answers=path, annotations=str(bench), out=str(out)))
    path = answers(
        tmp_path / "predictions.jsonl", [{"id": "direct_attributes/b", "losses": [1, 2]}]
    )
    with pytest.raises(ValueError, match="holds the answers themselves"):
        run_score(ScoreRun(answers=path, annotations=str(bench), out=str(tmp_path)))


def test_written_answers_of_a_run_can_be_read_by_another_scoring(tmp_path):
    out = run_of_ours(write_bench(tmp_path / "bench"), tmp_path / "run", scoring="letter")
    as_asked = run_score(ScoreRun(answers=str(out), out=str(tmp_path / "a"), scoring="letter"))
    other = run_score(ScoreRun(answers=str(out), out=str(tmp_path / "b"), scoring="string"))
    assert (as_asked["scoring"], other["scoring"]) == ("letter", "string+asked_as_letter")
    with pytest.raises(ValueError, match="likelihood reads losses, which the answers, asked by"):
        run_score(ScoreRun(answers=str(out), out=str(tmp_path / "c"), scoring="likelihood"))
    out = run_of_ours(tmp_path / "bench", tmp_path / "words", scoring="string")
    with pytest.raises(ValueError, match=r"a\.mug: scoring=letter reads letters, and presented="):
        run_score(ScoreRun(answers=str(out), out=str(tmp_path / "d"), scoring="letter"))


def test_how_answers_were_asked_stays_in_the_name_of_another_reading(tmp_path):
    out = run_of_ours(write_bench(tmp_path / "bench"), tmp_path / "run", scoring="letter")
    lines = [json.loads(line) for line in (out / "predictions.jsonl").open()]
    lines = [line | {"scoring": "letter+shared_search"} for line in lines]
    path = answers(tmp_path / "shared.jsonl", lines)
    other = run_score(ScoreRun(answers=path, out=str(tmp_path / "a"), scoring="string"))
    assert other["scoring"] == "string+asked_as_letter+shared_search"
    with pytest.raises(ValueError, match="letter_cyclic needs an answer for each of 3 orders"):
        run_score(ScoreRun(answers=path, out=str(tmp_path / "b"), scoring="letter_cyclic"))


def test_what_is_said_of_another_programs_file_is_not_passed_over_of_ours(tmp_path, capsys):
    out = run_of_ours(write_bench(tmp_path / "bench"), tmp_path / "run")
    with pytest.raises(ValueError, match=r"form=plain is of another program's file; .* of ours"):
        run_score(ScoreRun(answers=str(out), out=str(tmp_path / "a"), form="plain"))
    metrics = run_score(ScoreRun(answers=str(out), out=str(tmp_path / "a"), name="mine"))
    assert list(metrics["systems"]) == ["none", "guided"]
    assert "names its systems; name= is not read" in capsys.readouterr().err


def test_a_baseline_that_answered_nothing_is_named(tmp_path):
    out = run_of_ours(write_bench(tmp_path / "bench"), tmp_path / "run")
    metrics = run_score(ScoreRun(answers=str(out), out=str(tmp_path / "a"), baseline="guided"))
    assert list(metrics["paired"]) == ["none_vs_guided"]
    with pytest.raises(ValueError, match="baseline=giuded is none of the systems here: none, gui"):
        run_score(ScoreRun(answers=str(out), out=str(tmp_path / "a"), baseline="giuded"))
    rows = answers(tmp_path / "free.jsonl", [{"id": 1, "text": "a", "labels": "a"}])
    with pytest.raises(ValueError, match="baseline=x is none of the systems here: answers"):
        run_score(ScoreRun(task="vicrop_gqa", answers=rows, out=str(tmp_path / "b"), baseline="x"))


def test_one_answer_is_not_judged_as_if_every_rotation_had_been_asked(tmp_path):
    bench = write_bench(tmp_path / "bench", images=False)
    path = answers(tmp_path / "a.jsonl", [{"id": "b", "text": "A"}])
    run = ScoreRun(
        answers=path, annotations=str(bench), out=str(tmp_path / "out"), scoring="letter_cyclic"
    )
    with pytest.raises(ValueError, match="letter_cyclic needs an answer for each of 3 orders"):
        run_score(run)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"task": "pope"}, r"predictions\.jsonl:2 is of another task: set task='pope'"),
        ({"system": 3}, "predictions.jsonl:2: system=3: expected a text"),
        ({"scoring": "luck"}, "predictions.jsonl:2: scoring='luck' is none of"),
        ({"presented": [[0, 0]]}, r":2: presented=\[\[0, 0\]\]: expected orders of 3 options"),
        ({"answer": {"losses": [1, 2]}}, r":2: losses=\[1, 2\]: expected numbers of 3 options"),
        ({"answer": {"losses": [1, 2, "3"]}}, "expected numbers of 3 options"),
        ({"answer": 3}, ":2: answer=3: expected an object"),
        ({"scoring": "string", "answer": {"texts": ["a", "b"]}}, ":2: 2 texts for 1 orders"),
        ({"id": "elsewhere"}, ":2: question.id='direct_attributes/a.mug', which no run writes"),
        ({"question": {"id": 3}}, ":2: question is none that a run writes"),
    ],
)
def test_a_line_that_no_run_of_ours_writes_is_named(tmp_path, change, says):
    out = run_of_ours(write_bench(tmp_path / "bench"), tmp_path / "run")
    path = out / "predictions.jsonl"
    first, second, *rest = path.read_text().splitlines(keepends=True)
    path.write_text("".join([first, json.dumps(json.loads(second) | change) + "\n", *rest]))
    with pytest.raises(ValueError, match=says):
        run_score(ScoreRun(answers=str(out), out=str(tmp_path / "again")))


def test_losses_count_for_the_option_that_stood_there_whatever_the_order(tmp_path):
    bench = write_bench(tmp_path / "bench", images=False)
    lines = []
    for name, a in ANNOTATIONS.items():
        losses = [0.9] * (len(a["options"]) - 1) + [0.1]
        lines.append({"id": name, "options": a["options"][::-1], "losses": losses})
    path = answers(tmp_path / "a.jsonl", lines)
    metrics = run_score(ScoreRun(answers=path, annotations=str(bench), out=str(tmp_path / "out")))
    assert metrics["systems"]["answers"]["overall"]["accuracy"]["value"] == 1


def test_a_place_alone_is_judged_as_the_option_there(tmp_path):
    bench = write_bench(tmp_path / "bench", images=False)
    lines = [
        {"input_image": f"{name}.jpg", "test_type": "x", "output": place}
        for name, place in zip(ANNOTATIONS, (0, 1, 0, 1), strict=True)
    ]
    path = answers(tmp_path / "a.jsonl", lines)
    run = ScoreRun(answers=path, annotations=str(bench), out=str(tmp_path / "out"))
    overall = run_score(run)["systems"]["answers"]["overall"]
    assert (overall["accuracy"]["value"], overall["accuracy"]["invalid"]) == (0.5, 0)
    lines[0]["output"] = -1  # no option was read
    run.answers = answers(tmp_path / "a.jsonl", lines)
    overall = run_score(run)["systems"]["answers"]["overall"]
    assert (overall["accuracy"]["value"], overall["accuracy"]["invalid"]) == (0.25, 1)
    lines[0]["output"] = 3
    with pytest.raises(ValueError, match="output=3, from 0, is none of 3 options"):
        run_score(ScoreRun(answers=answers(tmp_path / "a.jsonl", lines),
                           annotations=str(bench), out=str(tmp_path / "out")))  # fmt: skip


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ([{"id": "b", "losses": [1, 2]}, {"id": "b", "losses": [2, 1]}],
         r"a\.jsonl:2 answers direct_attributes/b again, and otherwise than .*a\.jsonl:1"),
        ([{"input_image": "b.jpg", "output": 1, "per_option_losses": [0.1, 0.2]}],
         "output=1, but the lowest loss is that of option 0"),
        ([{"id": "b", "text": "A", "options": ["white", "black"]}], "are not the benchmark's"),
    ],
)  # fmt: skip
def test_answers_that_contradict_each_other_are_refused(tmp_path, lines, says):
    bench = write_bench(tmp_path / "bench", images=False)
    path = answers(tmp_path / "a.jsonl", lines)
    with pytest.raises(ValueError, match=says):
        run_score(ScoreRun(answers=path, annotations=str(bench), out=str(tmp_path / "out")))


@pytest.mark.parametrize(
    ("scoring", "row", "says"),
    [
        ("likelihood", {"text": "A"}, "reads losses, and the answers hold text alone"),
        ("letter", {"losses": [1, 2]}, "reads text, and the answers hold losses alone"),
    ],
)
def test_a_scoring_that_reads_what_is_not_there_is_refused(tmp_path, scoring, row, says):
    bench = write_bench(tmp_path / "bench", images=False)
    path = answers(tmp_path / "a.jsonl", [{"id": "b"} | row])
    run = ScoreRun(answers=path, annotations=str(bench), out=str(tmp_path / "o"), scoring=scoring)
    with pytest.raises(ValueError, match=rf"a\.jsonl: scoring={scoring} {says}"):
        run_score(run)


def test_the_same_answer_twice_is_one(tmp_path):
    bench = write_bench(tmp_path / "bench", images=False)
    path = answers(tmp_path / "a.jsonl", [{"id": "b", "losses": [float("nan"), 2]}] * 2)
    run = ScoreRun(answers=path, annotations=str(bench), out=str(tmp_path / "out"))
    overall = run_score(run)["systems"]["answers"]["overall"]
    assert (overall["accuracy"]["n"], overall["accuracy"]["invalid"]) == (4, 4)
    kept = (tmp_path / "out" / "predictions.jsonl").read_text()
    assert "NaN" not in kept and "[null, 2.0]" in kept  # JSON knows no NaN


def test_letters_of_an_unknown_order_earn_nothing_where_the_truth_is_always_listed_first(tmp_path):
    bench = write_bench(tmp_path / "bench", images=False)

    def score(lines):
        path = answers(tmp_path / "a.jsonl", lines)
        run = ScoreRun(answers=path, annotations=str(bench), out=str(tmp_path / "out"))
        return run_score(run)["systems"]["answers"]["overall"]["accuracy"]["value"]

    letters = [{"id": name, "text": "A"} for name in ANNOTATIONS]
    with pytest.raises(
        ValueError, match=r"a\.jsonl:1: 'A' names an option by its place, .*`order`"
    ):
        score(letters)
    words = [{"id": name, "text": a["options"][0]} for name, a in ANNOTATIONS.items()]
    assert score(words) == 1  # needs no order
    shown = [
        line | {"options": a["options"][::-1]}
        for line, a in zip(letters, ANNOTATIONS.values(), strict=True)
    ]
    assert score(shown) == 0


@needs_samples
def test_a_recorded_run_is_judged_as_it_was_but_for_its_ties(tmp_path):
    folder = SAMPLES / "vstar_bench"
    expected = json.loads((folder / "recorded" / "expected.json").read_text())
    for path in sorted((folder / "recorded").glob("*.jsonl")):
        record = next(value for key, value in expected.items() if path.stem.endswith(key))
        metrics = run_score(
            ScoreRun(answers=str(path), annotations=str(folder), out=str(tmp_path), name="llava")
        )
        overall = metrics["systems"]["llava"]["overall"]
        n = overall["accuracy"]["n"]
        right = round(overall["accuracy"]["value"] * n)
        assert n == record["n"]["overall"]
        assert overall["ties"] == 1  # between the true option, listed first, and another
        assert right == round(record["accuracy"]["overall"] * n) - 1
        by_split = metrics["systems"]["llava"]
        named = {"attribute": "direct_attributes", "spatial": "relative_position"}
        for split, metric in by_split.items():
            first = metric.get("accuracy_ties_first", metric["accuracy"])
            assert first["value"] == record["accuracy"][named.get(split, split)]


def test_a_part_of_a_benchmark_and_answers_that_nobody_graded_are_told(tmp_path):
    bench = write_bench(tmp_path / "bench", images=False)
    path = answers(tmp_path / "a.jsonl", [{"id": name, "text": "dunno"} for name in ANNOTATIONS])
    notes = score_notes(
        run_score(ScoreRun(answers=path, annotations=str(bench), out=str(tmp_path / "v")))
    )
    assert "4 questions, where the whole benchmark has 191" in notes[-1]
    entry = {"imagename": "a.png", "question": "What?", "answer": "mug", "capability": ["rec"]}
    (tmp_path / "mm-vet.json").write_text(json.dumps({"v1_0": entry, "v1_1": entry}))
    (tmp_path / "said.json").write_text(json.dumps({"v1_0": "a mug", "v1_1": ""}))
    run = ScoreRun(task="mm_vet", answers=str(tmp_path / "said.json"),
                   annotations=str(tmp_path / "mm-vet.json"), out=str(tmp_path / "m"))  # fmt: skip
    metrics = run_score(run)
    assert metrics["systems"]["answers"]["overall"]["score"]["n"] == 1  # who said nothing has 0
    assert any(
        "answers: 1 answers are not graded, and in no number; seal eval/judge task=mm_vet" in note
        for note in score_notes(metrics)
    )


def test_judging_needs_no_network_library():
    modules = "seal.evaluation.score, seal.evaluation.tables.published, seal.evaluation.search"
    heavy = ("torch", "transformers", "deepspeed", "wandb", "hydra")
    code = f"import sys, {modules}; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

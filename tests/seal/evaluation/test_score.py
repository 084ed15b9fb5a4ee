from __future__ import annotations

import json
import subprocess
import sys

import pytest
from golden_files import SAMPLES, needs_samples
from vstar_folder import ANNOTATIONS, write_bench

from seal.evaluation.score import ScoreRun, run_score


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


def test_letters_stand_for_the_options_in_the_order_of_the_file(tmp_path):
    bench = write_bench(tmp_path / "bench", images=False)
    said = ["(A)", "B", "A. because", "who knows"]
    lines = [{"id": name, "text": text} for name, text in zip(ANNOTATIONS, said, strict=True)]
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
    assert any("no answer to relative_position/c" in error for error in metrics["errors"])


def test_only_a_line_feed_ends_a_line_and_blank_lines_are_skipped(tmp_path):
    bench = write_bench(tmp_path / "bench", images=False)
    said = ["(A)\u2028", "B\u0085because", "A", "(A)"]
    lines = [{"id": name, "text": text} for name, text in zip(ANNOTATIONS, said, strict=True)]
    text = "\r\n".join(json.dumps(line, ensure_ascii=False) for line in lines)
    path = tmp_path / "a.jsonl"
    path.write_text(text + "\n\n  \n", encoding="utf-8", newline="")
    metrics = run_score(ScoreRun(answers=str(path), annotations=str(bench), out=str(tmp_path)))
    assert metrics["systems"]["answers"]["overall"]["accuracy"]["n"] == 4
    assert metrics["errors"] == []


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ([{"id": "nowhere", "losses": [1, 2]}], "a.jsonl:1: none of id, question_id"),
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
    with pytest.raises(ValueError, match="need annotations=FOLDER"):
        run_score(ScoreRun(answers=path, out=str(tmp_path)))
    with pytest.raises(ValueError, match=r"b\.jsonl does not exist"):
        run_score(ScoreRun(answers=str(tmp_path / "b.jsonl"), out=str(tmp_path)))


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
        assert right + overall["ties"] == round(record["accuracy"]["overall"] * n)


def test_judging_needs_no_network_library():
    modules = "seal.evaluation.score, seal.evaluation.published, seal.evaluation.search"
    heavy = ("torch", "transformers", "deepspeed", "wandb", "hydra")
    code = f"import sys, {modules}; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

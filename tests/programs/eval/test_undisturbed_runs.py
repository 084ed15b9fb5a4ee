"""Runs of eval/benchmark on tiny models: processes change nothing, and rescoring restores bytes."""

from __future__ import annotations

import json

import pytest
import torch
from programs_here import ROOT, run_program
from tiny_models import tokenizer, vqa_model, vsm_model
from vstar_folder import MUG, write_bench
from warm import run_together

from seal.models.files.save import save_model

SYSTEMS = "systems=[none,guided,random_crop,crop_black,oracle_crop]"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    save_model(folder / "vqa", vqa_model(), tokenizer().folder)
    save_model(folder / "vsm", vsm_model(), tokenizer().folder)
    write_bench(folder / "bench")
    own = [
        {"id": "k1", "image": "direct_attributes/a.mug.jpg", "question": "What is on the table?",
         "answers": ["a mug", "mug"], "category": "things",
         "targets": [{"name": "mug", "boxes": [[MUG[0], MUG[1], 60, 76]]}]},
        {"id": "k2", "question": "What do you see?", "answers": ["nothing"]},
        *(
            {"id": f"k3{turn}", "question": "Is the mug red?", "image": "direct_attributes/b.jpg",
             "options": [("yes", "no")[turn], ("yes", "no")[1 - turn]], "answer": "yes",
             "meta": {"group": "k3"}}
            for turn in (0, 1)
        ),
    ]  # fmt: skip
    path = folder / "bench" / "questions.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in own))
    return folder


def command(place, out, *more):
    return [
        f"benchmark={place / 'bench'}", f"vqa={place / 'vqa'}", f"vsm={place / 'vsm'}",
        f"out={out}", "device=cpu", "targets=annotated", *more,
    ]  # fmt: skip


@pytest.fixture(scope="module")
def alone(place):
    """One process, with as many threads as torchrun gives each of two."""
    out, threads = place / "alone", torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        assert run_program("eval/benchmark", *command(place, out, SYSTEMS, "batch=2")) == 0
    finally:
        torch.set_num_threads(threads)
    return out


def lines_of(folder):
    """Every line as it was written, in order, but for seconds."""
    lines = [json.loads(line) for line in (folder / "predictions.jsonl").open(encoding="utf-8")]
    for line in lines:
        del line["answer"]["cost"]["seconds"]
        for search in line["answer"]["searches"]:
            del search["seconds"]
    return lines


def test_two_processes_write_the_lines_of_one(place, alone, tmp_path):
    program = str(ROOT / "eval" / "benchmark.py")
    given = command(place, tmp_path, SYSTEMS, "batch=2")
    run_together(2, program, *given, log=tmp_path.with_suffix(".log"))
    assert lines_of(tmp_path) == lines_of(alone) and len(lines_of(alone)) == 4 * 5
    assert not list(tmp_path.glob("predictions.rank*"))
    first, second = (json.loads((f / "metrics.json").read_text()) for f in (alone, tmp_path))
    for metrics in (first, second):
        for of in metrics["costs"].values():
            del of["seconds"]
        for splits in metrics["systems"].values():
            for split in splits.values():
                split.pop("seconds", None)
    assert first == second


def rescored(out, task):
    """Whether eval/score on a run folder writes the bytes of metrics.json that were there."""
    before = (out / "metrics.json").read_bytes()
    (out / "metrics.json").unlink()
    assert run_program("eval/score", f"task={task}", f"answers={out}", f"out={out}") == 0
    return (out / "metrics.json").read_bytes() == before


def test_rescoring_a_run_with_controls_restores_its_numbers_to_the_byte(alone):
    assert "controls" in json.loads((alone / "metrics.json").read_text())
    assert rescored(alone, "vstar_bench")


@pytest.mark.parametrize(
    ("task", "scoring", "more"),
    [
        ("vstar_bench", "letter_cyclic", ["seed=3", "baseline=oracle"]),
        ("own", "letter_or_short", ["share_search=true"]),
    ],
)
def test_rescoring_restores_the_numbers_to_the_byte(place, tmp_path, task, scoring, more):
    arguments = command(
        place, tmp_path, "systems=[none,oracle]", f"task={task}", f"scoring={scoring}", *more
    )
    assert run_program("eval/benchmark", *arguments) == 0
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    shared = "share_search=true" in more
    assert metrics["scoring"] == scoring + ("+shared_search" if shared else "")
    assert rescored(tmp_path, task)


def test_nothing_is_called_a_shared_search_where_no_row_is_a_phrasing_of_another(
    place, tmp_path, capsys
):
    assert run_program("eval/benchmark", *command(place, tmp_path, "share_search=true")) == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert "share_search=true" in said and "no two rows in a row" in said

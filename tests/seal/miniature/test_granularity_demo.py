"""The demo of granularity: its stages are commands that exist, its summary keeps every number."""

from __future__ import annotations

import json

import pytest
from granularity_lines import asked, line
from PIL import Image

from seal.commands.demo import demo
from seal.commands.programs import program_path, programs_root
from seal.evaluation.named_tasks import task_named
from seal.evaluation.run_metrics import benchmark_metrics
from seal.miniature import granularity_demo
from seal.miniature.distances import DISTANCES, REGION
from seal.miniature.granularity_demo import (
    AUTO,
    FIRST,
    GranularityDemo,
    levels,
    run_granularity_demo,
)
from seal.miniature.granularity_scenes import GRANULARITY_BENCHMARK, build_granularity_benchmark
from seal.miniature.granularity_summary import summarize_granularity
from seal.miniature.stages import StageRunner
from seal.schema import compose
from seal.training.recipe import VQARun


@pytest.fixture
def stages(tmp_path):
    made = GranularityDemo(tmp_path, 0, StageRunner(tmp_path))
    return [made.scenes(), *made.train(), made.answer()]


def test_every_stage_runs_a_program_that_exists_and_names_its_output(stages):
    assert len({stage.output for stage in stages}) == len(stages)
    for stage in stages:
        (name,) = [part for part in stage.command if part.count("/") == 1 and "=" not in part]
        assert program_path(name).is_file()
        said = dict(part.split("=", 1) for part in stage.command if "=" in part)
        named = said.get("out") or f"{said['paths.runs']}/{said['run_name']}"
        assert str(stage.output) == named


def test_every_training_stage_composes_and_starts_from_the_one_before(stages):
    models = []
    for stage in stages[1:-1]:
        overrides = [part for part in stage.command if "=" in part]
        run = compose(programs_root() / "conf", "train_vqa", VQARun, overrides)
        assert run.run_name == stage.name
        # Processes share each step's samples evenly.
        assert run.train.global_batch_size == 2 * run.train.micro_batch_size
        if models:
            assert run.init_from == str(models[-1])
        models.append(stage.output / "model")
    assert f"vqa={models[-1]}" in stages[-1].command
    assert all(stage.inputs for stage in stages[1:])


def test_every_level_is_asked_beside_the_one_that_is_chosen(stages):
    (systems,) = [part for part in stages[-1].command if part.startswith("systems=")]
    assert systems == "systems=[none@auto,none@4,none@8,none@16,none@32,none@64]"
    assert levels() == [4, 8, 16, 32, 64]


def test_it_is_not_mixed_into_the_other_demo(tmp_path):
    (tmp_path / "stages").mkdir()
    (tmp_path / "stages" / "scenes.begun").write_text("x")
    with pytest.raises(ValueError, match="something else than this demo"):
        run_granularity_demo(tmp_path)


def test_the_flag_chooses_the_demo_and_its_folder(monkeypatch):
    from argparse import Namespace

    told = []
    monkeypatch.setattr(
        granularity_demo, "run_granularity_demo", lambda out, **rest: told.append((out, rest))
    )
    arguments = Namespace(out=None, seed=3, base=None, fresh=False, granularity=True)
    assert demo(arguments) == 0
    (out, rest) = told[0]
    assert str(out) == "runs/granularity" and rest["seed"] == 3


def test_the_numbers_and_the_page_hold_what_was_chosen_and_what_it_is_worth(tmp_path):
    build_granularity_benchmark(tmp_path / "data" / GRANULARITY_BENCHMARK, questions=8, seed=0)
    lines = []
    for number in range(8):
        question = asked(
            number,
            split=(REGION, *DISTANCES)[number % 4],
            image=f"{number:04d}.jpg",
            side=float(8 * (number + 1)) if number % 4 else 0,
        )
        fine = 64 if number % 4 == 3 else 4
        lines.append(line(question, AUTO, right=True, levels=(fine,)))
        lines += [
            line(question, f"none@{level}", right=level >= fine, levels=(level,))
            for level in levels()
        ]
    results = tmp_path / "results" / "benchmark"
    results.mkdir(parents=True)
    text = "".join(json.dumps(one) + "\n" for one in lines)
    (results / "predictions.jsonl").write_text(text)
    task = task_named("own").task("")
    (results / "metrics.json").write_text(json.dumps(benchmark_metrics(task, lines)))
    run = tmp_path / "runs" / "avg_router"
    run.mkdir(parents=True)
    (run / "metrics.jsonl").write_text('{"step": 1, "loss": 2.0}\n{"step": 2, "loss": 1.0}\n')
    report = summarize_granularity(
        tmp_path,
        system=AUTO,
        seconds={"avg_router": 3.0},
        peak_memory_mb=7,
        runs=tmp_path / "runs",
    )
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["accuracy"][AUTO]["overall"]["value"] == 1.0
    assert metrics["accuracy"]["none@4"]["far"]["value"] == 0.0
    assert metrics["granularity"][AUTO]["random"]["versus"]["difference"]["value"] > 0
    assert metrics["levels"][AUTO]["kinds"]["split"]["far"]["whole"] == {"4": 0, "64": 2}
    assert {"costs", "seconds", "peak_memory_mb"} <= set(metrics)
    page = report.read_text()
    assert "random router of the same mean cost" in page
    assert page.count("tokens a tile") == 8
    assert FIRST not in page
    assert Image.open(tmp_path / "data" / GRANULARITY_BENCHMARK / "0000.jpg").size[0] <= 224

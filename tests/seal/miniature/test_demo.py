"""The demo's stages are commands that exist, and its summary keeps every promised number."""

from __future__ import annotations

import json

import pytest

from seal.commands.programs import program_path, programs_root
from seal.evaluation.controls import CONTROLS
from seal.evaluation.task import TaskQuestion
from seal.files.lock import InUseError, WriterLock
from seal.miniature import demo as demo_module
from seal.miniature.demo import SEARCHES, Demo, run_demo
from seal.miniature.stages import StageRunner
from seal.miniature.summary import WAYS, summarize
from seal.schema import compose
from seal.training.recipe import VQARun, VSMRun

METRIC = {"value": 0.5, "n": 10, "invalid": 0, "low": 0.2, "high": 0.8}


@pytest.fixture
def stages(tmp_path):
    demo = Demo(tmp_path, 0, StageRunner(tmp_path))
    return [
        demo.scenes(), demo.first_look(), *demo.train_vqa(), *demo.train_vsm(), *demo.answer(),
        *demo.search(), demo.search_shuffled(),
    ]  # fmt: skip


def test_every_stage_runs_a_program_that_exists(stages):
    for stage in stages:
        (name,) = [part for part in stage.command if part.count("/") == 1 and "=" not in part]
        assert program_path(name).is_file()


def test_every_training_stage_composes_with_its_overrides(stages):
    composed = 0
    for stage in stages:
        overrides = [part for part in stage.command if "=" in part]
        for kind, schema in (("vqa", VQARun), ("vsm", VSMRun)):
            if f"train/{kind}" in stage.command:
                run = compose(programs_root() / "conf", f"train_{kind}", schema, overrides)
                assert run.run_name == stage.name
                composed += 1
    assert composed == 5


def test_a_stage_is_repeated_when_what_it_reads_was_made_again(stages):
    for stage in stages[1:]:
        assert stage.inputs, stage.name


def test_every_stage_names_the_output_that_its_command_writes(stages):
    assert len({stage.output for stage in stages}) == len(stages)
    for stage in stages:
        said = dict(part.split("=", 1) for part in stage.command if "=" in part)
        named = said.get("out") or f"{said['paths.runs']}/{said['run_name']}"
        assert str(stage.output) == named


@pytest.mark.parametrize("fresh", [False, True])
def test_a_demo_is_not_mixed_into_a_folder_of_something_else(tmp_path, fresh):
    (tmp_path / "thesis.tex").write_text("mine")
    (tmp_path / "stages").mkdir()
    with pytest.raises(ValueError, match=r"something else than this demo \(thesis.tex\)"):
        run_demo(tmp_path, fresh=fresh)
    assert (tmp_path / "thesis.tex").read_text() == "mine" and (tmp_path / "stages").is_dir()


def test_a_fresh_demo_deletes_what_a_demo_wrote_and_nothing_else(tmp_path, monkeypatch):
    monkeypatch.setattr(demo_module, "_run", lambda out, *_: out)
    for name in ("stages/scenes.begun", "runs/vsm/model/config.json", "report.html", "notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    run_demo(tmp_path)
    assert (tmp_path / "report.html").exists()
    run_demo(tmp_path, fresh=True)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_second_demo_of_one_folder_is_refused(tmp_path):
    with WriterLock(tmp_path, "demo"), pytest.raises(InUseError, match="another demo writes there"):
        run_demo(tmp_path)


def search_results(strategies):
    of = {
        "hit": METRIC, "found": METRIC, "precision": METRIC, "false_alarm": METRIC,
        "length": METRIC, "visits": METRIC, "model_calls": METRIC, "recall_at": {"1": METRIC},
        "by_depth": {"3": {"found": 4, "precision": METRIC}}, "by_group": {"home": None},
    }  # fmt: skip
    of["by_group"] = {
        "home": {key: of[key] for key in ("hit", "precision", "false_alarm", "length")}
    }
    return {
        "num_targets": 10,
        "reference": "guided",
        "strategies": dict.fromkeys(strategies, of),
        "search_length": {
            "own": dict.fromkeys(strategies, METRIC),
            "common": dict.fromkeys(strategies, METRIC),
            "difference": dict.fromkeys(strategies[1:], METRIC),
        },
    }


DIFFERENCE = {"difference": METRIC | {"value": 0.25}, "p_value": 0.01}
CONTROL = {
    "of": "guided", "baseline": "none", "splits": {
        "overall": {name: DIFFERENCE for name in ("gain", "left", "lost")} | {"verdict": "survives"}
    },
}  # fmt: skip
COST_PARTS = ("tokens_read", "tokens_written", "pixels", "search_calls", "steps", "seconds")


def benchmark_results(systems):
    split = {"accuracy": METRIC, "ties": 0, "searched": METRIC}
    return {
        "task": "vstar_bench", "protocol": "default", "scoring": "likelihood", "num_questions": 10,
        "systems": {
            name: dict.fromkeys(("attribute", "spatial", "overall"), split) for name in systems
        },
        "paired": {},
        "costs": {name: dict.fromkeys(("calls", *COST_PARTS), METRIC) for name in systems},
    }  # fmt: skip


def prediction(system, number, loss_of_truth):
    split = "attribute" if number % 2 else "spatial"
    question = TaskQuestion(str(number), "What?", None, ("yes", "no"), 0, split)
    answer = {"losses": [loss_of_truth, 0.5]}
    return {
        "system": system, "scoring": "likelihood", "question": question.to_dict(), "answer": answer
    }  # fmt: skip


def test_metrics_json_holds_what_is_promised_and_the_page_is_written(tmp_path):
    results = tmp_path / "results"
    for name, content in {
        "benchmark": benchmark_results(["none", *WAYS, *CONTROLS, "oracle"])
        | {"main": "accuracy", "controls": dict.fromkeys(CONTROLS, CONTROL)},
        "benchmark_no_crops": benchmark_results(["none"]),
        "search": search_results(SEARCHES),
        "search_shuffled": search_results(SEARCHES),
    }.items():
        (results / name).mkdir(parents=True)
        (results / name / "metrics.json").write_text(json.dumps(content))
    for name, right in (
        ("benchmark", {"guided": 0.1, "expert_first": 0.1, "zoom_eye": 0.9}),
        ("benchmark_no_crops", {"none": 0.9}),
    ):
        lines = [
            json.dumps(prediction(system, number, loss))
            for system, loss in right.items()
            for number in range(8)
        ]
        (results / name / "predictions.jsonl").write_text("\n".join(lines) + "\n")
    (results / "cue_reading.json").write_text(json.dumps({"before": METRIC, "after": METRIC}))
    run = tmp_path / "runs" / "vsm"
    run.mkdir(parents=True)
    (run / "metrics.jsonl").write_text('{"step": 1, "loss": 2.0}\n{"step": 2, "loss": 1.0}\n')
    report = summarize(tmp_path, seconds={"vsm": 3.0}, peak_memory_mb=7, runs=tmp_path / "runs")
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    for system in ("none", "guided", "oracle", "no_crops"):
        for split in ("attribute", "spatial", "overall"):
            assert set(metrics["accuracy"][system][split]) == {
                "value",
                "n",
                "invalid",
                "low",
                "high",
            }
    for strategy in SEARCHES:
        assert {"mean", "low", "high", "n"} < set(metrics["search_length"][strategy])
        assert metrics["search_length"][strategy]["mean"] == METRIC["value"]
    assert metrics["searched"]["guided"] == METRIC
    assert metrics["protocol"] == "default"
    assert {"found", "paired", "seconds", "peak_memory_mb", "contextual_cue"} <= set(metrics)
    against = metrics["paired"]["guided_vs_no_crops"]
    assert against["overall"]["difference"]["value"] == 1.0
    assert (against["overall"]["only_first"], against["overall"]["only_second"]) == (8, 0)
    assert against["overall"]["p_value"] < 0.01 < against["spatial"]["p_value"]
    same, worse = (metrics["paired"][f"{w}_vs_guided"] for w in ("expert_first", "zoom_eye"))
    assert (same["overall"]["difference"]["value"], same["overall"]["p_value"]) == (0.0, 1.0)
    assert worse["overall"]["only_second"] == 8 and worse["overall"]["p_value"] < 0.01
    assert set(metrics["controls"]) == set(CONTROLS)
    page = report.read_text()
    assert "Does it look?" in page and page.count("FAULT, the gain survives") == 2
    assert "ways to find what a question needs" in page and "-100.0 [-100.0, -67.6]" in page
    assert "SEAL in miniature" in report.read_text()

"""A sweep's runs as they lie on the disk, in every state they can be in."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
import yaml
from PIL import Image

from seal.training.sweep import differing, read_settings, read_sweep
from seal.training.sweep_report import FILES, picture, write_report


def leave_run(
    folder: Path, losses: list[float], *, finished: bool = True, error: str = "", seed: int = 0,
    **settings: float | str,
) -> None:  # fmt: skip
    """What a run of a sweep leaves: one validation a step."""
    (folder / ".hydra").mkdir(parents=True)
    config = {
        "run_name": folder.name, "seed": seed, "paths": {"runs": str(folder.parent)},
        "train": {"num_steps": 3, "learning_rate": settings.get("rate", 1e-3)},
        "lora": {"rank": settings.get("rank", 2), "targets": ["q_proj"]},
        "tokenizer": "${paths.runs}/${run_name}/tokenizer",
        "stage": settings.get("stage", "instruct"),
    }  # fmt: skip
    (folder / ".hydra" / "config.yaml").write_text(yaml.safe_dump(config))
    if losses:
        lines = [
            json.dumps({"step": step, "validation/loss": loss, "validation/cIoU": 1 - loss / 10})
            for step, loss in enumerate(losses, 1)
        ]
        (folder / "metrics.jsonl").write_text("\n".join(lines) + "\n")
    if finished:
        (folder / "model").mkdir()
        facts = {"steps": len(losses)}
        (folder / "model" / "training.json").write_text(json.dumps(facts))
    if error:
        (folder / "error.txt").write_text(f"{error}\n")


@pytest.fixture
def sweep(tmp_path) -> Path:
    """Rate x rank: three that finished, one that was killed, one that failed before a step."""
    folder = tmp_path / "sweep"
    leave_run(folder / "a", [5.0, 4.0, 3.0], rate=1e-3, rank=2)
    leave_run(folder / "b", [5.0, 2.0, 2.5], rate=3e-3, rank=2)
    leave_run(folder / "deep" / "c", [5.0, 1.0, 3.5], rate=1e-3, rank=4)
    leave_run(folder / "d", [5.0], rate=3e-3, rank=4, finished=False)
    leave_run(folder / "e", [], rate=1e-2, rank=4, finished=False, error="the loss is\nnot finite")
    return folder


def test_what_differs_is_found_and_what_follows_from_the_name_is_not(sweep):
    found = read_sweep(sweep, "validation/loss")
    assert sorted(found.keys) == ["lora.rank", "train.learning_rate"]
    best = found.runs[0]
    assert (best.name, best.value, best.step) == ("b", 2.5, 3)
    assert best.settings == {"train.learning_rate": 3e-3, "lora.rank": 2}


@pytest.mark.parametrize(
    ("metric", "take", "order", "value"),
    [
        ("validation/loss", "last", ["b", "a", "deep/c", "d", "e"], 2.5),
        ("validation/loss", "best", ["deep/c", "b", "a", "d", "e"], 1.0),
        ("validation/cIoU", "last", ["b", "a", "deep/c", "d", "e"], 0.75),
        ("-validation/cIoU", "last", ["d", "deep/c", "a", "b", "e"], 0.5),
    ],
)
def test_the_best_is_first_by_the_metrics_own_direction(sweep, metric, take, order, value):
    runs = read_sweep(sweep, metric, take=take).runs
    assert [run.name for run in runs] == order
    assert runs[0].value == pytest.approx(value)


def test_runs_that_failed_or_did_not_finish_are_named_with_why(sweep, tmp_path):
    text = write_report(read_sweep(sweep, "validation/loss"), tmp_path / "out")
    states = {run.name: run.state for run in read_sweep(sweep, "validation/loss").runs}
    assert states["d"] == "not finished: at step 1"
    assert states["e"] == "failed: the loss is not finite"
    assert [states[name] for name in ("a", "b", "deep/c")] == ["finished"] * 3
    assert "best of those that finished: b (" in text and "validation/loss 2.5000" in text
    assert "d (not finished: at step 1); e (failed: the loss is not finite)" in text


def test_table_csv_json_and_picture_tell_of_every_run(sweep, tmp_path):
    out = tmp_path / "out"
    text = write_report(read_sweep(sweep, "validation/loss"), out)
    assert sorted(path.name for path in out.iterdir()) == sorted(FILES)
    assert (out / "sweep.md").read_text() == text
    rows = list(csv.DictReader((out / "sweep.csv").open()))
    assert {row["run"]: row["validation/loss"] for row in rows} == {
        "a": "3.0000", "b": "2.5000", "deep/c": "3.5000", "d": "5.0000", "e": ""
    }  # fmt: skip
    stored = json.loads((out / "sweep.json").read_text())
    assert stored["lower_is_better"] and len(stored["runs"]) == 5
    assert stored["runs"][-1]["value"] is None


@pytest.mark.parametrize("kind", ["heat map", "line", "rows"])
def test_a_picture_is_drawn_of_one_two_and_other_settings(tmp_path, kind):
    for number in range(3):
        for seed in range(2):
            settings = {
                "heat map": {"rate": 10.0**-number, "rank": 2 + number % 2},
                "line": {"rate": 10.0**-number},
                "rows": {"stage": f"stage {number}"},
            }[kind]
            leave_run(
                tmp_path / f"{number}-{seed}", [3.0 - number + seed / 9], seed=seed, **settings
            )
    drawn = Image.open(io.BytesIO(picture(read_sweep(tmp_path, "validation/loss"))))
    assert drawn.format == "PNG" and min(drawn.size) > 200
    assert len(drawn.convert("RGB").getcolors(1 << 24)) > 20


def test_a_checkpoint_tells_what_a_run_was_told_where_nothing_else_does(tmp_path):
    checkpoint = tmp_path / "checkpoints" / "step-00000003"
    checkpoint.mkdir(parents=True)
    meta = {
        "format": 1,
        "step": 3,
        "shapes": {},
        "config": {"configuration": {"lora": {"rank": 4}}},
    }
    (checkpoint / "checkpoint.json").write_text(json.dumps(meta))
    assert read_settings(tmp_path) == {"lora.rank": 4}
    assert read_settings(tmp_path / "none") == {}


def test_a_key_that_one_run_lacks_differs_only_by_what_others_have():
    assert differing([{"a": 1, "b": 2}, {"a": 1}, {"a": 1, "b": 3}]) == ["b"]
    assert differing([{"a": 1}, {}]) == []


def test_what_cannot_be_compared_is_told_with_what_there_is(sweep, tmp_path):
    with pytest.raises(ValueError, match=r"no log of .* has it; they have step, validation/cIoU"):
        read_sweep(sweep, "validation/giou")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="holds no run: name the folder"):
        read_sweep(tmp_path / "empty", "validation/loss")
    with pytest.raises(ValueError, match="take='first' is none of last, best"):
        read_sweep(sweep, "validation/loss", take="first")
    (sweep / "a" / ".hydra" / "config.yaml").write_text("a: [")
    with pytest.raises(ValueError, match=r"config\.yaml is damaged"):
        read_sweep(sweep, "validation/loss")

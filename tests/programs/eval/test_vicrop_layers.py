"""eval/vicrop_layers as it is called, on tiny random models of this project and of Hugging Face."""

from __future__ import annotations

import json

import pytest
import tiny_families
from programs_here import ROOT, run_program
from tiny_models import tokenizer, vqa_model
from vstar_folder import write_bench

from seal.evaluation.vicrop_layers.config import LayersRun
from seal.models.files.save import save_model
from seal.schema import compose


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("layers")
    save_model(folder / "vqa", vqa_model(), tokenizer().folder)
    write_bench(folder / "bench")
    return folder


def calibrate(place, vqa, out, *more):
    return run_program(
        "eval/vicrop_layers", f"benchmark={place / 'bench'}", f"vqa={vqa}", f"out={out}",
        "device=cpu", *more,
    )  # fmt: skip


def test_the_programs_defaults_are_those_of_its_dataclass():
    named = ["benchmark=b", "vqa=v", "out=o"]
    found = compose(ROOT / "conf", "eval_vicrop_layers", LayersRun, named)
    assert found == LayersRun(benchmark="b", vqa="v", out="o")
    released = compose(
        ROOT / "conf", "eval_vicrop_layers", LayersRun, [*named, "protocol=as_released"]
    )
    assert released.vicrop_config().view == "as_released"


@pytest.mark.parametrize("family", ["seal", "llava"])
def test_every_layer_is_measured_and_told(place, tmp_path, capsys, family):
    vqa = place / "vqa" if family == "seal" else tiny_families.folder(family)
    assert calibrate(place, vqa, tmp_path / "out") == 0
    told = capsys.readouterr().out
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {
        "predictions.jsonl", "metrics.json", "config.yaml", "environment.json", "layers.html",
        "layers.png",
    }  # fmt: skip
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert [of["layer"] for of in metrics["layers"]] == list(range(metrics["num_layers"]))
    assert metrics["num_layers"] == 2 and metrics["num_questions"] == 4 and not metrics["errors"]
    for of in metrics["layers"]:
        assert 0 < of["share"]["value"] < 1 and 0 <= of["covered"]["value"] <= 1
    assert "best" in told and f"written: {tmp_path / 'out'}" in told
    # Other settings would give other lines: they are not mixed.
    assert calibrate(place, vqa, tmp_path / "out", "vicrop.base_window=100") == 2
    assert "base_window" in capsys.readouterr().err


def test_a_layer_cannot_be_named(place, tmp_path, capsys):
    assert calibrate(place, place / "vqa", tmp_path / "out", "vicrop.layer=1") == 2
    assert "vicrop.layer=1: all layers are read here" in capsys.readouterr().err

"""eval/grounding on a tiny random search model: what it writes, continues and refuses."""

from __future__ import annotations

import json

import pytest
from programs_here import ROOT, run_program
from record_sets import HEIGHT, WIDTH, search_record, write_set
from tiny_models import tokenizer, vsm_model

from seal.data.masks import rle_to_mask
from seal.data.record_set import Expression
from seal.evaluation.grounding.run import GroundingRun
from seal.geometry import Box
from seal.models.files.save import save_model
from seal.schema import compose

BOX = Box(6, 4, 18, 12)
SQUARE = [[6, 4, 18, 4, 18, 12, 6, 12]]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    from seal.data.masks import segmentation_to_rle

    folder = tmp_path_factory.mktemp("grounding")
    save_model(folder / "vsm", vsm_model(), tokenizer().folder)
    mask = segmentation_to_rle(SQUARE, HEIGHT, WIDTH)
    said = [Expression("the red mug", (BOX,), mask), Expression("a mug on the left", (BOX,), mask)]
    write_set(folder / "set", [search_record(name, *said) for name in ("one", "two", "three")])
    return folder


def grounding(place, out, *more):
    return run_program(
        "eval/grounding", f"benchmark={place / 'set'}", f"vsm={place / 'vsm'}", f"out={out}",
        "device=cpu", *more,
    )  # fmt: skip


def test_boxes_and_masks_are_scored_and_the_command_continues(place, tmp_path, capsys):
    out = tmp_path / "out"
    assert grounding(place, out) == 0
    shown = capsys.readouterr().out
    assert "6 expressions of 3 images" in shown and "gIoU" in shown
    written = (out / "metrics.json").read_bytes()
    (of,) = json.loads(written)["sources"].values()
    assert {name: metric["n"] for name, metric in of.items()} == dict.fromkeys(
        ("box_accuracy", "box_iou", "cIoU", "gIoU"), 6
    )
    lines = [json.loads(line) for line in (out / "predictions.jsonl").read_text().splitlines()]
    assert all(rle_to_mask(line["answer"]["mask"]).shape == (HEIGHT, WIDTH) for line in lines)
    (out / "metrics.json").unlink()
    before = (out / "predictions.jsonl").read_bytes()
    assert grounding(place, out, "batch=1") == 0
    assert (out / "metrics.json").read_bytes() == written
    assert (out / "predictions.jsonl").read_bytes() == before


def test_a_search_scores_boxes_alone(place, tmp_path):
    assert grounding(place, tmp_path / "out", "strategy=sequential_bfs", "limit=1") == 0
    found = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert found["strategy"] == "sequential_bfs" and found["num_expressions"] == 2
    assert set(found["sources"]["test"]) == {"box_accuracy", "box_iou"}


def test_a_dry_run_counts(place, tmp_path, capsys):
    assert grounding(place, tmp_path / "out", "dry_run=true") == 0
    assert "6 expressions of 3 images" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (["strategy=zoom_eye", "vsm=v"], "strategy=zoom_eye asks a question"),
        (["strategy=guidde", "vsm=v"], "no search strategy 'guidde'"),
        (["strategy=oracle", "vsm=v"], "oracle"),
        ([], "guide.detect=seal needs SEAL's search model"),
        (["guide=annotated"], "guide.detect=annotated sees what a benchmark says"),
        (["vsm=v", "limit=0"], "limit=0 must be at least 1"),
    ],
)  # fmt: skip
def test_a_wrong_setting_is_told_in_a_line(overrides, says):
    with pytest.raises(ValueError, match=says) as error:
        compose(ROOT / "conf", "eval_grounding", GroundingRun, ["benchmark=b", "out=o", *overrides])
    assert "\n" not in str(error.value)


def test_only_seals_own_heat_is_a_mask():
    def masks(*overrides):
        given = ["benchmark=b", "out=o", "vsm=v", *overrides]
        return compose(ROOT / "conf", "eval_grounding", GroundingRun, given).masks

    owl = "guide.models.owlv2=x"
    assert masks() and not masks("strategy=guided")
    assert not masks("guide=owlv2", owl) and not masks("guide.detect=owlv2", owl)

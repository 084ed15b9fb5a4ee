"""The programs for GQA, VAW, spatial and focus records, run as a user runs them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from coco_files import annotation, write_coco
from record_sets import draw_image

from seal.building.erasure.filter import ErasureConfig
from seal.building.vqa_mixture.gqa import GqaBuildConfig
from seal.building.vqa_mixture.vaw import VawBuildConfig
from seal.data.record_set import RecordSet
from seal.schema import compose

ROOT = Path(__file__).resolve().parents[2]


def run(program: str, *overrides: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "seal", f"data_builders/{program}", *overrides]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def sources(folder: Path) -> dict[str, list[str]]:
    """A small source for every program, as its overrides."""
    dog, kite = [2, 5, 22, 30], [34, 5, 22, 30]
    coco = write_coco(folder, [annotation(0, 3, dog), annotation(0, 4, kite)])
    talk = [{"from": "human", "value": "Is the dog in?"}, {"from": "gpt", "value": "Yes."}]
    llava = folder / "llava.json"
    llava.write_text(json.dumps([{"id": "1", "image": "0.png", "conversations": talk}]))
    draw_image(folder / "7.jpg")
    thing = {"name": "cup", "x": 5, "y": 5, "w": 20, "h": 20}
    graphs, questions = folder / "graphs.json", folder / "questions.json"
    graphs.write_text(json.dumps({"7": {"width": 60, "height": 40, "objects": {"1": thing}}}))
    question = {
        "question": "What color is the cup?",
        "imageId": "7",
        "answer": "red",
        "fullAnswer": "The cup is red.",
        "annotations": {"question": {"4": "1"}},
    }
    questions.write_text(json.dumps({"12": question}))
    vaw, types = folder / "vaw.json", folder / "types.json"
    instance = {
        "image_id": "7",
        "instance_id": "70",
        "instance_bbox": [5, 5, 20, 20],
        "instance_polygon": None,
        "object_name": "cup",
        "positive_attributes": ["red"],
        "negative_attributes": [],
    }
    vaw.write_text(json.dumps([instance]))
    types.write_text(json.dumps({"color": ["red"]}))
    return {
        "spatial": [f"annotations={coco}"],
        "focus": [f"annotations={coco}", f"llava={llava}"],
        "gqa": [f"annotations={questions}", f"scene_graphs={graphs}"],
        "vaw": [f"annotations={vaw}", f"attribute_types={types}", "types=[color]"],
    }


@pytest.mark.parametrize("program", ["spatial", "focus", "gqa", "vaw"])
def test_a_program_builds_its_set(tmp_path: Path, program: str) -> None:
    out = tmp_path / "out"
    done = run(program, *sources(tmp_path)[program], f"images={tmp_path}", f"out={out}")
    assert done.returncode == 0, done.stderr
    assert f"1 records: {out}" in done.stdout
    (record,) = RecordSet.open(out)
    assert len(record.targets) == (2 if program == "spatial" else 1)
    assert "<img" in (out / "report.html").read_text()


def test_a_wrong_source_is_one_line_and_exit_code_two(tmp_path: Path) -> None:
    own = ["annotations=none.json", "scene_graphs=g", f"images={tmp_path}", f"out={tmp_path / 'o'}"]
    done = run("gqa", *own)
    assert done.returncode == 2
    assert done.stderr.strip().count("\n") == 0 and "none.json is not a file" in done.stderr


@pytest.mark.parametrize(
    ("schema", "own"),
    [(GqaBuildConfig, ["scene_graphs=g"]), (VawBuildConfig, ["attribute_types=t", "also=[b, c]"])],
)
def test_the_filter_and_the_model_are_configured_below_their_names(
    schema: type[GqaBuildConfig] | type[VawBuildConfig], own: list[str]
) -> None:
    overrides = ["annotations=a", "images=i", "out=o", *own, "erasure.answers=seal",
                 "erasure.model=models/vqa", "erasure.mask=polygon", "language.seed=4"]  # fmt: skip
    config = compose(ROOT / "conf", "build", schema, overrides)
    assert config.erasure == ErasureConfig(answers="seal", model="models/vqa", mask="polygon")
    assert config.language.seed == 4
    with pytest.raises(ValueError, match=r"erasure.answers='all'"):
        compose(ROOT / "conf", "build", schema, [*overrides[:-4], "erasure.answers=all"])

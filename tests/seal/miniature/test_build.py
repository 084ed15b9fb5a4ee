"""One folder with every set; the same seed gives the same bytes whatever the workers."""

from __future__ import annotations

import hashlib
import json

import pytest

from seal.data.record_set import RecordSet
from seal.miniature.build import ScenesConfig, build_scenes

SMALL = {
    "vqa_align": 2, "vqa_instruct": 2, "vqa_no_crops": 2, "vsm": 2, "validation": 1,
    "direct_attributes": 2, "relative_position": 2, "absent_targets": 1, "shuffled": 2,
}  # fmt: skip


def digests(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.suffix in {".jpg", ".jsonl"} or path.parent.name == "direct_attributes"
    }


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scenes")
    build_scenes(ScenesConfig(out=str(folder / "a"), **SMALL))
    build_scenes(ScenesConfig(out=str(folder / "b"), workers=2, **SMALL))
    return folder


def test_the_number_of_workers_changes_no_byte(built):
    assert digests(built / "a") == digests(built / "b") != {}


def test_complete_sets_are_kept_and_others_are_not_written_over(built):
    before = {path: path.stat().st_mtime_ns for path in (built / "a").rglob("*.jsonl")}
    build_scenes(ScenesConfig(out=str(built / "a"), **SMALL))
    assert {path: path.stat().st_mtime_ns for path in (built / "a").rglob("*.jsonl")} == before
    with pytest.raises(ValueError, match="already holds a record set"):
        build_scenes(ScenesConfig(out=str(built / "a"), seed=1, **SMALL))


@pytest.mark.parametrize("name", ["vqa_align", "vqa_instruct", "vqa_no_crops", "vsm"])
def test_each_set_opens_and_shares_no_image_with_its_validation_set(built, name):
    training = RecordSet.open(built / "a" / name)
    held_out = RecordSet.open(built / "a" / "validation" / name)
    pictures = [
        {hashlib.sha256(records.image_path(r).read_bytes()).hexdigest() for r in records}
        for records in (training, held_out)
    ]
    assert pictures[0] and pictures[1]
    assert not pictures[0] & pictures[1]


def test_the_control_is_built_with_shuffled_homes(built):
    for name, homes in [("benchmark", "habitual"), ("benchmark_shuffled", "shuffled")]:
        paths = sorted((built / "a" / name / "direct_attributes").glob("*.json"))
        stored = [json.loads(path.read_text())["meta"]["scene"]["homes"] for path in paths]
        assert stored == [homes] * 2


def test_an_unknown_set_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="only='vms'; known: vqa_align"):
        ScenesConfig(out="x", only=["vms"])

from __future__ import annotations

import json

import pytest

from seal.evaluation.tasks.vstar_files import read_questions
from seal.miniature.benchmark import ABSENT, AWAY, FOLDERS, HOME, build_benchmark

SPLITS = {"direct_attributes": "attribute", "relative_position": "spatial"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("benchmark")
    assert build_benchmark(out, counts=dict.fromkeys(FOLDERS, 8), seed=0) == 24
    return out


def test_the_vstar_reader_takes_it_as_its_own(folder):
    questions = read_questions(folder, SPLITS)
    assert [q.split for q in questions] == ["attribute"] * 8 + ["spatial"] * 8
    for question in questions:
        assert question.answer == 0
        assert len(question.options) == (4 if question.split == "attribute" else 2)
        assert len(question.targets) == (1 if question.split == "attribute" else 2)
        for target in question.targets:
            assert target.name in question.text and target.group in (HOME, AWAY)
            assert 15 < target.boxes[0].width < 26


def test_absent_targets_have_no_box_and_the_truth_is_to_say_so(folder):
    splits = {"absent_targets": "absent"}
    for question in read_questions(folder, splits):
        (target,) = question.targets
        assert target.boxes == () and target.group == ABSENT
        assert question.options[0] == f"There is no {target.name} in the image."


def test_the_benchmark_depends_on_its_seed_alone(folder, tmp_path):
    build_benchmark(tmp_path, counts=dict.fromkeys(FOLDERS, 8), seed=0)
    for path in sorted(folder.rglob("*.*")):
        assert (tmp_path / path.relative_to(folder)).read_bytes() == path.read_bytes()


def test_the_control_asks_where_context_says_nothing(tmp_path):
    build_benchmark(tmp_path, counts={"direct_attributes": 30}, seed=0, homes="shuffled")
    groups = [
        json.loads(path.read_text(encoding="utf-8"))["meta"]["groups"][0]
        for path in tmp_path.rglob("*.json")
    ]
    assert groups.count(HOME) < len(groups) / 2
    with pytest.raises(ValueError, match="unknown folders"):
        build_benchmark(tmp_path, counts={"direct": 1}, seed=0)


def test_questions_of_another_benchmark_are_not_left_among_the_new_ones(tmp_path):
    build_benchmark(tmp_path, counts={"direct_attributes": 2}, seed=0)
    with pytest.raises(ValueError, match=r"direct_attributes holds questions beyond the 1"):
        build_benchmark(tmp_path, counts={"direct_attributes": 1}, seed=0)

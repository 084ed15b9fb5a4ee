"""Record sets and benchmark of scenes from near and afar."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from seal.data.record_set import RecordSet
from seal.evaluation.tasks.own import read
from seal.images import open_image
from seal.miniature.build import ScenesConfig, build_scenes
from seal.miniature.distances import DISTANCES, REGION
from seal.miniature.granularity_scenes import (
    GRANULARITY_BENCHMARK,
    GRANULARITY_SETS,
    SORTS_IN_TURN,
    build_granularity_set,
    granularity_world,
)
from seal.miniature.scenes import SPLITS, split_seed

NUMBERS = {name: 6 for name in GRANULARITY_SETS}


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("granularity")
    config = ScenesConfig(
        out=str(folder),
        only=[*GRANULARITY_SETS, GRANULARITY_BENCHMARK],
        validation=2,
        granularity_benchmark=12,
        **NUMBERS,
    )
    counts = build_scenes(config)
    assert counts[GRANULARITY_BENCHMARK] == 12 and counts["granularity_router"] == 12
    return folder


def test_no_world_is_shared_with_another_set_or_seed():
    worlds = [
        granularity_world(n, s)
        for n in (*GRANULARITY_SETS, GRANULARITY_BENCHMARK)
        for s in range(2000)
    ]
    worlds += [split_seed(split, seed) for split in SPLITS for seed in range(2000)]
    assert len(set(worlds)) == len(worlds)


@pytest.mark.parametrize("name", GRANULARITY_SETS)
def test_every_record_has_its_picture_and_the_set_does_not_depend_on_workers(tmp_path, built, name):
    records = RecordSet.open(built / name)
    for record in records:
        path = records.image_path(record)
        assert path is not None and open_image(path).size == (record.width, record.height)
    again = build_granularity_set(name, tmp_path / "a", num_scenes=6, seed=0, workers=2)
    assert [r.to_json() for r in again] == [r.to_json() for r in records]


def test_a_router_is_asked_one_question_at_a_time_and_half_are_about_regions(built):
    records = list(RecordSet.open(built / "granularity_router"))
    assert all(len(record.turns) == 1 for record in records)
    sources = Counter(record.source for record in records)
    assert sources["region"] == len(records) / 2
    assert set(sources) <= {REGION, *DISTANCES}


def test_the_benchmark_takes_every_sort_in_turn_and_tells_how_large_the_things_are(built):
    questions, images = read(built / GRANULARITY_BENCHMARK)
    assert [question.split for question in questions] == [*SORTS_IN_TURN, *SORTS_IN_TURN]
    for question in questions:
        assert question.options[question.answer] and len(set(question.options)) in (2, 4)
        assert images.open(str(question.image)).size in ((224, 224), (224, 112), (112, 224))
        assert (question.split in DISTANCES) == bool(question.targets)
    for half in (questions[:6], questions[6:]):
        sizes = [q.meta["pixels"] for q in half if q.targets]
        assert len(sizes) == 3
        assert all(larger > smaller for larger, smaller in pairwise(sizes))


def test_an_unknown_set_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no set 'granular'"):
        build_granularity_set("granular", tmp_path, num_scenes=1, seed=0, workers=0)

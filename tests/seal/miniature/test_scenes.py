from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from seal.data.masks import rle_to_mask
from seal.data.record_set import RecordSet
from seal.images import open_image
from seal.miniature.scenes import SETS, SPLITS, VIEW_PIXELS, build_scene_set, split_seed
from seal.miniature.world import KINDS, REGIONS, home
from seal.text.prompts import parse_missing
from seal.text.tokens import OBJECT_PLACEHOLDER


@pytest.fixture(scope="module")
def sets(tmp_path_factory) -> dict[str, RecordSet]:
    folder = tmp_path_factory.mktemp("scenes")
    return {
        name: build_scene_set(name, folder / name, num_scenes=6, seed=0, workers=0) for name in SETS
    }


def test_a_set_depends_on_its_seed_and_not_on_the_workers(tmp_path, sets):
    again = build_scene_set("vsm", tmp_path / "again", num_scenes=6, seed=0, workers=2)
    other = build_scene_set("vsm", tmp_path / "other", num_scenes=6, seed=1, workers=0)
    lines = [[r.to_json() for r in records] for records in (sets["vsm"], again, other)]
    assert lines[0] == lines[1] != lines[2]
    name = next(iter(again)).image
    assert name is not None
    first = (sets["vsm"].image_root / name).read_bytes()
    assert (again.image_root / name).read_bytes() == first


def test_the_attributes_by_themselves_are_those_of_the_instructions(tmp_path, sets):
    alone = build_scene_set("vqa_attributes", tmp_path, num_scenes=6, seed=0, workers=0)
    among = [r.to_json() for r in sets["vqa_instruct"] if "-attribute" in r.id]
    assert [record.to_json() for record in alone] == among != []
    shown = {record.image for record in alone}
    assert {path.name for path in alone.image_root.iterdir()} == shown


@pytest.mark.parametrize("name", SETS)
def test_every_record_has_its_picture_in_its_size(sets, name):
    records = sets[name]
    assert len(records) >= 6
    for record in records:
        path = records.image_path(record)
        assert path is not None
        assert open_image(path).size == (record.width, record.height)


def test_no_world_is_shared_between_splits_or_seeds():
    worlds = [split_seed(split, seed) for split in SPLITS for seed in range(20)]
    assert len(set(worlds)) == len(worlds)


def test_a_view_asks_for_what_is_there_what_is_not_and_two_regions(sets):
    kinds_of_rows: Counter[str] = Counter()
    numbers_of_regions = set()
    for record in sets["vsm"]:
        assert min(record.width, record.height) == VIEW_PIXELS
        things, regions = record.expressions[:3], record.expressions[3:]
        numbers_of_regions.add(len(regions))
        assert len({region.text.split()[-1] for region in regions}) == len(regions)
        for region in regions:
            assert region.boxes is None and region.mask is not None
            assert rle_to_mask(region.mask).any()
            assert any(name in region.text for name in REGIONS)
        for expression in things:
            assert expression.text in KINDS and expression.mask is not None
            assert rle_to_mask(expression.mask).any() == bool(expression.boxes)
            kinds_of_rows["present" if expression.boxes else "absent"] += 1
    assert min(kinds_of_rows.values()) > 0.2 * kinds_of_rows.total()
    assert numbers_of_regions == {1, 2}  # a close view may show one alone


def test_the_likely_place_is_the_home_in_some_set_of_shown_regions(sets):
    answers = [turn for record in sets["vsm"] for turn in record.turns]
    assert len(answers) > len(sets["vsm"]) / 2
    for question, answer in answers:
        kind = re.findall(r"location of the (\w+) in", question)[0]
        region = re.findall(r"appear (?:in|on) the (\w+)\.", answer)[0]
        assert region in KINDS[kind].homes
        assert home(kind, [region]) == region


def test_instructions_hold_answers_from_crops_refusals_and_plain_answers(sets):
    by_source: dict[str, list] = {}
    for record in sets["vqa_instruct"]:
        by_source.setdefault(record.source, []).append(record)
    assert set(by_source) >= {"instruct", "absent"}
    for record in by_source["instruct"]:
        asked = record.turns[0][0]
        assert asked.count(OBJECT_PLACEHOLDER) == len(record.targets) in (1, 2)
        question = asked.splitlines()[-1]
        # Objects are listed in the order of the question, and one order only is asked.
        places = [question.index(target.name) for target in record.targets]
        assert places == sorted(places)
        relations = [answer for _, answer in record.turns if "badge" not in answer]
        assert len(relations) <= 1
    for record in by_source.get("negative", []):
        question, answer = record.turns[0]
        missing = parse_missing(answer)
        assert missing and all(name in question for name in missing) and not record.targets


def test_the_baseline_is_never_shown_a_crop_nor_taught_to_refuse(sets):
    for record in sets["vqa_no_crops"]:
        assert not record.targets
        assert all(parse_missing(answer) is None for _, answer in record.turns)


def test_an_unknown_set_is_refused(tmp_path: Path):
    with pytest.raises(ValueError, match="no set 'vsn'"):
        build_scene_set("vsn", tmp_path, num_scenes=1, seed=0, workers=0)

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from coco_files import annotation, write_coco

from seal.building.search_mixture.possible_locations import (
    PossibleLocationsBuildConfig,
    build_possible_locations,
)
from seal.data.record_set import RecordSet
from seal.text.prompts import cue_prefix, cue_question

PERSON, CUP, DOG, KITE, GLASS = 1, 2, 3, 4, 5
# Image 0 is like 1 and 2; 3 is like 4.
FEATURES = [[1, 0], [0.99, 0.1], [0.98, 0.15], [0, 1], [0.1, 0.99]]
SHOWN = [
    annotation(0, PERSON, [0, 0, 30, 30]),
    annotation(1, DOG, [0, 0, 9, 9]),
    annotation(1, PERSON, [0, 0, 9, 9]),
    annotation(2, KITE, [0, 0, 9, 9], iscrowd=1),
    annotation(3, CUP, [0, 0, 9, 9]),
    annotation(4, GLASS, [0, 0, 9, 9]),
]


def source(
    folder: Path, said: dict[int, list[str]] | None = None, **values: Any
) -> PossibleLocationsBuildConfig:
    path = write_coco(folder, SHOWN, num_images=5)
    told = {i: [f"A photo of number {i}."] for i in range(5)} | (said or {})
    entries = [{"image_id": i, "caption": text} for i, texts in told.items() for text in texts]
    (folder / "captions.json").write_text(json.dumps({"annotations": entries}))
    np.save(folder / "features.npy", np.array(FEATURES))
    return PossibleLocationsBuildConfig(
        **{
            "annotations": str(path),
            "captions": str(folder / "captions.json"),
            "images": str(folder),
            "out": str(folder / "out"),
            "features": str(folder / "features.npy"),
            "neighbors": 2,
        }
        | values
    )


def targets(records: RecordSet) -> dict[int, set[str]]:
    found: dict[int, set[str]] = {}
    for record in records:
        found.setdefault(record.meta["image_id"], set()).add(record.meta["target"])
    return found


def test_an_object_is_asked_for_where_similar_images_show_it_and_this_one_does_not(
    tmp_path: Path,
) -> None:
    records = build_possible_locations(source(tmp_path))
    assert targets(records) == {
        0: {"dog", "kite"},
        1: {"kite"},
        2: {"dog", "person"},
        3: {"wine glass", "kite"},  # its second neighbor is image 2
        4: {"cup", "kite"},
    }


def test_the_sentences_are_those_of_the_search_model(tmp_path: Path) -> None:
    for record in build_possible_locations(source(tmp_path)):
        target = record.meta["target"]
        ((question, answer),) = record.turns
        assert question == f"<image>\n{cue_question(target)}"
        assert answer.startswith(f"{cue_prefix(target)} ") and answer.endswith(".")
        phrase = answer.removeprefix(cue_prefix(target)).removesuffix(".").split()
        assert 2 <= len(phrase) <= 10
        assert record.expressions == () and record.targets == ()


def test_similar_images_are_named_in_the_record(tmp_path: Path) -> None:
    records = build_possible_locations(source(tmp_path))
    named = {r.meta["target"]: r.meta["similar_images"] for r in records if r.id.count("-0-")}
    assert named == {"dog": [1], "kite": [2]}


@pytest.mark.parametrize("caption", ["A dog.", "Some DOGS play."])
def test_what_a_caption_names_is_there(tmp_path: Path, caption: str) -> None:
    assert targets(build_possible_locations(source(tmp_path, {0: [caption]})))[0] == {"kite"}


def test_captions_know_other_names_of_a_class(tmp_path: Path) -> None:
    assert targets(build_possible_locations(source(tmp_path, {2: ["Two men"]})))[2] == {"dog"}


def test_images_without_captions_or_with_nothing_to_ask_for_are_counted(tmp_path: Path) -> None:
    config = source(tmp_path, {3: [], 1: ["A kite"]})
    counts = build_possible_locations(config).description["counts"]
    assert counts["image without captions"] == 1
    assert counts["image whose like shows nothing else"] == 1


def test_only_the_images_of_the_limit_are_compared(tmp_path: Path) -> None:
    records = build_possible_locations(source(tmp_path, limit=2))
    assert targets(records) == {0: {"dog"}}


def test_the_set_does_not_depend_on_workers(tmp_path: Path) -> None:
    alone = build_possible_locations(source(tmp_path))
    together = build_possible_locations(source(tmp_path, out=str(tmp_path / "two"), workers=2))
    for name in ("records-00000-of-00001.jsonl", "set.json"):
        assert (alone.folder / name).read_bytes() == (together.folder / name).read_bytes()


def test_a_missing_image_is_counted(tmp_path: Path) -> None:
    config = source(tmp_path)
    (tmp_path / "sub/4.png").unlink()
    counts = build_possible_locations(config).description["counts"]
    assert counts["image file missing"] == 1


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"clip": "some/clip"}, "clip= or features="),
        ({"features": None}, "clip= or features="),
        ({"neighbors": 0}, "neighbors=0"),
        ({"per_image": 0}, "per_image=0"),
    ],
)
def test_impossible_settings_are_refused(
    tmp_path: Path, change: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        source(tmp_path, **change)


def test_a_missing_source_is_named(tmp_path: Path) -> None:
    for name in ("captions", "annotations"):
        with pytest.raises(ValueError, match=f"{name}=gone.json is not a file"):
            build_possible_locations(source(tmp_path, **{name: "gone.json"}))
    with pytest.raises(ValueError, match=r"features=gone\.npy"):
        build_possible_locations(source(tmp_path, features="gone.npy"))

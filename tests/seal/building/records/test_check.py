from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_tokenizers
from record_sets import (
    HEIGHT,
    WIDTH,
    chat_record,
    draw_image,
    search_record,
    text_record,
    tiny_tokenizer,
    write_set,
)

from seal.building.records.check import CheckConfig, Report, check_set, find_sets, size_table
from seal.data.masks import mask_to_rle
from seal.data.record_set import Expression
from seal.files.digest import file_digest
from seal.geometry import Box
from seal.text.extend_tokenizer import extend_tokenizer
from seal.text.tokens import SEARCH_TOKENS

MASK = mask_to_rle(np.eye(HEIGHT, WIDTH, dtype=np.uint8))
RECORDS = [
    chat_record("a", 2),
    text_record("b"),
    search_record("c", Expression("cup", (Box(1, 1, 9, 9),), MASK), Expression("dog", ())),
]


def written(folder: Path, **settings: Any) -> Path:
    write_set(folder, RECORDS, **settings)
    return folder


def check(folder: Path, **more: Any) -> Report:
    return check_set(folder, CheckConfig(records=str(folder), **more))


def change_line(folder: Path, line: int, change: Callable[[Any], Any]) -> None:
    """Change one record as a careless hand would, but for `set.json`, which fits again."""
    (shard,) = folder.glob("records-*.jsonl")
    lines = shard.read_bytes().splitlines(keepends=True)
    content = json.loads(lines[line - 1])
    content = change(content) or content
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    lines[line - 1] = raw + b"\n"
    shard.write_bytes(b"".join(lines))
    fit(folder)


def fit(folder: Path) -> None:
    path = folder / "set.json"
    description = json.loads(path.read_text())
    for facts in description["shards"]:
        shard = folder / facts["name"]
        facts["bytes"], facts["sha256"] = shard.stat().st_size, file_digest(shard)
    path.write_text(json.dumps(description))


@pytest.mark.parametrize("more", [{}, {"workers": 2}, {"images": True}])
def test_a_sound_set_has_no_problem(tmp_path: Path, more: Any) -> None:
    report = check(written(tmp_path, records_per_shard=2), **more)
    assert report.records == 3 and not report.kinds, report.first


def _set(**values: Any) -> Callable[[Any], None]:
    return lambda record: record.update(values)


def _target(**values: Any) -> Callable[[Any], None]:
    return lambda record: record["targets"][0].update(values)


def _expression(place: int = 0, **values: Any) -> Callable[[Any], None]:
    return lambda record: record["expressions"][place].update(values)


def _say(place: int, value: str) -> Callable[[Any], None]:
    return lambda record: record["conversations"][place].update(value=value)


@pytest.mark.parametrize(
    ("line", "change", "kind"),
    [
        (1, lambda _: b'{"id": "a"', "not JSON"),
        (1, lambda _: b"\xff", "not JSON"),
        (1, lambda _: b"[]", "not a record"),
        (1, _set(schema=7), "not a record"),
        (1, _set(extra=1), "not a record"),
        (1, _target(box=[0, 0, WIDTH + 9, 9]), "box outside its image"),
        (1, _target(box=[5, 5, 5, 9]), "broken box"),
        (1, _target(box=[9, 5, 5, 9]), "broken box"),
        (1, _target(box=[5, 5, 9]), "broken box"),
        (1, _target(box=[5, 5, float("nan"), 9]), "broken box"),
        (1, _target(name=" "), "empty text"),
        (1, _set(targets=[]), "placeholders and targets differ"),
        (1, _say(0, "<object> <object>"), "empty text"),
        (1, _say(0, "<object> <object> where?"), "placeholders and image differ"),
        (1, _say(1, "an <object>"), "placeholder in an answer"),
        (1, _say(1, " "), "empty text"),
        (2, _set(conversations=[]), "broken conversation"),
        (2, lambda r: r["conversations"].reverse(), "broken conversation"),
        (3, _expression(text=""), "empty text"),
        (3, _expression(mask={"size": [3, 4], "counts": "<"}), "mask of another size"),
        (3, _expression(mask=MASK | {"counts": MASK["counts"][:-2]}), "mask does not decode"),
        (3, _expression(mask={"size": [HEIGHT, WIDTH]}), "mask does not decode"),
        (3, _expression(1, mask=MASK), "mask of an absent object"),
        (3, _set(id="a"), "id occurs twice"),
    ],
)
def test_each_kind_of_problem_is_named_with_its_line(
    tmp_path: Path, line: int, change: Any, kind: str
) -> None:
    change_line(written(tmp_path), line, change)
    report = check(tmp_path)
    assert report.kinds == {kind: 1}, report.first
    assert re.search(rf"records-00000-of-00001.jsonl:{line}$", report.first[0].where)


def test_a_shard_that_is_not_the_one_that_was_built_is_named(tmp_path: Path) -> None:
    folder = written(tmp_path, records_per_shard=2)
    first, second = sorted(folder.glob("records-*.jsonl"))
    first.write_bytes(first.read_bytes().replace(b"Where", b"There"))
    second.unlink()
    report = check(folder)
    assert report.kinds == {"file differs from set.json": 1, "shard missing": 1}
    assert {problem.where for problem in report.first} == {str(first), str(second)}
    assert report.records == 2


def test_a_shard_cut_off_is_named(tmp_path: Path) -> None:
    (shard,) = written(tmp_path).glob("records-*.jsonl")
    shard.write_bytes(shard.read_bytes()[:-5])
    kinds = check(tmp_path).kinds
    assert kinds["last line is cut off"] == kinds["not JSON"] == 1
    assert kinds["file differs from set.json"] == 2  # bytes and checksum


@pytest.mark.parametrize("content", ["{", "{}", '{"schema": 7}', "[]"])
def test_a_broken_description_is_named(tmp_path: Path, content: str) -> None:
    (written(tmp_path) / "set.json").write_text(content)
    report = check(tmp_path)
    assert report.kinds == {"broken set.json": 1} and "set.json" in report.first[0].where


def test_images_are_looked_at_where_asked_for(tmp_path: Path) -> None:
    folder = written(tmp_path)
    (folder / "images" / "a.png").unlink()
    draw_image(folder / "images" / "c.png", 30, 40)
    assert not check(folder).kinds
    report = check(folder, images=True)
    assert report.kinds == {"image missing": 1, "image of another size": 1}
    assert "30 x 40 pixels, the record says 60 x 40" in report.first[1].message
    (folder / "images" / "a.png").write_bytes(b"no image")
    assert check(folder, images=True).kinds["image does not decode"] == 1


def test_label_tokens_are_looked_at_with_a_tokenizer(tmp_path: Path) -> None:
    tokenizer = str(tiny_tokenizer(tmp_path / "tokenizer").folder)
    folder = written(tmp_path / "set")
    assert check(folder).kinds == {}
    # The tiny vocabulary lacks what its few sentences lack, among it the digits of a location.
    report = check(folder, tokenizer=tokenizer, max_text_tokens=400)
    assert set(report.kinds) <= {"label tokens"}
    cut = check(folder, tokenizer=tokenizer, max_text_tokens=10)
    assert cut.kinds["label tokens"] == 4  # two conversations and two expressions
    assert any("a cut at 10 of" in problem.message for problem in cut.first)


def test_label_tokens_are_looked_at_in_the_models_own_template(tmp_path: Path) -> None:
    folder = written(tmp_path / "set")
    plain = tiny_tokenizers.folder("qwen3")
    report = check(folder, tokenizer=str(plain), prompt_style="chat")
    assert report.kinds["label tokens"] == 1  # a search record, and no [LOC]
    search = extend_tokenizer(plain, tmp_path / "search", SEARCH_TOKENS).folder
    assert check(folder, tokenizer=str(search), prompt_style="chat").kinds == {}
    with pytest.raises(ValueError, match="prompt_style='alpaca' is none of"):
        check(folder, prompt_style="alpaca")


def test_problems_are_counted_beyond_those_shown_whatever_the_workers(tmp_path: Path) -> None:
    records = [text_record(f"r{number}") for number in range(600)]
    write_set(tmp_path, records, records_per_shard=400)
    for shard in tmp_path.glob("records-*.jsonl"):
        shard.write_bytes(shard.read_bytes().replace(b'"schema":1', b'"schema":2'))
    fit(tmp_path)
    reports = [check(tmp_path, workers=workers, shown=3) for workers in (0, 2)]
    assert reports[0] == reports[1]
    assert reports[0].kinds == {"not a record": 600} and len(reports[0].first) == 3
    assert [problem.where[-2:] for problem in reports[0].first] == [":1", ":2", ":3"]


def test_counts_are_set_against_the_published_ones(tmp_path: Path) -> None:
    for records, size in ((100_000, "ok"), (96_000, "ok"), (90_000, "short"), (120_000, "over")):
        report = Report(tmp_path / "negative" / "train", records)
        assert report.size(0.05) == size
        assert re.search(
            rf"negative/train +{records:,} +100,000 +{size}", size_table([report], 0.05)[1]
        )
    assert Report(tmp_path / "mine", 7).size(0.05) == "-"


def test_sets_are_found_below_folders(tmp_path: Path) -> None:
    sets = [written(tmp_path / name / "train") for name in ("gqa", "vaw")]
    assert find_sets([tmp_path]) == sets
    assert find_sets([sets[1], tmp_path]) == [sets[1], sets[0]]
    with pytest.raises(ValueError, match=r"records=.*none: no record set"):
        find_sets([tmp_path / "none"])


@pytest.mark.parametrize("records", [None, [], 3, ["a", 3]])
def test_records_are_folders(records: Any) -> None:
    with pytest.raises(ValueError, match="no folder and no list of folders"):
        CheckConfig(records=records)


def test_boxes_in_another_unit_are_a_problem_of_the_set(tmp_path: Path) -> None:
    small = [Box(0.02 * i, 0.1, 0.02 * i + 0.3, 0.7) for i in range(20)]
    write_set(
        tmp_path, [search_record(str(i), Expression("cup", (b,))) for i, b in enumerate(small)]
    )
    report = check(tmp_path)
    assert report.kinds == {"implausible boxes": 1}
    assert "all 20 boxes have no number above 1.5" in report.first[0].message


def test_doubtful_boxes_are_a_warning_and_no_problem(tmp_path: Path) -> None:
    whole = Expression("cup", (Box(0, 0, WIDTH, HEIGHT),))
    write_set(tmp_path, [search_record(str(i), whole) for i in range(20)])
    report = check(tmp_path)
    assert not report.kinds and "all 20 boxes are their whole image" in report.warnings[0]


def test_masks_of_absent_objects_alone_are_a_problem(tmp_path: Path) -> None:
    empty = mask_to_rle(np.zeros((HEIGHT, WIDTH), dtype=np.uint8))
    there, absent = Expression("cup", (Box(1, 1, 9, 9),)), Expression("dog", (), empty)
    write_set(tmp_path / "a", [search_record("a", there, absent)])
    report = check(tmp_path / "a")
    assert report.kinds == {"masks of absent objects alone": 1}
    assert "all 1 masks are empty" in report.first[0].message
    masked = Expression("cup", (Box(1, 1, 9, 9),), MASK)
    write_set(tmp_path / "b", [search_record("a", masked, absent)])
    assert not check(tmp_path / "b").kinds

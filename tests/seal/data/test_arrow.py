from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from record_sets import HEIGHT, WIDTH, chat_record, search_record, text_record, write_set

from seal.data.arrow import arrow_table
from seal.data.masks import mask_to_rle
from seal.data.record_set import Expression, Record
from seal.geometry import Box

MASK = mask_to_rle(np.eye(HEIGHT, WIDTH, dtype=np.uint8))


def test_a_table_holds_every_record_whatever_the_first_ones_lack(tmp_path: Path) -> None:
    records = [
        text_record("a"),
        chat_record("b", 2, meta={"from": "x"}),
        search_record(
            "c",
            Expression("x", None),
            Expression("y", ()),
            Expression("z", (Box(1, 2, 3, 4.5),), MASK),
        ),
    ]
    built = write_set(tmp_path / "set", records, records_per_shard=1)
    table = arrow_table(built, cache_dir=str(tmp_path / "cache"))
    for row, record in zip(table, records, strict=True):
        row["meta"] = json.loads(row["meta"])
        assert Record.from_json(row) == record


def test_a_change_in_the_last_of_many_shards_is_seen_past_the_cache(tmp_path: Path) -> None:
    cache = str(tmp_path / "cache")
    for last in ("old", "new"):
        records = [text_record(str(i)) for i in range(19)] + [text_record(last)]
        built = write_set(tmp_path / last, records, records_per_shard=1)
        assert arrow_table(built, cache_dir=cache)[19]["id"] == last

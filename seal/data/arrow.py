"""A record set as an Arrow table, for looking at it and for tools that read such tables."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from seal.data.record_set import RecordSet

if TYPE_CHECKING:
    from datasets import Dataset


def arrow_table(records: RecordSet, cache_dir: str | None = None) -> Dataset:
    """One row a record, one column a key; `meta` has no fixed form and becomes JSON text.

    The types are written down: guessed from the first shard, a column that happens to be empty
    there could not hold what comes later.
    """
    from datasets import Dataset, Features, List, Value

    text, whole, corners = Value("string"), Value("int64"), List(Value("float64"))
    features = Features(
        {
            "schema": whole,
            "id": text,
            "source": text,
            "license": text,
            "image": text,
            "width": whole,
            "height": whole,
            "conversations": List({"from": text, "value": text}),
            "targets": List({"name": text, "box": corners}),
            "expressions": List(
                {
                    "text": text,
                    "boxes": List(corners),
                    "mask": {"size": List(whole), "counts": text},
                }
            ),
            "meta": text,
        }
    )

    def rows() -> Iterator[dict[str, Any]]:
        for record in records:
            line = record.to_json()
            yield line | {"meta": json.dumps(line["meta"], sort_keys=True)}

    # The checksums, not the generator, are what the cache must tell apart.
    sums = "".join(shard["sha256"] for shard in records.description["shards"])
    fingerprint = hashlib.sha256(sums.encode()).hexdigest()
    return Dataset.from_generator(
        rows, features=features, cache_dir=cache_dir, fingerprint=fingerprint
    )

"""The length index of each record set of a run: read from its folder, or made and put there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from seal.data.chat import ChatDataset
from seal.data.grounding import GroundingDataset
from seal.data.length_index import LengthIndex
from seal.data.record_set import RecordSet
from seal.files.digest import file_digest
from seal.text.tokenize import TOKENIZER_FILES, Tokenizer

Make = Callable[[RecordSet], ChatDataset | GroundingDataset]


def indexed(make: Make, folder: Path, tokenizer: Tokenizer, workers: int) -> Make:
    """As `make`, the lengths of whose records are at hand.

    An index in `folder` is for these records, this tokenizer and these settings alone: of others
    there is another file. One that is damaged is made anew, by `workers` processes.
    """

    def made(records: RecordSet) -> ChatDataset | GroundingDataset:
        data = make(records)
        files = (tokenizer.folder / name for name in TOKENIZER_FILES)
        facts = [
            [shard["sha256"] for shard in records.description["shards"]],
            asdict(data.config),
            asdict(data.sizes),
            data.prompt_style,
            [file_digest(path) for path in files if path.is_file()],
        ]
        if isinstance(data, ChatDataset):
            tiles, size = data.tower.tiles, data.tower.image_size
            cut = None if tiles is None else [size, asdict(tiles)]
            facts.append([data.rows, *data.levels, cut])
        key = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]
        path = folder / f"{records.folder.name}-{key}.npz"
        index = LengthIndex.read(path, key)
        if index is None or len(index) != len(data):
            index = LengthIndex.measure(data, workers=workers, name=str(records.folder))
            index.write(path, key)
        data.index = index
        return data

    return made

"""What a run starts from, as its checkpoints and exports note it: configuration, model, records."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from seal.data.record_set import RecordSet
from seal.files.fingerprint import fingerprint
from seal.models.files.adapter import read_adapter, require_base
from seal.training.assemble import resolve_folder
from seal.training.recipe import VQARun, VSMRun


def describe(run: VQARun | VSMRun) -> dict[str, Any]:
    """What a checkpoint stores of a run: its configuration, and the files it starts from."""
    return {
        "kind": "vqa" if isinstance(run, VQARun) else "vsm",
        "configuration": asdict(run),
        "base": base_facts(run),
        "records": record_facts(run),
    }


def base_facts(run: VQARun | VSMRun) -> dict[str, str] | None:
    """What is in `init_from` and `init_adapter`, which a resumed run and an export read again.

    Raises:
        ValueError: the adapters were trained over another base model.
    """
    if run.init_from is None:
        return None
    folder = resolve_folder(run.init_from)
    facts = {"folder": run.init_from, "fingerprint": fingerprint(folder)}
    if run.init_adapter is not None:
        adapter = read_adapter(run.init_adapter)
        require_base(adapter, run.init_from, facts["fingerprint"])
        facts["adapter"] = run.init_adapter
        facts["adapter_fingerprint"] = fingerprint(adapter.folder)
    return facts


def verify_records(run: VQARun | VSMRun) -> None:
    """Compare every shard of the training records with its checksum (a second a gigabyte).

    What a checkpoint notes of the records are these checksums: so a record that was changed in
    place is noticed as well. Of the images, only the sizes that records give are compared, when
    they are read.

    Raises:
        ValueError: a shard is not the one that was built; names it.
    """
    for source in run.data.train.sources.values():
        RecordSet.open(Path(run.paths.records) / source.folder).verify()


def record_facts(run: VQARun | VSMRun) -> dict[str, Any]:
    """Number and checksums of the records of each source."""
    facts = {}
    for name, source in run.data.train.sources.items():
        path = Path(run.paths.records) / source.folder / "set.json"
        stored = json.loads(path.read_text(encoding="utf-8"))
        facts[name] = {
            "folder": source.folder,
            "records": stored["records"],
            "sha256": [shard["sha256"] for shard in stored["shards"]],
        }
    return facts

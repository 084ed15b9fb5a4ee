"""A short name for what is in a model folder, to notice that it is no longer the same."""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from seal.files.digest import file_digest

TRAINING_FILE = "training.json"  # of a model folder: what it was trained on
SUFFIXES = (".safetensors", ".json", ".jinja", ".model", ".bin")
# Of training.json; the rest (git revision, versions, settings that change no weight) is rewritten
# when a finished run is exported again, with the same weights.
TRAINED_ON = ("experiment", "steps", "samples", "seed", "records", "initialized_from")
_THREADS = 4  # files that are read side by side; hashing leaves Python alone


def fingerprint(folder: Path) -> str:
    """A hash of everything that a model folder's answers depend on, every byte of it.

    Some seconds for 13 GB, which are read to load the model anyway.
    """
    digest = hashlib.sha256()
    paths = [path for path in sorted(folder.iterdir()) if path.suffix in SUFFIXES]
    with ThreadPoolExecutor(_THREADS) as pool:
        for path, content in zip(paths, pool.map(_content, paths), strict=True):
            digest.update(f"{path.name}\0{content}\0".encode())
    return digest.hexdigest()[:16]


def _content(path: Path) -> str:
    if path.name != TRAINING_FILE:
        return file_digest(path)
    try:
        facts = dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path} is damaged: {error}; remove it or fetch it again") from error
    return json.dumps([facts.get(key) for key in TRAINED_ON], sort_keys=True)

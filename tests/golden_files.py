"""Where the golden vectors and the sample data are, which files a group has, and how they are read.

A test names its group, `@pytest.mark.goldens("losses")`; `golden_report.py` skips it where there is
no golden set, and fails it where the set lacks a file of the group or holds an altered one. Files
of ViCrop's set begin with `vicrop/`, of AVG-LLaVA's with `avg/`: `golden_arrays("vicrop/boxes")`.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

_SHARED = Path(__file__).resolve().parents[2] / "shared"
OWN = Path(__file__).resolve().parent / "goldens"  # the groups under 1 MB
SAMPLES = Path(os.environ.get("SEAL_SAMPLES") or _SHARED / "data")

needs_samples = pytest.mark.skipif(
    not SAMPLES.is_dir(), reason=f"no sample data in {SAMPLES}; set SEAL_SAMPLES to its folder"
)


def _golden_folder() -> Path:
    named = os.environ.get("SEAL_GOLDENS")
    if named:
        return Path(named)
    shared = _SHARED / "goldens"
    return shared if shared.is_dir() else OWN


GOLDENS = _golden_folder()
VICROP = Path(os.environ.get("SEAL_GOLDENS_VICROP") or _SHARED / "goldens_vicrop")
AVG = Path(os.environ.get("SEAL_GOLDENS_AVG") or _SHARED / "goldens_avg")
# Sets beside the first one: files begin with the name and a slash, groups with it and a line.
_OTHERS = ("vicrop", "avg")

_TOKENIZERS = (
    *(
        f"{folder}/{file}"
        for folder in ("tokenizer", "tokenizer_vsm")
        for file in ("tokenizer.model", "tokenizer_config.json", "special_tokens_map.json")
    ),
    "tokenizer/tokenizer_golden.json",
    "tokenizer_vsm/added_tokens.json",
)


def _both(*names: str) -> tuple[str, ...]:
    return tuple(f"{name}.{ending}" for name in names for ending in ("json", "safetensors"))


_VQA = (*_both("vqa_state", "vqa_cases"), *_TOKENIZERS)
_OPTIONS = (*_both("vqa_state", "vqa_options"), *_TOKENIZERS)
_VSM = (*_both("vsm_state", "vsm_cases"), *_TOKENIZERS)
# The files of each group; pictures are those that its JSON names.
GROUPS: dict[str, tuple[str, ...]] = {
    "tokenizer": _TOKENIZERS,
    "conversation": ("conversation.json", *_TOKENIZERS),
    "losses": _both("losses"),
    "search": ("search.json",),
    "splits": _both("splits"),
    "preprocess": _both("preprocess"),
    "states": (*_both("vqa_state", "vsm_state"), *_TOKENIZERS),
    "vqa_cases": _VQA,
    "d_batch": _VQA,
    "vqa_options": _OPTIONS,
    "vsm_cases": _VSM,
    "greedy": (*_OPTIONS, *_VSM),
    "vicrop_boxes": _both("vicrop/boxes"),
    "vicrop_splits": ("vicrop/splits.json",),
    "vicrop_highpass": _both("vicrop/highpass"),
    "vicrop_scores": ("vicrop/scores.json",),
    **{
        f"vicrop_{model}": (
            *_both(f"vicrop/{model}_cases"),
            *(f"vicrop/{model}/{file}" for file in ("config.json", "model.safetensors")),
        )
        for model in ("llava", "qwen", "blip")
    },
    "avg_losses": ("avg/losses.json",),
    "avg_unpad": ("avg/unpad.json",),
    "avg_scaler": _both("avg/scaler"),
    "avg_tiles": _both("avg/stage3"),
    "avg_router": (
        "avg/router.json",
        "avg/router_cases.safetensors",
        "avg/router_state.safetensors",
    ),
    "avg_model": (
        *_both("avg/stage3", "avg/stage4"),
        *(f"avg/model/{file}" for file in ("config.json", "model.safetensors")),
    ),
}
OWN_GROUPS = ("tokenizer", "conversation", "losses", "search", "splits")


def _named_pictures(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key in ("png", "file"):
            if isinstance(value.get(key), str):
                yield value[key]
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from _named_pictures(part)


def batch_files() -> list[str]:
    """The authors' record files that the golden batch was drawn from, in its order."""
    order = golden_json("vqa_cases")["d_batch"]["dataset_list_order"]
    return [f"vqa_data/{entry.split('(')[0].strip()}.json" for entry in order]


def _group_files(group: str) -> list[str]:
    """Raises OSError or ValueError where a JSON that names further files cannot be read."""
    files = set(GROUPS[group])
    for name in GROUPS[group]:
        other = _other_set(name, "/")
        place = f"{other}/" if other else ""
        if name.endswith(".json") and "/" not in name.removeprefix(place):
            pictures = _named_pictures(golden_json(name.removesuffix(".json")))
            files |= {place + picture for picture in pictures}
    if group == "d_batch":
        files |= set(batch_files())
    return sorted(files)


@cache
def known_sums() -> dict[str, str]:
    """SHA-256 of every file of the set that the project knows."""
    lines = (OWN / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    return {name: digest for digest, name in (line.split(maxsplit=1) for line in lines)}


@cache
def _altered() -> frozenset[str]:
    """Files that differ from the known set, in a folder most of whose files are the known set's."""
    present = [name for name in known_sums() if (GOLDENS / name).is_file()]
    sums = {name: hashlib.sha256((GOLDENS / name).read_bytes()).hexdigest() for name in present}
    other = frozenset(name for name in present if sums[name] != known_sums()[name])
    return other if 2 * len(other) < len(present) else frozenset()


@cache
def why_skipped(group: str) -> str | None:
    """The reason to skip the tests of a group; None: they have to run."""
    if other := _other_set(group, "_"):
        lacking = f"no golden vectors in {_folder(other)}"
        way_out = f"set SEAL_GOLDENS_{other.upper()} to their folder"
        return None if _folder(other).is_dir() else f"{lacking}; {way_out}"
    if not GOLDENS.is_dir():
        return f"no golden vectors in {GOLDENS}; set SEAL_GOLDENS to their folder"
    if GOLDENS == OWN and group not in OWN_GROUPS:
        return f"the project keeps no golden vectors of {group}; set SEAL_GOLDENS to their folder"
    return None


@cache
def what_is_wrong(group: str) -> str | None:
    """What makes the golden files of a group unfit to be compared with."""
    try:
        files = _group_files(group)
    except (OSError, ValueError, LookupError) as error:
        return f"golden group {group}: cannot be read: {error}"
    missing = [name for name in files if not golden_path(name).is_file()]
    if missing:
        other = _other_set(group, "_")
        folder = _folder(other) if other else GOLDENS
        return f"golden group {group}: {folder} lacks {', '.join(missing)}"
    altered = _altered().intersection(files)
    if altered:
        return (
            f"golden group {group}: altered in {GOLDENS}: {', '.join(sorted(altered))} "
            f"(its other files are those of tests/goldens/SHA256SUMS)"
        )
    return None


def _other_set(name: str, mark: str) -> str | None:
    """Which of the other sets a file (mark `/`) or a group (mark `_`) is of; None: the first."""
    return next((other for other in _OTHERS if name.startswith(other + mark)), None)


def _folder(other: str) -> Path:
    return {"vicrop": VICROP, "avg": AVG}[other]


def golden_path(name: str) -> Path:
    """A file of the golden set, or of ViCrop's or AVG-LLaVA's."""
    if other := _other_set(name, "/"):
        return _folder(other) / name.removeprefix(f"{other}/")
    return GOLDENS / name


@cache
def _read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def golden_json(name: str) -> Any:
    """`<name>.json`, parsed once and shared: do not change it. `name` may hold a folder."""
    return _read_json(golden_path(f"{name}.json"))


@cache
def _read_tensors(path: Path, framework: str) -> dict[str, Any]:
    if framework == "numpy":
        from safetensors.numpy import load_file as load_numpy

        return dict(load_numpy(path))
    from safetensors.torch import load_file as load_torch

    return dict(load_torch(path))


def golden_tensors(name: str) -> dict[str, Any]:
    """`<name>.safetensors` as torch tensors, read once and shared: clone before changing."""
    return _read_tensors(golden_path(f"{name}.safetensors"), "torch")


def golden_arrays(name: str) -> dict[str, Any]:
    """`<name>.safetensors` as numpy arrays, read once and shared: copy before changing."""
    return _read_tensors(golden_path(f"{name}.safetensors"), "numpy")


def golden_cases(name: str, *keys: str) -> list[Any]:
    """What is at `keys` of `<name>.json`, as a list, for `parametrize`: keys of a dict.

    One stand-in where it cannot be read, so that the test is there to be skipped or to fail.
    """
    try:
        value = golden_json(name)
        for key in keys:
            value = value[key]
        return list(value)
    except (OSError, ValueError, LookupError, TypeError):
        return [pytest.param(None, id="unreadable")]


class Count:
    """How many cases the running test has looked at."""

    cases = 0


def counted(cases: Iterable[Any]) -> Iterator[Any]:
    """The same, and each is counted as a case of the running test's golden group."""
    for case in cases:
        Count.cases += 1
        yield case


def each_golden(name: str, *keys: str) -> Iterator[Any]:
    """`golden_cases` for a loop inside a test, counted."""
    return counted(golden_cases(name, *keys))


def parse_turns(text: str) -> list[tuple[str, str]]:
    """The turns of a formatted conversation of the goldens."""
    turns = []
    for part in text.split("</s>")[:-1]:
        question, answer = part.split("USER: ", 1)[1].rsplit(" ASSISTANT: ", 1)
        turns.append((question, answer))
    return turns

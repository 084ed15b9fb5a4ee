"""Read the refs of the `refer` datasets: which sentences are said of which annotation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from seal.building.formats.fields import id_text, shown, text, whole
from seal.building.formats.safe_pickle import load_plain

DATASETS = ("refclef", "refcoco", "refcoco+", "refcocog")
_KEYS = frozenset({"split", "image_id", "ann_id", "ref_id", "file_name", "sentences"})


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence about one object."""

    text: str
    sent_id: int
    ref_id: int
    ann_id: str


def known_dataset(name: str) -> str:
    """The dataset of that name; a folder of records may be called `refcocoplus`.

    Raises:
        ValueError: there is none.
    """
    name = name.replace("plus", "+")
    if name not in DATASETS:
        raise ValueError(
            f"dataset={name!r} is none of {', '.join(DATASETS)}; give dataset= or the folder of one"
        )
    return name


def usual_split(dataset: str) -> str:
    """Whose split of a dataset results are reported on."""
    return "umd" if dataset == "refcocog" else "unc"


def read_refs(path: Path) -> list[dict[str, Any]]:
    """The refs of a `refs(*).p`, every one with the keys that are needed here.

    Raises:
        ValueError: the file is missing, asks for code, or does not hold refs.
    """
    if not path.is_file():
        there = sorted(p.name for p in path.parent.glob("refs(*).p"))
        raise ValueError(f"{path} is not a file; there are {there}; split_by= names one")
    refs = load_plain(path)
    if not isinstance(refs, list):
        raise ValueError(f"{path} must hold a list of refs, got {type(refs).__name__}")
    for place, ref in enumerate(refs):
        if not isinstance(ref, dict) or (lacking := _KEYS - ref.keys()):
            lacks = f"has no {sorted(lacking)}" if isinstance(ref, dict) else "is no dict"
            raise ValueError(f"{path}: ref {place} {lacks}")
        try:
            id_text(ref["image_id"])
            text(ref["split"], "split")
            text(ref["file_name"], "file_name")
        except ValueError as error:
            raise ValueError(f"{path}: ref {place}: {error}") from error
    return refs


def held_out_images(folder: Path) -> set[str]:
    """The images that a dataset does not train on."""
    refs = read_refs(folder / f"refs({usual_split(known_dataset(folder.name))}).p")
    return {id_text(ref["image_id"]) for ref in refs if ref["split"] != "train"}


def sentences_of(ref: dict[str, Any], path: Path) -> list[Sentence]:
    """What is said in a ref, blanks made single. `path` is named in errors."""
    try:
        return [
            Sentence(
                " ".join(text(said["sent"], "sent").split()),
                whole(said["sent_id"], "sent_id"),
                whole(ref["ref_id"], "ref_id"),
                id_text(ref["ann_id"]),
            )
            for said in ref["sentences"]
        ]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(
            f"{path}: ref_id {shown(ref['ref_id'])}: a broken sentence: {error!r}"
        ) from error


def photo_name(file_name: str) -> str:
    """`COCO_train2014_000000581857_16.jpg` names the image `COCO_train2014_000000581857.jpg`."""
    path = PurePosixPath(file_name)
    stem, _, last = path.stem.rpartition("_")
    # A COCO name without a suffix ends in `_` and twelve digits.
    return f"{stem}{path.suffix}" if stem and len(last) < 12 else file_name

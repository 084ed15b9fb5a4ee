"""The README's way to one's own data, judged by what it does to the heat, not by its loss."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from killed import finish, start
from programs_here import ROOT

from seal.geometry import Box
from seal.images import open_image
from seal.inference.load import load_search_model
from seal.search.protocol import Patch, Query

MODELS = Path(os.environ.get("SEAL_MODELS", ROOT / "runs" / "demo")).resolve()
SIDE = 192  # pixels of the regions that show a target


def annotated() -> list[tuple[Path, dict[str, Any]]]:
    files = sorted((MODELS / "data" / "benchmark").glob("*_*/*.json"))
    return [(file.with_suffix(".jpg"), json.loads(file.read_text())) for file in files]


def write_boxes(folder: Path, part: str, chosen: list[tuple[Path, dict[str, Any]]]) -> None:
    """A COCO file whose annotations are boxes alone, and its photos."""
    names = sorted({name for _, entry in annotated() for name in entry["target_object"]})
    images, annotations = [], []
    for number, (photo, entry) in enumerate(chosen):
        name = f"{photo.parent.name}-{photo.name}"
        shutil.copyfile(photo, folder / "photos" / name)
        width, height = open_image(photo).size
        images.append({"id": number, "file_name": name, "width": width, "height": height})
        for thing, box in zip(entry["target_object"], entry["bbox"], strict=True):
            if box is not None:
                annotations.append(
                    {
                        "id": len(annotations), "image_id": number, "bbox": box, "iscrowd": 0,
                        "category_id": names.index(thing), "segmentation": [],
                    }
                )  # fmt: skip
    categories = [{"id": i, "name": name} for i, name in enumerate(names)]
    content = {"images": images, "annotations": annotations, "categories": categories}
    (folder / f"{part}.json").write_text(json.dumps(content))


def heat_of_targets(model: Path) -> np.ndarray:
    """The peak of each target's heat on a region that shows it."""
    search, peaks = load_search_model(model, device="cpu"), []
    for photo, entry in annotated()[100:140]:
        if entry["bbox"][0] is None:
            continue
        image = open_image(photo)
        x, y, width, height = entry["bbox"][0]
        left, top = max(0, x + width / 2 - SIDE / 2), max(0, y + height / 2 - SIDE / 2)
        region = Box(left, top, min(left + SIDE, image.width), min(top + SIDE, image.height))
        (found,) = search.detect([Query("detect", Patch(image, region), entry["target_object"][0])])
        peaks.append(found.heat.peak())
    return np.array(peaks)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.skipif(
    not (MODELS / "vsm" / "config.json").is_file(),
    reason=f"needs the models of a finished demo in SEAL_MODELS ({MODELS})",
)
def test_boxes_without_masks_leave_the_heat_where_it_was(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    write_boxes(tmp_path, "train", annotated()[:60])
    write_boxes(tmp_path, "val", annotated()[60:75])
    for part in ("train", "val"):
        build = ["data_builders/coco", f"annotations={part}.json", "images=photos"]
        code, said = finish(start([*build, f"out=coco/{part}"], tmp_path))
        assert code == 0, said
        assert "expressions with a mask" not in (tmp_path / "coco" / part / "set.json").read_text()
    train = [
        "train/vsm", "experiment=vsm_coco_miniature", f"init_from={MODELS / 'vsm'}",
        "paths.records=coco", "run_name=mine", "train.num_steps=40", "train.warmup_steps=5",
        "train.learning_rate=5e-4",
    ]  # fmt: skip
    code, said = finish(start(train, tmp_path))
    assert code == 0, said[-2000:]
    before = heat_of_targets(MODELS / "vsm")
    after = heat_of_targets(tmp_path / "runs" / "mine" / "model")
    assert len(after) > 30 and (before > 0).mean() > 0.9
    assert (after > 0).mean() >= (before > 0).mean() - 0.05
    assert np.median(after) > 0.8 * np.median(before)

"""What the image processors' files of a model folder say, and whether they say it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from seal.images import CLIP_COLORS, Normalization
from seal.models.files.model_config import read_json_object
from seal.models.parts.vision import VisionConfig
from seal.models.vqa import VQAModelConfig
from seal.models.vsm import VSMModelConfig

TOWER_FILE = "preprocessor_config.json"
DETECTOR_FILE = "owlvit_preprocessor_config.json"
# DINOv2 was published with BiT's settings: resize, cut out, normalize.
_TOWER_TYPES = {
    "clip": "CLIPImageProcessor", "siglip": "SiglipImageProcessor", "dinov2": "BitImageProcessor",
}  # fmt: skip


def processor_files(config: VQAModelConfig | VSMModelConfig) -> dict[str, dict[str, Any]]:
    """What the image processors of a model folder say, by file."""
    processors = {TOWER_FILE: _tower(config.vision)}
    if isinstance(config, VSMModelConfig):
        side, padded = config.detector.image_size, config.detector.fit == "pad"
        processors[DETECTOR_FILE] = {
            "image_processor_type": "Owlv2ImageProcessor" if padded else "OwlViTImageProcessor",
            "size": {"height": side, "width": side},
            **({"do_pad": True, "resample": 2} if padded else {"resample": 3}),
            **_colors(CLIP_COLORS),
        }
    return processors


def _tower(vision: VisionConfig) -> dict[str, Any]:
    size = vision.image_size
    square = {"height": size, "width": size}
    # SigLIP's stretches to the square; the others' cut it out. Ours is square before.
    sizes = (
        {"size": square}
        if vision.family == "siglip"
        else {"size": {"shortest_edge": size}, "crop_size": square}
    )
    return {
        "image_processor_type": _TOWER_TYPES[vision.family],
        **sizes,
        "resample": 3,
        **_colors(vision.normalization),
    }


def _colors(normalization: Normalization) -> dict[str, Any]:
    return {
        "image_mean": normalization.mean,
        "image_std": normalization.std,
        "rescale_factor": 1 / 255,
    }


def check_processors(folder: Path, config: VQAModelConfig | VSMModelConfig) -> None:
    """Compare the image processors' settings, where a folder has them, with what is done here.

    Released folders may lack them; ones that say something else would change every answer.

    Raises:
        ValueError: it names the file and the setting.
    """
    for name, wanted in processor_files(config).items():
        path = folder / name
        if not path.is_file():
            continue
        told = read_json_object(path)
        for key in ("crop_size", "image_mean", "image_std", "resample"):
            here = _plain(wanted.get(key))
            try:
                there = _plain(told.get(key))
            except (TypeError, ValueError) as error:
                raise ValueError(
                    f"{path}: {key} is {str(told[key])[:100]}, which is no such setting"
                ) from error
            if None not in (here, there) and here != there:
                raise ValueError(
                    f"{path}: {key} is {str(told[key])[:100]}, but this model's pictures are "
                    f"made with {wanted[key]}; are these files of one model?"
                )


def _plain(value: Any) -> Any:
    """A setting in a form that compares: sizes are squares, numbers rounded to seven digits."""
    if isinstance(value, Mapping):
        value = list(value.values())
        return value[0] if len(set(value)) == 1 else value
    if isinstance(value, Sequence):
        return [round(float(number), 7) for number in value]
    return value

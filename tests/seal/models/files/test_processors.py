"""What a folder says of its pictures is what is done to them."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_models
import transformers

from seal.images import owl_pixels, pad_to_square, tower_pixels
from seal.models.files.processors import (
    DETECTOR_FILE,
    TOWER_FILE,
    check_processors,
    processor_files,
)
from seal.models.vsm import VSMModelConfig

FAMILIES = {
    "clip": {},
    "siglip": {"family": "siglip"},
    "dinov2": {"family": "dinov2", "intermediate_size": 32},
}


def with_parts(family: str, detector: str = "owlvit") -> VSMModelConfig:
    config = tiny_models.vsm_model().config
    return dataclasses.replace(
        config,
        vision=dataclasses.replace(config.vision, **FAMILIES[family]),
        detector=dataclasses.replace(config.detector, family=detector),
    )


def the_library_s(settings: dict, folder: Path) -> Any:
    """The processor that the settings name; its plain name needs torchvision in some versions."""
    (folder / TOWER_FILE).write_text(json.dumps(settings))
    kind = getattr(transformers, f"{settings['image_processor_type']}Pil")
    return kind.from_pretrained(folder)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_library_makes_of_a_square_picture_what_we_make_of_it(family, tmp_path):
    config = with_parts(family)
    processor = the_library_s(processor_files(config)[TOWER_FILE], tmp_path)
    vision = config.vision
    square, _ = pad_to_square(tiny_models.noise(), "center", vision.normalization.background)
    theirs = processor(square, return_tensors="np")
    ours = tower_pixels(square, vision.image_size, vision.normalization)
    np.testing.assert_allclose(theirs["pixel_values"][0], ours, atol=1e-6)
    assert np.abs(ours[:, 0, 0]).max() < 0.02  # padding is the mean color


@pytest.mark.parametrize("family", ["owlvit", "owlv2"])
def test_a_detector_s_settings_are_those_of_its_kind(family, tmp_path):
    config = with_parts("clip", family)
    processor = the_library_s(processor_files(config)[DETECTOR_FILE], tmp_path)
    assert type(processor).__name__.lower().startswith(f"{family}imageprocessor")
    # Square: the library has padded with gray, and later with black.
    image = tiny_models.noise(8, 8).resize((64, 64))
    ours = owl_pixels(image, config.detector.image_size, config.detector.fit)
    theirs = processor(image, return_tensors="np")["pixel_values"][0]
    # OWLv2 was published with a Gaussian before the resizing; ours is Pillow's filter.
    np.testing.assert_allclose(theirs, ours, atol=1e-6 if family == "owlvit" else 0.5)
    assert np.corrcoef(theirs.ravel(), ours.ravel())[0, 1] > 0.995


@pytest.mark.parametrize(
    ("folder_of", "read_as", "told"),
    [
        (("clip", "owlvit"), ("dinov2", "owlvit"), "preprocessor_config.json: image_mean"),
        (("siglip", "owlvit"), ("clip", "owlvit"), "preprocessor_config.json: image_mean"),
        (("clip", "owlvit"), ("clip", "owlv2"), "owlvit_preprocessor_config.json: resample is 3"),
    ],
)
def test_another_family_s_settings_are_refused(folder_of, read_as, told, tmp_path):
    for name, settings in processor_files(with_parts(*folder_of)).items():
        (tmp_path / name).write_text(json.dumps(settings))
    check_processors(tmp_path, with_parts(*folder_of))
    with pytest.raises(ValueError, match=told):
        check_processors(tmp_path, with_parts(*read_as))

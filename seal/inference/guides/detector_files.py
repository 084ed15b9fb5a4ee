"""Open-vocabulary detectors from their folders: weights by safetensors, no image library asked."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForZeroShotObjectDetection, AutoTokenizer

from seal.inference.device import existing_device
from seal.inference.guides.detector import Detector, DetectorNetwork
from seal.inference.guides.grounding_dino import LONG, SHORT, GroundingDino
from seal.inference.guides.owl import Owl
from seal.inference.hf.refusals import first_line, require_all_weights
from seal.inference.hub import model_folder

# Guide -> the model types of transformers that it runs.
TYPES = {
    "owlv2": ("owlvit", "owlv2"),
    "grounding_dino": ("grounding-dino", "mm-grounding-dino"),
}


def load_detector(
    guide: str,
    name: str,
    *,
    device: str | None = None,
    dtype: torch.dtype | None = None,
    max_batch: int = 16,
    cache_mb: int = 4096,
    tell: Callable[[str], None] | None = None,
) -> Detector:
    """The detector `name` (folder or hub id) for one of the guides in `TYPES`.

    Args:
        device: None is the first GPU if there is one.
        dtype: None is float32, in which these families are published.

    Raises:
        ValueError: it is no such model, or lacks weights or its tokenizer; in one line.
    """
    device = existing_device(device)
    folder = model_folder(name)
    config = _config(guide, folder)
    try:
        read: Any = AutoModelForZeroShotObjectDetection.from_pretrained(
            folder, config=config, dtype=dtype or torch.float32, use_safetensors=True,
            output_loading_info=True, local_files_only=True,
        )  # fmt: skip
    except (OSError, ValueError, RuntimeError, ImportError, SafetensorError) as error:
        raise ValueError(
            f"{folder}: its weights cannot be read ({first_line(error)}); they must be whole and "
            "in *.safetensors files: fetch it again, or convert it"
        ) from error
    model, told = read
    require_all_weights(folder, told)
    tokenizer = _tokenizer(folder, model)
    model = model.to(device).eval()
    if tell is not None:
        held = sum(parameter.nbytes for parameter in model.parameters())
        tell(f"{guide} ({config.model_type}): {held / 2**30:.2f} GiB of weights")
    network = _network(guide, model, tokenizer, folder, str(name))
    return Detector(
        network, device=device, dtype=model.dtype, max_batch=max_batch, cache_mb=cache_mb
    )


def _network(guide: str, model: Any, tokenizer: Any, folder: Path, name: str) -> DetectorNetwork:
    if guide == "owlv2":
        return Owl(model, tokenizer, model_name=name)
    short, long = _sides(folder)
    return GroundingDino(model, tokenizer, model_name=name, short=short, long=long)


def _config(guide: str, folder: Path) -> Any:
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise ValueError(
            f"{folder} is no model folder of Hugging Face: {first_line(error)}"
        ) from error
    if config.model_type not in TYPES[guide]:
        other = next((g for g, types in TYPES.items() if config.model_type in types), None)
        way = f"use it as guide.models.{other}=" if other else "name a model of that kind"
        raise ValueError(
            f"guide.models.{guide}={folder} holds a {config.model_type} model, not "
            f"{' or '.join(TYPES[guide])}: {way}"
        )
    return config


def _tokenizer(folder: Path, model: Any) -> Any:
    """The tokenizer beside the model; without files there would be one that knows no word."""
    if not any((folder / name).is_file() for name in ("tokenizer.json", "vocab.json", "vocab.txt")):
        raise ValueError(
            f"{folder} holds no tokenizer (tokenizer.json, vocab.json or vocab.txt): fetch it again"
        )
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ImportError) as error:
        raise ValueError(
            f"{folder}: its tokenizer cannot be loaded ({first_line(error)}); fetch the folder "
            "again"
        ) from error
    ids = tokenizer.get_vocab()
    if isinstance(
        marks := getattr(getattr(model, "model", None), "special_tokens", None), torch.Tensor
    ):
        # Where a phrase begins and ends is told by ids that stand in the model's code.
        named = [tokenizer.cls_token, tokenizer.sep_token, ".", "?"]
        right = {ids.get(mark) for mark in named} == set(marks.tolist())
    else:
        # A text is read off where its highest id stands, which must be its end.
        right = tokenizer.eos_token_id == max(ids.values())
    if not right or max(ids.values()) >= model.config.text_config.vocab_size:
        raise ValueError(
            f"{folder}: this is not the tokenizer this model was trained with; fetch it again"
        )
    return tokenizer


def _sides(folder: Path) -> tuple[int, int]:
    """The short and the longest side of `preprocessor_config.json`, else the family's."""
    path = folder / "preprocessor_config.json"
    size = json.loads(path.read_text("utf-8")).get("size", {}) if path.is_file() else {}
    if not isinstance(size, dict):
        return SHORT, LONG
    return int(size.get("shortest_edge", SHORT)), int(size.get("longest_edge", LONG))

"""Save a model as a plain folder and load it back, strictly; nothing is unpickled.

A model folder holds config.json (class, every size, prompt style, token policy, preset),
safetensors shards with their index, the tokenizer's files byte for byte, and the image processors'
settings.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import nn

from seal.fingerprint import TRAINING_FILE
from seal.models.authors import config_of_authors, is_authors, stored_of_authors
from seal.models.fill import build_from_stored
from seal.models.model_config import (
    CONFIG_FILE,
    MODEL_CLASSES,
    config_from_dict,
    config_to_dict,
    read_json_object,
)
from seal.models.shards import list_tensors
from seal.models.vision import ClipTower
from seal.models.vqa import VQAModel, VQAModelConfig
from seal.models.vsm import VSM, VSMModelConfig
from seal.text.tokenize import MODEL_FILE, TOKENIZER_FILES

INDEX_FILE = "model.safetensors.index.json"
CLIP_FILE = "preprocessor_config.json"
DETECTOR_FILE = "owlvit_preprocessor_config.json"
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


def save_model(
    folder: Path | str,
    model: VQAModel | VSM,
    tokenizer_folder: Path | str,
    extra: dict[str, Any] | None = None,
    *,
    max_shard_size: str = "5GB",
) -> None:
    """Write `folder` under a temporary name and rename it: it is complete or absent.

    `extra` becomes training.json. An existing model folder is replaced once the new one is whole.

    Raises:
        OSError: the disk is full or not writable; what was in `folder` is still there.
        ValueError: adapters are not merged, weights are quantized, there is no tokenizer, or
            `folder` holds something else than a model.
    """
    folder, tokenizer_folder = Path(folder), Path(tokenizer_folder)
    require_replaceable(folder)
    _require_plain(model)
    if not (tokenizer_folder / MODEL_FILE).is_file():
        raise ValueError(
            f"{tokenizer_folder} has no {MODEL_FILE}: a model folder carries its tokenizer"
        )
    new, old = _beside(folder)
    try:
        shutil.rmtree(new, ignore_errors=True)  # of a save that was killed
        new.mkdir(parents=True)
        _write_folder(new, model, tokenizer_folder, extra, max_shard_size)
        if folder.exists():
            shutil.rmtree(old, ignore_errors=True)
            folder.rename(old)
        try:
            new.rename(folder)
        except OSError:
            if old.exists():
                old.rename(folder)
            raise
    except (OSError, SafetensorError) as error:
        shutil.rmtree(new, ignore_errors=True)
        raise OSError(
            f"could not save the model to {folder}: {error}; free some space or choose another "
            "folder (what was there before is untouched)"
        ) from error
    shutil.rmtree(old, ignore_errors=True)


def require_replaceable(folder: Path) -> None:
    """Refuse to overwrite what is neither absent, nor empty, nor a model folder and nothing else.

    So a folder of models, named in the place of one of them, does not go with all it holds.
    """
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if not folder.is_dir():
        raise ValueError(f"{folder} is a file; choose a folder that a model can be written to")
    if foreign := _foreign_files(folder):
        raise ValueError(
            f"{folder} would be replaced, but it holds {_named(foreign)}, which is no part of a "
            "model folder written here; choose another folder, or move that away"
        )


def require_model_folder(folder: Path) -> None:
    """Raise a ValueError unless `folder` is a model folder of ours and nothing else."""
    read_config_file(folder)  # names what is not there
    if foreign := _foreign_files(folder):
        raise ValueError(
            f"{folder} holds {_named(foreign)}, which is no part of a model folder written here"
        )


def _foreign_files(folder: Path) -> list[str]:
    """What does not belong to a model folder; everything, if it is none."""
    ours = {
        CONFIG_FILE, INDEX_FILE, TRAINING_FILE, CLIP_FILE, DETECTOR_FILE, *TOKENIZER_FILES
    }  # fmt: skip
    names = sorted(path.name for path in folder.iterdir())
    foreign = [
        name
        for name in names
        if not (folder / name).is_file()
        or not (name in ours or name.endswith(".safetensors"))  # shards, and the query table
    ]
    if foreign or CONFIG_FILE not in names:
        return foreign or names
    found = read_json_object(folder / CONFIG_FILE).get("model_class")
    return [] if found in MODEL_CLASSES else [f"{CONFIG_FILE} with model_class={found!r}"]


def _named(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" * (len(names) > 5))


def _beside(folder: Path) -> tuple[Path, Path]:
    """Where a folder is written, and where the one it replaces waits until it is."""
    return folder.with_name(f".{folder.name}.tmp"), folder.with_name(f".{folder.name}.old")


def _require_plain(model: nn.Module) -> None:
    adapters = [name for name, _ in model.named_parameters() if ".lora_" in name]
    if adapters:
        raise ValueError(f"merge_lora before saving: the model still has {adapters[0]}")
    packed = [n for n, p in model.named_parameters() if not p.is_floating_point()]
    if packed:
        raise ValueError(
            f"quantized weights cannot be saved ({packed[0]}): load the model without quantization"
        )


def _write_folder(
    folder: Path,
    model: VQAModel | VSM,
    tokenizer_folder: Path,
    extra: dict[str, Any] | None,
    max_shard_size: str,
) -> None:
    from huggingface_hub import save_torch_state_dict

    state = {name: tensor.detach().cpu() for name, tensor in model.state_dict().items()}
    save_torch_state_dict(state, folder, max_shard_size=max_shard_size)
    _write_json(folder / CONFIG_FILE, config_to_dict(model.config))
    for name, settings in processor_files(model.config).items():
        _write_json(folder / name, settings)
    for name in TOKENIZER_FILES:
        if (tokenizer_folder / name).exists():
            shutil.copyfile(tokenizer_folder / name, folder / name)
    if extra is not None:
        _write_json(folder / TRAINING_FILE, extra)


def load_model(
    folder: Path | str,
    *,
    device: torch.device | str = "cpu",
    dtype: torch.dtype | None = None,
    quantization: str | None = None,
    keep_dtype: bool = False,
    clip: Path | str | ClipTower | None = None,
    offload: int = 0,
) -> VQAModel | VSM:
    """The model in a folder of ours or of the authors', every tensor of it from the shards.

    Args:
        dtype: None is the files' own (of the word embeddings, where they differ in a folder of the
            authors'), except that half precision becomes float32 on a CPU unless `keep_dtype`.
        quantization: "int8" or "nf4", of the language model's blocks.
        clip: the tower, loaded or as a folder of CLIP, for a search model as released, which has
            none; a loaded one is shared.
        offload: how many of the language model's blocks stay on the host.

    Raises:
        ValueError: config.json is missing or wrong; a key is missing, extra, of another shape or
            type; a shard is damaged; there is no tower.
    """
    folder = Path(folder)
    content = read_config_file(folder)
    stored = list_tensors(folder)
    tower = None
    wanted = dtype
    if wanted is None and not keep_dtype and torch.device(device).type == "cpu":
        wanted = torch.float32
    if is_authors(content):
        config = config_of_authors(folder, content, stored)
        stored, tower = stored_of_authors(folder, config, stored, clip)
        own = stored["llm.model.embed_tokens.weight"].dtype
        if wanted is None and isinstance(own, torch.dtype):
            wanted = own
        complaint = f"{folder} does not fit the model its config.json describes"
    else:
        config = config_from_dict(content, folder / CONFIG_FILE)
        complaint = f"{folder} does not fit its config.json"
    check_processors(folder, config)
    model = build_from_stored(
        config, stored, complaint,
        device=device, dtype=wanted, quantization=quantization, tower=tower, offload=offload,
    )  # fmt: skip
    return model.eval()


def read_config(folder: Path | str) -> VQAModelConfig | VSMModelConfig:
    """The model configuration of a folder; every wrong key or value is named."""
    content = read_config_file(folder)
    if is_authors(content):
        return config_of_authors(Path(folder), content, list_tensors(folder))
    return config_from_dict(content, Path(folder) / CONFIG_FILE)


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
            here, there = _plain(wanted.get(key)), _plain(told.get(key))
            if None not in (here, there) and here != there:
                raise ValueError(
                    f"{path}: {key} is {told[key]}, but this model's pictures are made with "
                    f"{wanted[key]}; are these files of one model?"
                )


def _plain(value: Any) -> Any:
    """A setting in a form that compares: sizes are squares, numbers rounded to seven digits."""
    if isinstance(value, Mapping):
        value = list(value.values())
        return value[0] if len(set(value)) == 1 else value
    if isinstance(value, Sequence):
        return [round(float(number), 7) for number in value]
    return value


def stored_dtype(folder: Path | str) -> torch.dtype:
    """The precision a folder's model was saved in, that of its word embeddings."""
    stored = list_tensors(folder)
    for name in ("llm.model.embed_tokens.weight", "model.embed_tokens.weight"):
        if name in stored and isinstance(dtype := stored[name].dtype, torch.dtype):
            return dtype
    raise ValueError(f"{folder} has no word embeddings: not a model folder")


def has_tower(folder: Path | str) -> bool:
    """Whether a model folder, ours or the authors', holds a CLIP tower."""
    return any("vision_tower." in name for name in list_tensors(folder))


def read_config_file(folder: Path | str) -> dict[str, Any]:
    """What config.json says."""
    path = Path(folder) / CONFIG_FILE
    if not path.exists():
        _, old = _beside(Path(folder))
        kept = f"; a save was cut short: rename {old} to {folder}" if old.exists() else ""
        raise ValueError(f"{path} does not exist: {folder} is not a model folder{kept}")
    return read_json_object(path)


def parameter_table(model: nn.Module) -> list[tuple[str, int, int]]:
    """(part, parameters, trainable ones) for each child of the model, on any device or meta."""
    return [
        (
            name,
            sum(p.numel() for p in child.parameters()),
            sum(p.numel() for p in child.parameters() if p.requires_grad),
        )
        for name, child in model.named_children()
    ]


def processor_files(config: VQAModelConfig | VSMModelConfig) -> dict[str, dict[str, Any]]:
    """What the image processors of a model folder say, by file."""
    size = config.clip.image_size
    shared = {"image_mean": CLIP_MEAN, "image_std": CLIP_STD, "rescale_factor": 1 / 255}
    clip = {
        "image_processor_type": "CLIPImageProcessor",
        "size": {"shortest_edge": size},
        "crop_size": {"height": size, "width": size},
        "resample": 3,
        **shared,
    }
    processors = {CLIP_FILE: clip}
    if isinstance(config, VSMModelConfig):
        side = config.detector.image_size
        processors[DETECTOR_FILE] = {
            "image_processor_type": "OwlViTImageProcessor",
            "size": {"height": side, "width": side},
            "resample": 3,
            **shared,
        }
    return processors


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")

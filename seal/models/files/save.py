"""Save a model as a plain folder that is complete or absent; nothing else is ever replaced.

A model folder holds config.json (class, every size, prompt style, token policy, preset),
safetensors shards with their index, the tokenizer's files byte for byte, and the image processors'
settings; and README.md, a model card, unless somebody has written another.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from torch import nn

from seal.files.fingerprint import TRAINING_FILE
from seal.files.whole import follow_umask
from seal.models.files.model_card import CARD_FILE, folder_card, own_card
from seal.models.files.model_config import (
    CONFIG_FILE,
    MODEL_CLASSES,
    beside,
    config_to_dict,
    read_config_file,
    read_json_object,
)
from seal.models.files.processors import DETECTOR_FILE, TOWER_FILE, processor_files
from seal.models.files.tower_names import name_on_disk
from seal.models.vqa import VQAModel
from seal.models.vsm import VSM
from seal.text.tokenizer_files import JSON_FILE, MODEL_FILE, TOKENIZER_FILES, copy_tokenizer

INDEX_FILE = "model.safetensors.index.json"


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
        ValueError: adapters are not merged, weights are quantized or offloaded, there is no
            tokenizer, or `folder` holds something else than a model.
    """
    folder, tokenizer_folder = Path(folder), Path(tokenizer_folder)
    require_replaceable(folder)
    require_plain(model)
    require_tokenizer(tokenizer_folder)
    card = own_card(folder)

    def write(new: Path) -> None:
        _write_folder(new, model, tokenizer_folder, extra, max_shard_size)
        (new / CARD_FILE).write_bytes(card or folder_card(new, folder.name).encode())

    replace_folder(folder, write)


def replace_folder(folder: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill a new folder, then rename it to `folder`, whose old content goes.

    Raises:
        OSError: the disk is full or not writable; what was in `folder` is still there.
    """
    new, old = beside(folder)
    try:
        shutil.rmtree(new, ignore_errors=True)  # of a save that was killed
        new.mkdir(parents=True)
        write(new)
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
        CARD_FILE, CONFIG_FILE, INDEX_FILE, TRAINING_FILE, TOWER_FILE, DETECTOR_FILE,
        *TOKENIZER_FILES,
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


def require_plain(model: nn.Module) -> None:
    """Raise a ValueError unless the model is whole: no adapters, nothing quantized or offloaded."""
    adapters = [name for name, _ in model.named_parameters() if ".lora_" in name]
    if adapters:
        raise ValueError(f"merge_lora before saving: the model still has {adapters[0]}")
    packed = [n for n, p in model.named_parameters() if not p.is_floating_point()]
    if packed:
        raise ValueError(
            f"quantized weights cannot be saved ({packed[0]}): load the model without quantization"
        )
    absent = [name for name, p in model.named_parameters() if p.is_meta]
    if absent:
        raise ValueError(
            f"offloaded weights cannot be saved ({absent[0]}): load the model without offload"
        )


def _write_folder(
    folder: Path,
    model: VQAModel | VSM,
    tokenizer_folder: Path,
    extra: dict[str, Any] | None,
    max_shard_size: str,
) -> None:
    from huggingface_hub import save_torch_state_dict

    state = {
        name_on_disk(name): tensor.detach().cpu() for name, tensor in model.stored_state().items()
    }
    save_torch_state_dict(state, folder, max_shard_size=max_shard_size)
    for shard in folder.glob("*.safetensors"):
        follow_umask(shard)  # the library lets only the owner read them
    write_json(folder / CONFIG_FILE, config_to_dict(model.config))
    for name, settings in processor_files(model.config).items():
        write_json(folder / name, settings)
    copy_tokenizer(tokenizer_folder, folder)
    if extra is not None:
        write_json(folder / TRAINING_FILE, extra)


def require_tokenizer(source: Path) -> None:
    """Raise a ValueError if there is no tokenizer to copy."""
    if not any((source / name).is_file() for name in (MODEL_FILE, JSON_FILE)):
        raise ValueError(
            f"{source} has no {MODEL_FILE} and no {JSON_FILE}: a model folder carries its tokenizer"
        )


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write an object for people to read."""
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")

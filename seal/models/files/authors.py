"""Checkpoints of others, in their own layout: read one as it is, or write it."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor

from seal.files.whole import follow_umask
from seal.models.files.checkpoint_table import CLIP_NAMES, rename, rename_back, rename_part
from seal.models.files.layout_llama import SIZES_KEY, llama_of, vocabulary_of
from seal.models.files.layouts import layout_of, layout_of_content
from seal.models.files.model_config import CONFIG_FILE, config_from_dict
from seal.models.files.save import require_plain
from seal.models.files.shards import StoredTensor, list_tensors
from seal.models.parts.vision import VisionTower
from seal.models.vqa import VQAModel, VQAModelConfig
from seal.models.vsm import VSM, VSMModelConfig
from seal.text.tokenizer_files import copy_tokenizer

_TOWER = "vision_tower."


def is_authors(content: Mapping[str, Any]) -> bool:
    """Whether this config.json is of a layout of others that is known here."""
    return layout_of_content(content) is not None


def config_of_authors(
    folder: Path, content: Mapping[str, Any], stored: Mapping[str, StoredTensor]
) -> VQAModelConfig | VSMModelConfig:
    """The sizes of a checkpoint of theirs: what config.json tells, the published ones beside it.

    The size of the vocabulary is that of the tables in the file.

    Raises:
        ValueError: config.json lacks a size or tells of another kind of LLaMA; there are no word
            embeddings, or not as many rows in them as in the LM head.
    """
    path = folder / CONFIG_FILE
    layout = layout_of_content(content)
    assert layout is not None
    vocab_size = vocabulary_of(folder, stored)
    if SIZES_KEY in content:
        config = config_from_dict(content[SIZES_KEY], f"{path}: {SIZES_KEY}")
        return dataclasses.replace(
            config, llm=dataclasses.replace(config.llm, vocab_size=vocab_size)
        )
    try:
        return layout.read(content, llama_of(content, vocab_size), stored)
    except KeyError as error:
        raise ValueError(f"{path} has no {error}, which tells a size of the model") from error
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from error


def stored_of_authors(
    folder: Path,
    config: VQAModelConfig | VSMModelConfig,
    stored: Mapping[str, StoredTensor],
    clip: Path | str | VisionTower | None,
) -> tuple[dict[str, StoredTensor], VisionTower | None]:
    """The tensors under our names, and the tower that has to be shared because there is none.

    clip: see `seal.models.files.load.load_model`; does not count if the folder holds a tower.

    Raises:
        ValueError: a key has no rule; there is no tower, or one of other sizes.
    """
    try:
        renamed = rename(stored, layout_of(config).names(config))
        found = {ours: stored[theirs] for theirs, ours in renamed.items()}
    except ValueError as error:
        raise ValueError(f"{folder}: {error}") from error
    if any(key.startswith(_TOWER) for key in found):
        return found, None
    if clip is None:
        name = "openai/clip-vit-large-patch14" + "-336" * (config.vision.image_size == 336)
        raise ValueError(f"{folder} holds no CLIP tower: name its folder ({name}) with clip=")
    if isinstance(clip, VisionTower):
        if clip.config != config.vision:
            raise ValueError(f"the CLIP tower is {clip.config}, {folder} needs {config.vision}")
        return found, clip
    tower = list_tensors(clip)
    # A model folder of ours will do as well: its tower has our names.
    renamed = rename_part(tower, CLIP_NAMES) or {k: k for k in tower if k.startswith(_TOWER)}
    if not renamed:
        raise ValueError(
            f"clip={clip} holds no CLIP: no tensor there begins with vision_model or vision_tower"
        )
    return found | {ours: tower[theirs] for theirs, ours in renamed.items()}, None


def to_authors(model: VQAModel | VSM) -> dict[str, Tensor]:
    """Our tensors under the authors' names; see `authors_keys`."""
    state = model.state_dict()
    tensors = {}
    for theirs, ours in authors_keys(model).items():
        if ours is not None:
            tensors[theirs] = state[ours].detach().cpu()
        else:
            size = model.config.llm.hidden_size // model.config.llm.num_attention_heads
            powers = torch.arange(0, size, 2, dtype=torch.float32) / size
            tensors[theirs] = 1.0 / 10000.0**powers
    return tensors


def authors_keys(model: VQAModel | VSM) -> dict[str, str | None]:
    """Every key of a file of theirs, and ours.

    None: rotary frequencies, which are computed. The released search model's file has no tower.
    """
    layout = layout_of(model.config)
    ours = [k for k in model.state_dict() if layout.tower or not k.startswith(_TOWER)]
    back = rename_back(ours, layout.names(model.config))
    keys: dict[str, str | None] = {theirs: key for key, theirs in back.items()}
    if layout.frequencies:
        for layer in range(model.config.llm.num_hidden_layers):
            keys[f"model.layers.{layer}.self_attn.rotary_emb.inv_freq"] = None
    return keys


def write_authors(folder: Path | str, model: VQAModel | VSM, tokenizer_folder: Path | str) -> None:
    """A folder that the authors' code loads; refuses one that exists.

    Raises:
        OSError: the disk is full or not writable.
        ValueError: `folder` exists, or the model is not plain; see `require_plain`.
    """
    from huggingface_hub import save_torch_state_dict

    folder, tokenizer_folder = Path(folder), Path(tokenizer_folder)
    if folder.exists():
        raise ValueError(f"{folder} exists: choose a new folder")
    require_plain(model)
    written = layout_of(model.config).write(model.config)
    temporary = folder.with_name(f".{folder.name}.tmp")
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        save_torch_state_dict(to_authors(model), temporary)
        for shard in temporary.glob("*.safetensors"):
            follow_umask(shard)
        text = json.dumps(written, indent=2) + "\n"
        (temporary / CONFIG_FILE).write_text(text, encoding="utf-8")
        copy_tokenizer(tokenizer_folder, temporary)
        temporary.rename(folder)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise OSError(
            f"could not save the model to {folder}: {error}; free some space or choose another "
            "folder"
        ) from error

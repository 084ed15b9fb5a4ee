"""The layout of the authors' checkpoints: read it as it is, or write it."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor

from seal.files.whole import follow_umask
from seal.models.files.checkpoint_table import (
    CLIP_NAMES,
    RECOMPUTED,
    VQA_NAMES,
    VSM_NAMES,
    rename,
    rename_back,
    rename_part,
)
from seal.models.files.model_config import CONFIG_FILE, config_from_dict, config_to_dict
from seal.models.files.save import require_plain
from seal.models.files.shards import StoredTensor, list_tensors
from seal.models.parts.owlvit import OwlViTConfig
from seal.models.parts.vision import VisionConfig, VisionTower
from seal.models.vlm import LlmConfig
from seal.models.vqa import VQAModel, VQAModelConfig
from seal.models.vsm import VSM, VSMModelConfig
from seal.text.tokenizer_files import copy_tokenizer

VQA_TYPE, VSM_TYPE = "llava_search", "llava"  # `model_type` of their config.json
_SIZES_KEY = "seal"  # every size, in a folder that was written here; theirs tell the LLM's alone
_EMBEDDINGS, _HEAD = "model.embed_tokens.weight", "lm_head.weight"
_QUERY = "model.text_hidden_fcs_det.0.2.weight"  # the last layer of the query MLP of the boxes
_TOWER = "vision_tower."
_REQUIRED = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")
# Of LlmConfig: what their config.json tells, and what has the value of the first LLaMA in it.
_SIZES = (
    "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
    "max_position_embeddings", "rms_norm_eps", "bos_token_id", "eos_token_id",
)  # fmt: skip
_NOT_THEIRS = (
    "architecture", "num_key_value_heads", "head_size", "rope_theta", "rope_scaling",
    "attention_bias", "tie_word_embeddings",
)  # fmt: skip


def is_authors(content: Mapping[str, Any]) -> bool:
    """Whether this config.json is one of theirs; transformers' own LLaVA has the same type."""
    ours = "model_class" in content or "text_config" in content
    return not ours and content.get("model_type") in (VQA_TYPE, VSM_TYPE)


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
    rows = {key: stored[key].shape[0] for key in (_EMBEDDINGS, _HEAD) if key in stored}
    if len(rows) < 2:
        lacks = _HEAD if _EMBEDDINGS in rows else _EMBEDDINGS
        raise ValueError(f"{folder} has no {lacks}: not a checkpoint of a language model")
    if rows[_EMBEDDINGS] != rows[_HEAD]:
        raise ValueError(
            f"{folder}: {_EMBEDDINGS} has {rows[_EMBEDDINGS]} rows, {_HEAD} {rows[_HEAD]}"
        )
    if _SIZES_KEY in content:
        config = config_from_dict(content[_SIZES_KEY], f"{path}: {_SIZES_KEY}")
        return dataclasses.replace(
            config, llm=dataclasses.replace(config.llm, vocab_size=rows[_EMBEDDINGS])
        )
    heads = content.get("num_attention_heads")
    if content.get("num_key_value_heads", heads) != heads:
        raise ValueError(
            f"{path}: num_key_value_heads={content['num_key_value_heads']} differs from "
            f"num_attention_heads={heads}: not the LLaMA these models are made of"
        )
    if content.get("rope_scaling") is not None:
        raise ValueError(
            f"{path}: rope_scaling={content['rope_scaling']} is not what the published models have"
        )
    for key, published in (("rope_theta", 10000), ("hidden_act", "silu")):
        if content.get(key, published) != published:
            raise ValueError(f"{path}: {key}={content[key]} is not what the published models have")
    told = {key: content[key] for key in _SIZES if key in content}
    try:
        for key in _REQUIRED:
            content[key]
        llm = LlmConfig(
            **{"max_position_embeddings": 2048, **told, "vocab_size": rows[_EMBEDDINGS]}
        )
        clip = VisionConfig(feature_layer=content.get("mm_vision_select_layer", -2))
        if content["model_type"] == VQA_TYPE:
            return VQAModelConfig(llm=llm, vision=clip)
        query = stored.get(_QUERY)  # as with the vocabulary, the file knows best
        width = OwlViTConfig().query_size if query is None else query.shape[0]
        detector = OwlViTConfig(query_size=width)
        return VSMModelConfig(llm=llm, vision=clip, detector=detector)
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
    table = VQA_NAMES if isinstance(config, VQAModelConfig) else VSM_NAMES
    try:
        found = {ours: stored[theirs] for theirs, ours in rename(stored, table).items()}
    except ValueError as error:
        raise ValueError(f"{folder}: {error}") from error
    if any(key.startswith(_TOWER) for key in found):
        return found, None
    if clip is None:
        raise ValueError(
            f"{folder} holds no CLIP tower: name its folder (openai/clip-vit-large-patch14) "
            "with clip="
        )
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

    None: rotary frequencies, which are computed. The tower is in the VQA LLM's file alone.
    """
    is_vqa = isinstance(model, VQAModel)
    ours = [k for k in model.state_dict() if is_vqa or not k.startswith("vision_tower.")]
    back = rename_back(ours, VQA_NAMES if is_vqa else VSM_NAMES)
    keys: dict[str, str | None] = {theirs: key for key, theirs in back.items()}
    for layer in range(model.config.llm.num_hidden_layers):
        keys[f"model.layers.{layer}.self_attn.rotary_emb.inv_freq"] = None
    return keys


@dataclass(slots=True)
class KeyReport:
    """Where the tensors of a file of theirs go."""

    mapped: int = 0  # into a tensor of ours of the same shape
    recomputed: int = 0  # rotary frequencies and position ids, which our code computes
    unmapped: list[str] = field(default_factory=list)  # of theirs, without a home
    unfilled: list[str] = field(default_factory=list)  # of ours, without a source
    reshaped: list[str] = field(default_factory=list)  # told with both shapes
    apart: int = 0  # of the CLIP tower, if it is not in the file

    @property
    def fits(self) -> bool:
        """Whether every tensor has exactly one home of its shape."""
        return not (self.unmapped or self.unfilled or self.reshaped)


def compare_keys(model: VQAModel | VSM, shapes: Mapping[str, Sequence[int]]) -> KeyReport:
    """Where a file with tensors of `shapes` under their names goes; `model` may be on meta.

    A file without a tower is complete: CLIP is then fetched apart.
    """
    state = model.state_dict()
    table = VQA_NAMES if isinstance(model, VQAModel) else VSM_NAMES
    wanted = rename_back(state, table)
    has_tower = any(wanted[key] in shapes for key in state if key.startswith(_TOWER))
    report = KeyReport()
    for key, theirs in wanted.items():
        if not has_tower and key.startswith(_TOWER):
            report.apart += 1
        elif theirs not in shapes:
            report.unfilled.append(f"{key} ({theirs})")
        elif list(shapes[theirs]) != list(state[key].shape):
            here = list(state[key].shape)
            report.reshaped.append(f"{theirs} has shape {list(shapes[theirs])}, the model {here}")
        else:
            report.mapped += 1
    homes = set(wanted.values())
    for theirs in shapes:
        if theirs in homes:
            continue
        if theirs.endswith(RECOMPUTED):
            report.recomputed += 1
        else:
            report.unmapped.append(theirs)
    return report


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
    written = authors_config(model.config)
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


def _require_released_parts(config: VQAModelConfig | VSMModelConfig) -> None:
    """Their code builds a CLIP and an OWL-ViT, of any size, and nothing else."""
    other = [
        f"vision.{name}={value}"
        for name, value, theirs in (
            ("family", config.vision.family, "clip"),
            ("pretrained_size", config.vision.position_size, config.vision.image_size),
            ("hidden_act", config.vision.activation, "quick_gelu"),
        )
        if value != theirs
    ]
    if isinstance(config, VSMModelConfig) and config.detector.family != "owlvit":
        other.append(f"detector.family={config.detector.family}")
    if config.prompt_style != "vicuna":
        other.append(f"prompt_style={config.prompt_style}")
    if other:
        raise ValueError(
            f"the authors' code has no place for {', '.join(other)}: write our layout (to=ours)"
        )


def authors_config(config: VQAModelConfig | VSMModelConfig) -> dict[str, Any]:
    """config.json as their code reads it.

    Raises:
        ValueError: the language model is not of the kind they have.
    """
    llm = {key: getattr(config.llm, key) for key in _SIZES}
    plain = LlmConfig(**llm)
    if other := [f for f in _NOT_THEIRS if getattr(config.llm, f) != getattr(plain, f)]:
        told = ", ".join(f"{key}={getattr(config.llm, key)}" for key in other)
        raise ValueError(f"the authors' code has no place for {told}: write our layout (to=ours)")
    _require_released_parts(config)
    shared = {
        **llm,
        "num_key_value_heads": config.llm.num_attention_heads,
        "hidden_act": "silu",
        "pad_token_id": 0,
        "tie_word_embeddings": False,
        "mm_vision_tower": "openai/clip-vit-large-patch14",
        "mm_hidden_size": config.vision.hidden_size,
        "mm_vision_select_layer": config.vision.feature_layer,
        "mm_vision_select_feature": "patch",
        "mm_use_im_patch_token": False,
        "use_mm_proj": True,
        "tune_mm_mlp_adapter": False,
        "image_grid_pinpoints": None,
        _SIZES_KEY: config_to_dict(config),
    }
    if isinstance(config, VQAModelConfig):
        return shared | {
            "model_type": VQA_TYPE,
            "mm_projector_type": "linear",
            "object_mm_projector_type": "perceiver",
            "mm_use_im_start_end": False,
            "freeze_mm_mlp_adapter": False,
            "image_aspect_ratio": "pad",
        }
    return shared | {
        "model_type": VSM_TYPE,
        "vision_tower": shared["mm_vision_tower"],  # their search model reads this one
        "mm_use_im_start_end": True,
        "image_aspect_ratio": "square",
        "freeze_mm_mlp_adapter": True,
        "pretrain_mm_mlp_adapter": None,
        "train_mask_decoder": True,
        "out_dim": config.detector.query_size,
    }

"""The models training begins from, put together from public parts."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from seal.models.files.checkpoint_table import (
    ALIGNED_NAMES,
    DETECTOR_NAMES,
    LLM_NAMES,
    NEWLINE_NAMES,
    rename_part,
)
from seal.models.files.fill import build_from
from seal.models.files.model_config import CONFIG_FILE, config_from_dict, read_json_object
from seal.models.files.shards import list_tensors, read_tensors
from seal.models.files.tower_part import tower_tensors
from seal.models.parts.owlvit import OwlViTConfig
from seal.models.vlm import EMBEDDINGS, HEAD, LlmConfig
from seal.models.vqa import VQAModel, VQAModelConfig
from seal.models.vsm import VSM, VSMModelConfig

_NOT_IN_SHAPES = (
    "architecture", "num_attention_heads", "num_key_value_heads", "head_size", "rms_norm_eps",
    "rope_theta", "rope_scaling", "attention_bias", "tie_word_embeddings",
)  # fmt: skip


def from_parts(
    config: VQAModelConfig | VSMModelConfig,
    *,
    llm: Path | str,
    vision: Path | str | None = None,
    clip: Path | str | None = None,
    detector: Path | str | None = None,
    seed: int = 0,
) -> VQAModel | VSM:
    """What training begins from: public parts, the rest drawn from `seed`.

    llm: a language model of any family here; or one with its image projector (and newline, where
    pictures come in tiles), as a LLaVA or a model folder of ours, of the same tower; vision: the
    tower, of the family that `config` names (clip: its name in earlier versions); detector: OWL-ViT
    or OWLv2 (search model). Rows the vocabulary has in addition are the mean of those it had.

    Raises:
        ValueError: a part has other tensors or shapes than `config`, or is missing; the language
            model's config.json tells of another family, other heads, norms or positions, or of a
            projector made for another tower.
    """
    is_vsm = isinstance(config, VSMModelConfig)
    if (tower := vision or clip) is None:
        raise ValueError("vision= names the folder of the vision tower, which parts need")
    if is_vsm != (detector is not None):
        raise ValueError(
            "a search model needs a detector= to begin with"
            if is_vsm
            else f"the VQA LLM has no detector, but detector={detector}"
        )
    state = _llm_part(Path(llm), config)
    if config.llm.tie_word_embeddings:
        state.pop(HEAD, None)  # some files hold it twice
    for name in (EMBEDDINGS, HEAD):
        if name in state:
            state[name] = _with_rows(state[name], config.llm.vocab_size, f"{llm}: {name}")
    state |= tower_tensors(tower, config.vision)
    if detector is not None:
        assert isinstance(config, VSMModelConfig)
        state |= _detector(Path(detector), config.detector)
    covered = ("llm.", "vision_tower.", "detector.")
    for key, tensor in _new_tensors(config, seed).items():
        if not key.startswith(covered):
            state.setdefault(key, tensor)
    return build_from(config, _one_dtype(state), "the parts do not fit the model")


def llm_sizes(folder: Path | str) -> LlmConfig:
    """Of what may be `llm=`: a Hugging Face folder, or a model folder of ours.

    Raises:
        ValueError: as `LlmConfig.of`.
    """
    path = Path(folder) / CONFIG_FILE
    content = read_json_object(path)
    if "model_class" in content:
        return config_from_dict(content, path).llm
    return LlmConfig.of(folder)


def _llm_part(folder: Path, config: VQAModelConfig | VSMModelConfig) -> dict[str, Tensor]:
    """The language model, and the image projector and the newline if they are there.

    What no shape tells is compared with config.json, where the folder has one.
    """
    path = folder / CONFIG_FILE
    has_newline = isinstance(config, VQAModelConfig) and config.tiles is not None
    theirs = LLM_NAMES | (NEWLINE_NAMES if has_newline else {})
    if not path.is_file():
        return _part(folder, theirs)
    content = read_json_object(path)
    ours = config_from_dict(content, path) if "model_class" in content else None
    told = LlmConfig.of(folder) if ours is None else ours.llm
    for key in _NOT_IN_SHAPES:
        there, here = getattr(told, key), getattr(config.llm, key)
        if there != here:
            raise ValueError(
                f"{path}: {key}={there}, but the model has {here}; take another language model, "
                "or other sizes with ++model.llm.*="
            )
    if ours is not None and ours.vision != config.vision:
        raise ValueError(
            f"{path}: its image projector reads {ours.vision}, but the model has {config.vision}; "
            "set ++model.vision.* to those"
        )
    own = ALIGNED_NAMES | ({"image_newline": "image_newline"} if has_newline else {})
    return _part(folder, theirs if ours is None else own)


def _detector(folder: Path, config: OwlViTConfig) -> dict[str, Tensor]:
    backbone = f"{config.family}.vision_model."
    state = _part(folder, {backbone: "detector.vision_model.", **DETECTOR_NAMES})
    if not any(key.startswith("detector.vision_model.") for key in state):
        raise ValueError(
            f"{folder} holds no {config.family} detector: ++model.detector.family= sets the "
            "model's own, detector= another folder"
        )
    return state


def _part(folder: Path | str, names: dict[str, str]) -> dict[str, Tensor]:
    stored = list_tensors(folder)
    renamed = rename_part(stored, names)
    return dict(read_tensors({ours: stored[theirs] for theirs, ours in renamed.items()}))


def _with_rows(table: Tensor, count: int, where: str) -> Tensor:
    if table.shape[0] > count:
        raise ValueError(f"{where} has {table.shape[0]} rows, the vocabulary {count}")
    mean = table.float().mean(0, keepdim=True).to(table.dtype)
    return torch.cat([table, mean.expand(count - table.shape[0], -1)])


def _new_tensors(config: VQAModelConfig | VSMModelConfig, seed: int) -> dict[str, Tensor]:
    """The weights of a new model of the same widths, one layer deep so that it is small."""
    changes: dict[str, Any] = {
        "llm": dataclasses.replace(
            config.llm,
            num_hidden_layers=1,
            vocab_size=3,
            intermediate_size=8,
            bos_token_id=1,
            eos_token_id=2,
        ),
        "vision": dataclasses.replace(config.vision, num_hidden_layers=1, feature_layer=-1),
    }
    if isinstance(config, VSMModelConfig):
        changes["detector"] = dataclasses.replace(config.detector, num_hidden_layers=1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return dataclasses.replace(config, **changes).build().state_dict()


def _one_dtype(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Every tensor in the precision of the language model's."""
    embeddings = state.get(EMBEDDINGS)
    if embeddings is None:
        raise ValueError("there are no word embeddings: not a folder of a language model")
    return {
        key: value.to(embeddings.dtype) if value.is_floating_point() else value
        for key, value in state.items()
    }

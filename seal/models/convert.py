"""Models from and to other layouts: the authors' checkpoints, and public parts to begin with."""

from __future__ import annotations

import dataclasses
import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from seal.models.checkpoint_table import (
    CLIP_NAMES,
    LLM_NAMES,
    OWLVIT_NAMES,
    VQA_NAMES,
    VSM_NAMES,
    rename,
    rename_back,
    rename_part,
)
from seal.models.load import build_from
from seal.models.vqa import VQAModel, VQAModelConfig
from seal.models.vsm import VSM, VSMModelConfig
from seal.text.tokenize import TOKENIZER_FILES

_FILES = ("model.safetensors", "pytorch_model.bin")  # or <name>.index.json and shards


def read_tensors(folder: Path | str) -> dict[str, Tensor]:
    """Every tensor of a Hugging Face folder: safetensors or .bin, sharded or not.

    Raises:
        ValueError: there is no such file, a shard is missing or damaged, or a .bin holds more than
            tensors.
    """
    folder = Path(folder)
    for name in _FILES:
        index = folder / f"{name}.index.json"
        if index.is_file():
            shards = _indexed(index)
            break
        if (folder / name).is_file():
            shards = [name]
            break
    else:
        raise ValueError(f"{folder} has none of {', '.join(_FILES)}, nor their .index.json")
    tensors: dict[str, Tensor] = {}
    for shard in shards:
        path = folder / shard
        if not path.is_file():
            raise ValueError(f"{path} does not exist: the folder is incomplete")
        try:
            if shard.endswith(".safetensors"):
                tensors |= load_file(path)
            else:
                tensors |= torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        except (SafetensorError, pickle.UnpicklingError, RuntimeError) as error:
            raise ValueError(f"{path}: not a file of tensors: {error}") from error
    return tensors


def _indexed(index: Path) -> list[str]:
    """The shards that an index names."""
    try:
        content = json.loads(index.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{index} is not JSON: {error}") from error
    placed = content.get("weight_map") if isinstance(content, dict) else None
    if not isinstance(placed, dict) or not all(isinstance(x, str) for x in placed.values()):
        raise ValueError(
            f"{index} has no weight_map of tensor names to files: it is not an index of shards, "
            "or damaged; fetch it again"
        )
    return sorted(set(placed.values()))


def from_authors(
    folder: Path | str,
    config: VQAModelConfig | VSMModelConfig,
    *,
    clip: Path | str | None = None,
) -> VQAModel | VSM:
    """A released checkpoint as our model. `clip`: where the tower is fetched if it is not inside.

    Raises:
        ValueError: a key without a rule; a tensor that is missing or of another shape.
    """
    tensors = read_tensors(folder)
    names = VQA_NAMES if isinstance(config, VQAModelConfig) else VSM_NAMES
    state = {ours: tensors[theirs] for theirs, ours in rename(tensors, names).items()}
    if not any(key.startswith("vision_tower.") for key in state):
        if clip is None:
            raise ValueError(f"{folder} holds no CLIP tower: name its folder with clip=")
        state |= _part(clip, CLIP_NAMES)
    return build_from(config, _one_dtype(state), f"{folder} does not fit the model")


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


def compare_keys(
    config: VQAModelConfig | VSMModelConfig, shapes: dict[str, list[int]]
) -> list[str]:
    """How a file of theirs with tensors of `shapes` differs from what we would write; [] = not."""
    with torch.device("meta"):
        model = config.build()
    state = model.state_dict()
    half_head = config.llm.hidden_size // config.llm.num_attention_heads // 2
    wanted = {
        theirs: [half_head] if ours is None else list(state[ours].shape)
        for theirs, ours in authors_keys(model).items()
    }
    problems = [f"missing key {key}" for key in wanted if key not in shapes]
    problems += [f"extra key {key}" for key in shapes if key not in wanted]
    return problems + [
        f"{key} has shape {shapes[key]}, the model {wanted[key]}"
        for key in wanted
        if key in shapes and list(shapes[key]) != wanted[key]
    ]


def write_authors(folder: Path | str, model: VQAModel | VSM, tokenizer_folder: Path | str) -> None:
    """A folder that the authors' code loads; refuses one that exists."""
    from huggingface_hub import save_torch_state_dict

    folder, tokenizer_folder = Path(folder), Path(tokenizer_folder)
    if folder.exists():
        raise ValueError(f"{folder} exists: choose a new folder")
    temporary = folder.with_name(f".{folder.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    save_torch_state_dict(to_authors(model), temporary)
    text = json.dumps(authors_config(model.config), indent=2) + "\n"
    (temporary / "config.json").write_text(text, encoding="utf-8")
    for name in TOKENIZER_FILES:
        if (tokenizer_folder / name).exists():
            shutil.copyfile(tokenizer_folder / name, temporary / name)
    temporary.rename(folder)


def authors_config(config: VQAModelConfig | VSMModelConfig) -> dict[str, Any]:
    """config.json as their code reads it."""
    llm = dataclasses.asdict(config.llm)
    shared = {
        **llm,
        "num_key_value_heads": config.llm.num_attention_heads,
        "hidden_act": "silu",
        "pad_token_id": 0,
        "tie_word_embeddings": False,
        "mm_vision_tower": "openai/clip-vit-large-patch14",
        "mm_hidden_size": config.clip.hidden_size,
        "mm_vision_select_layer": config.clip.feature_layer,
        "mm_vision_select_feature": "patch",
        "mm_use_im_patch_token": False,
        "use_mm_proj": True,
    }
    if isinstance(config, VQAModelConfig):
        return shared | {
            "model_type": "llava_search",
            "mm_projector_type": "linear",
            "object_mm_projector_type": "perceiver",
            "mm_use_im_start_end": False,
            "image_aspect_ratio": "pad",
        }
    return shared | {
        "model_type": "llava",
        "mm_use_im_start_end": True,
        "image_aspect_ratio": "square",
        "train_mask_decoder": True,
        "out_dim": config.detector.query_size,
    }


def from_parts(
    config: VQAModelConfig | VSMModelConfig,
    *,
    llm: Path | str,
    clip: Path | str,
    detector: Path | str | None = None,
    seed: int = 0,
) -> VQAModel | VSM:
    """What training begins from: public parts, the rest drawn from `seed`.

    llm: LLaMA or Vicuna (VQA LLM), LLaVA (search model, with its projector); clip: CLIP; detector:
    OWL-ViT (search model). Rows the vocabulary has in addition are the mean of those it had.

    Raises:
        ValueError: a part has other tensors or shapes than `config`, or is missing.
    """
    is_vsm = isinstance(config, VSMModelConfig)
    if is_vsm != (detector is not None):
        raise ValueError(
            "a search model needs a detector= to begin with"
            if is_vsm
            else f"the VQA LLM has no detector, but detector={detector}"
        )
    state = _part(llm, LLM_NAMES)
    for name in ("llm.model.embed_tokens.weight", "llm.lm_head.weight"):
        if name in state:
            state[name] = _with_rows(state[name], config.llm.vocab_size, f"{llm}: {name}")
    state |= _part(clip, CLIP_NAMES)
    if detector is not None:
        state |= _part(detector, OWLVIT_NAMES)
    covered = ("llm.", "vision_tower.", "detector.")
    for key, tensor in _new_tensors(config, seed).items():
        if not key.startswith(covered):
            state.setdefault(key, tensor)
    return build_from(config, _one_dtype(state), "the parts do not fit the model")


def _part(folder: Path | str, names: dict[str, str]) -> dict[str, Tensor]:
    tensors = read_tensors(folder)
    return {ours: tensors[theirs] for theirs, ours in rename_part(tensors, names).items()}


def _with_rows(table: Tensor, count: int, where: str) -> Tensor:
    if table.shape[0] > count:
        raise ValueError(f"{where} has {table.shape[0]} rows, the vocabulary {count}")
    mean = table.float().mean(0, keepdim=True).to(table.dtype)
    return torch.cat([table, mean.expand(count - table.shape[0], -1)])


def _new_tensors(config: VQAModelConfig | VSMModelConfig, seed: int) -> dict[str, Tensor]:
    """The weights of a new model of the same widths, one layer deep so that it is small."""
    changes: dict[str, Any] = {
        "llm": dataclasses.replace(
            config.llm, num_hidden_layers=1, vocab_size=3, intermediate_size=8
        ),
        "clip": dataclasses.replace(config.clip, num_hidden_layers=1, feature_layer=-1),
    }
    if isinstance(config, VSMModelConfig):
        changes["detector"] = dataclasses.replace(config.detector, num_hidden_layers=1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return dataclasses.replace(config, **changes).build().state_dict()


def _one_dtype(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Every tensor in the precision of the language model's."""
    embeddings = state.get("llm.model.embed_tokens.weight")
    if embeddings is None:
        raise ValueError("there are no word embeddings: not a folder of a language model")
    return {
        key: value.to(embeddings.dtype) if value.is_floating_point() else value
        for key, value in state.items()
    }

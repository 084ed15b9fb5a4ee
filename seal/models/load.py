"""Save a model as a plain folder and load it back, strictly; nothing is unpickled.

A model folder holds config.json (class and every size), safetensors shards with their index,
the tokenizer's files byte for byte, and the image processors' settings.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from seal import __version__
from seal.models.owlvit import OwlViTConfig
from seal.models.projectors import ResamplerConfig
from seal.models.sam import CueDecoderConfig
from seal.models.vision import ClipConfig
from seal.models.vlm import VLM, LlmConfig
from seal.models.vqa import VQAModel, VQAModelConfig
from seal.models.vsm import VSM, VSMModelConfig

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
INDEX_FILE = "model.safetensors.index.json"
TOKENIZER_FILES = (
    "tokenizer.model",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
)
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
_PARTS: dict[str, Any] = {
    "llm": LlmConfig,
    "clip": ClipConfig,
    "resampler": ResamplerConfig,
    "detector": OwlViTConfig,
    "cue_decoder": CueDecoderConfig,
}
_MODELS: dict[str, Any] = {"VQAModel": VQAModelConfig, "VSM": VSMModelConfig}


def save_model(
    folder: Path | str,
    model: VQAModel | VSM,
    tokenizer_folder: Path | str,
    extra: dict[str, Any] | None = None,
    *,
    max_shard_size: str = "5GB",
) -> None:
    """Write `folder` under a temporary name and rename it: it is complete or absent.

    `extra` becomes training.json. An existing folder is replaced only once the new one is whole.

    Raises:
        OSError: the disk is full or not writable; what was in `folder` is still there.
    """
    from huggingface_hub import save_torch_state_dict

    folder, tokenizer_folder = Path(folder), Path(tokenizer_folder)
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        temporary.mkdir(parents=True)
        state = {name: tensor.detach().cpu() for name, tensor in model.state_dict().items()}
        save_torch_state_dict(state, temporary, max_shard_size=max_shard_size)
        _write_json(temporary / CONFIG_FILE, config_to_dict(model.config))
        for name, settings in _processors(model).items():
            _write_json(temporary / name, settings)
        for name in TOKENIZER_FILES:
            if (tokenizer_folder / name).exists():
                shutil.copyfile(tokenizer_folder / name, temporary / name)
        if extra is not None:
            _write_json(temporary / "training.json", extra)
        old = folder.with_name(f".{folder.name}.{os.getpid()}.old")
        if folder.exists():
            folder.rename(old)
        temporary.rename(folder)
        shutil.rmtree(old, ignore_errors=True)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise OSError(
            f"could not save the model to {folder}: {error}; free some space or choose another "
            "folder (what was there before is untouched)"
        ) from error


def load_model(
    folder: Path | str,
    *,
    device: torch.device | str = "cpu",
    dtype: torch.dtype | None = None,
    quantization: str | None = None,
) -> VQAModel | VSM:
    """Build the class that config.json names and fill every tensor of it from the shards.

    `dtype=None` keeps the files' type, except that half precision becomes float32 on a CPU.

    Raises:
        ValueError: config.json is missing or wrong; a key is missing, extra, or of another shape.
    """
    from accelerate import init_empty_weights

    folder = Path(folder)
    config = read_config(folder)
    with init_empty_weights(include_buffers=False):  # buffers that are not saved stay real
        model = config.build()
    expected = model.state_dict()
    state: dict[str, Tensor] = {}
    problems: list[str] = []
    for shard in _shards(folder):
        try:
            with safe_open(shard, framework="pt") as tensors:
                for key in tensors.keys():  # noqa: SIM118  # not a dict
                    if key not in expected:
                        problems.append(f"extra key {key}")
                        continue
                    tensor = tensors.get_tensor(key)
                    if tensor.shape != expected[key].shape:
                        problems.append(
                            f"{key} has shape {list(tensor.shape)}, the model "
                            f"{list(expected[key].shape)}"
                        )
                        continue
                    state[key] = tensor.to(_dtype(tensor, dtype, device))
        except SafetensorError as error:
            raise ValueError(f"{shard}: not a complete safetensors file: {error}") from error
    problems += [f"missing key {key}" for key in expected if key not in state]
    if problems:
        shown = "; ".join(problems[:8]) + (f"; and {len(problems) - 8} more" * (len(problems) > 8))
        raise ValueError(f"{folder} does not fit its config.json: {shown}")
    model.load_state_dict(state, strict=True, assign=True)
    del state
    if quantization is not None:
        from seal.models.quantize import quantize_llm

        quantize_llm(model, quantization)
    return model.to(device).eval()


def _dtype(tensor: Tensor, wanted: torch.dtype | None, device: torch.device | str) -> torch.dtype:
    if not tensor.is_floating_point():
        return tensor.dtype
    if wanted is not None:
        return wanted
    return torch.float32 if torch.device(device).type == "cpu" else tensor.dtype


def config_to_dict(config: VQAModelConfig | VSMModelConfig) -> dict[str, Any]:
    """What config.json holds."""
    name = "VQAModel" if isinstance(config, VQAModelConfig) else "VSM"
    return {"model_class": name, "seal_version": __version__, **dataclasses.asdict(config)}


def read_config(folder: Path | str) -> VQAModelConfig | VSMModelConfig:
    """The model configuration of a folder; every wrong key or value is named."""
    path = Path(folder) / CONFIG_FILE
    if not path.exists():
        raise ValueError(f"{path} does not exist: {folder} is not a model folder")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: not JSON: {error}") from error
    content.pop("seal_version", None)
    name = content.pop("model_class", None)
    if name not in _MODELS:
        raise ValueError(f"{path}: model_class={name!r}; known: {', '.join(_MODELS)}")
    try:
        values = {
            key: _PARTS[key](**value) if key in _PARTS else value for key, value in content.items()
        }
        return _MODELS[name](**values)
    except TypeError as error:
        raise ValueError(f"{path}: {error}") from error


def parameter_table(model: nn.Module) -> list[tuple[str, int, int]]:
    """(part, parameters, trainable ones) for each child of the model; works on the meta device."""
    return [
        (
            name,
            sum(p.numel() for p in child.parameters()),
            sum(p.numel() for p in child.parameters() if p.requires_grad),
        )
        for name, child in model.named_children()
    ]


def _shards(folder: Path) -> list[Path]:
    if (folder / INDEX_FILE).exists():
        index = json.loads((folder / INDEX_FILE).read_text(encoding="utf-8"))
        names = sorted(set(index["weight_map"].values()))
    else:
        names = [WEIGHTS_FILE]
    for name in names:
        if not (folder / name).exists():
            raise ValueError(f"{folder / name} does not exist: the model folder is incomplete")
    return [folder / name for name in names]


def _processors(model: VLM) -> dict[str, dict[str, Any]]:
    size = model.config.clip.image_size  # type: ignore[union-attr]
    shared = {"image_mean": CLIP_MEAN, "image_std": CLIP_STD, "rescale_factor": 1 / 255}
    clip = {
        "image_processor_type": "CLIPImageProcessor",
        "size": {"shortest_edge": size},
        "crop_size": {"height": size, "width": size},
        "resample": 3,
        **shared,
    }
    processors = {"preprocessor_config.json": clip}
    if isinstance(model, VSM):
        side = model.config.detector.image_size
        processors["owlvit_preprocessor_config.json"] = {
            "image_processor_type": "OwlViTImageProcessor",
            "size": {"height": side, "width": side},
            "resample": 3,
            **shared,
        }
    return processors


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")

"""Save a model as a plain folder and load it back, strictly; nothing is unpickled.

A model folder holds config.json (class, every size, prompt style, token policy, preset),
safetensors shards with their index, the tokenizer's files byte for byte, and the image processors'
settings.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from seal.fingerprint import TRAINING_FILE
from seal.models.owlvit import OwlViTConfig
from seal.models.presets import preset_name
from seal.models.projectors import ResamplerConfig
from seal.models.sam import CueDecoderConfig
from seal.models.vision import ClipConfig
from seal.models.vlm import VLM, LlmConfig
from seal.models.vqa import VQAModel, VQAModelConfig
from seal.models.vsm import VSM, VSMModelConfig
from seal.text.conversation import VQA as VQA_TEMPLATE
from seal.text.conversation import VSM as VSM_TEMPLATE
from seal.text.tokenize import MODEL_FILE, TOKENIZER_FILES
from seal.version import __version__

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
INDEX_FILE = "model.safetensors.index.json"
CLIP_FILE = "preprocessor_config.json"
DETECTOR_FILE = "owlvit_preprocessor_config.json"
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
    if not folder.exists():
        return
    if not folder.is_dir():
        raise ValueError(f"{folder} is a file; choose a folder that a model can be written to")
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
    if names and not foreign and CONFIG_FILE in names:
        found = _read_json(folder / CONFIG_FILE).get("model_class")
        foreign = [] if found in _MODELS else [f"{CONFIG_FILE} with model_class={found!r}"]
    elif not foreign:
        foreign = names  # without config.json not a model folder
    if foreign:
        shown = ", ".join(foreign[:5]) + (f" and {len(foreign) - 5} more" * (len(foreign) > 5))
        raise ValueError(
            f"{folder} would be replaced, but it holds {shown}, which is no part of a model folder "
            f"written here; choose another folder, or move that away"
        )


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
    for name, settings in _processors(model).items():
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
) -> VQAModel | VSM:
    """Build the class that config.json names and fill every tensor of it from the shards.

    `dtype=None` keeps the files' type, except that half precision becomes float32 on a CPU unless
    `keep_dtype`.

    Raises:
        ValueError: config.json is missing or wrong; a key is missing, extra, or of another shape.
    """
    folder = Path(folder)
    config = read_config(folder)
    state: dict[str, Tensor] = {}
    for shard in _shards(folder):
        try:
            with safe_open(shard, framework="pt") as tensors:
                for key in tensors.keys():  # noqa: SIM118  # not a dict
                    tensor = tensors.get_tensor(key)
                    state[key] = tensor if keep_dtype else _cast(tensor, dtype, device)
        except SafetensorError as error:
            raise ValueError(f"{shard}: not a complete safetensors file: {error}") from error
    model = build_from(config, state, f"{folder} does not fit its config.json")
    del state
    if quantization is not None:
        from seal.models.quantize import quantize_llm

        quantize_llm(model, quantization)
    return model.to(device).eval()


def build_from(
    config: VQAModelConfig | VSMModelConfig, state: dict[str, Tensor], complaint: str
) -> VQAModel | VSM:
    """The model of `config` with exactly the tensors of `state`; nothing else is allocated.

    Raises:
        ValueError: `complaint`, then the keys that are missing, extra or of another shape.
    """
    from accelerate import init_empty_weights

    with init_empty_weights(include_buffers=False):  # buffers that are not saved stay real
        model = config.build()
    expected = model.state_dict()
    problems = []
    for key, tensor in state.items():
        if key not in expected:
            problems.append(f"extra key {key}")
        elif tensor.shape != expected[key].shape:
            there, here = list(tensor.shape), list(expected[key].shape)
            problems.append(f"{key} has shape {there}, the model {here}")
    problems += [f"missing key {key}" for key in expected if key not in state]
    if problems:
        shown = "; ".join(problems[:8]) + (f"; and {len(problems) - 8} more" * (len(problems) > 8))
        raise ValueError(f"{complaint}: {shown}")
    model.load_state_dict(state, strict=True, assign=True)
    return model


def _cast(tensor: Tensor, wanted: torch.dtype | None, device: torch.device | str) -> Tensor:
    if not tensor.is_floating_point():
        return tensor
    if wanted is None and torch.device(device).type == "cpu":
        wanted = torch.float32
    return tensor if wanted is None else tensor.to(wanted)


def config_to_dict(config: VQAModelConfig | VSMModelConfig) -> dict[str, Any]:
    """What config.json holds."""
    is_vqa = isinstance(config, VQAModelConfig)
    return {
        "model_class": "VQAModel" if is_vqa else "VSM",
        "preset": preset_name(config),
        "prompt_style": (VQA_TEMPLATE if is_vqa else VSM_TEMPLATE).name,
        "seal_version": __version__,
        **dataclasses.asdict(config),
    }


def read_config(folder: Path | str) -> VQAModelConfig | VSMModelConfig:
    """The model configuration of a folder; every wrong key or value is named."""
    path = Path(folder) / CONFIG_FILE
    if not path.exists():
        _, old = _beside(Path(folder))
        kept = f"; a save was cut short: rename {old} to {folder}" if old.exists() else ""
        raise ValueError(f"{path} does not exist: {folder} is not a model folder{kept}")
    content = _read_json(path)
    command = conversion(content, str(folder))
    if command is not None:
        raise ValueError(f"{path} is in the authors' layout; make a model folder of it: {command}")
    for told in ("preset", "prompt_style", "seal_version"):  # follows from the rest
        content.pop(told, None)
    name = content.pop("model_class", None)
    if name not in _MODELS:
        raise ValueError(f"{path}: model_class={name!r}; known: {', '.join(_MODELS)}")
    try:
        values = {
            key: _PARTS[key](**value) if key in _PARTS else value for key, value in content.items()
        }
        return _MODELS[name](**values)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from error


def conversion(content: dict[str, Any], source: str) -> str | None:
    """The command that makes our folder of `source` with this config.json of the authors'.

    None: it is not theirs.
    """
    commands = {
        "llava_search": f"seal eval/convert model=vqa_7b source={source} out=models/vqa",
        # The released search model holds no CLIP tower.
        "llava": (
            f"seal eval/convert model=vsm_7b source={source} clip=clip-vit-large-patch14 "
            "out=models/vsm"
        ),
    }
    return None if "model_class" in content else commands.get(content.get("model_type", ""))


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


def _shards(folder: Path) -> list[Path]:
    if (folder / INDEX_FILE).exists():
        index = _read_json(folder / INDEX_FILE)
        names = sorted(set(index.get("weight_map", {}).values()))
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
    processors = {CLIP_FILE: clip}
    if isinstance(model, VSM):
        side = model.config.detector.image_size
        processors[DETECTOR_FILE] = {
            "image_processor_type": "OwlViTImageProcessor",
            "size": {"height": side, "width": side},
            "resample": 3,
            **shared,
        }
    return processors


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: not JSON: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path}: expected an object, found {type(content).__name__}")
    return content


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")

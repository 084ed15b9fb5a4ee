"""A model's config.json: class, every size, prompt style, token policy, preset."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any, get_type_hints

from seal.files.kind import foreign_kind
from seal.images.tiles import TilesConfig
from seal.models.parts.cue_decoder import CueDecoderConfig
from seal.models.parts.owlvit import OwlViTConfig
from seal.models.parts.projectors import ResamplerConfig
from seal.models.parts.router import RouterConfig
from seal.models.parts.vision import VisionConfig
from seal.models.presets import preset_name
from seal.models.vlm import LlmConfig
from seal.models.vqa import GranularityConfig, VQAModelConfig
from seal.models.vsm import VSMModelConfig
from seal.version import __version__

CONFIG_FILE = "config.json"
MODEL_CLASSES: dict[str, Any] = {"VQAModel": VQAModelConfig, "VSM": VSMModelConfig}
_LARGEST = 1 << 31  # of any size
_PARTS: dict[str, Any] = {
    "llm": LlmConfig,
    "vision": VisionConfig,
    "resampler": ResamplerConfig,
    "tiles": TilesConfig,
    "granularity": GranularityConfig,
    "router": RouterConfig,
    "detector": OwlViTConfig,
    "cue_decoder": CueDecoderConfig,
}


def config_to_dict(config: VQAModelConfig | VSMModelConfig) -> dict[str, Any]:
    """What config.json holds."""
    is_vqa = isinstance(config, VQAModelConfig)
    return {
        "model_class": "VQAModel" if is_vqa else "VSM",
        "preset": preset_name(config),
        "seal_version": __version__,
        **dataclasses.asdict(config),
    }


def config_from_dict(content: dict[str, Any], where: Path | str) -> VQAModelConfig | VSMModelConfig:
    """The configuration that `config_to_dict` made `content` of; errors begin with `where`."""
    # These follow from the rest.
    told = ("preset", "seal_version")
    sizes = {key: value for key, value in content.items() if key not in told}
    if "clip" in sizes and "vision" not in sizes:  # its name in earlier files, when all were CLIP
        sizes["vision"] = sizes.pop("clip")
    if sizes.get("prompt_style") in ("vqa", "vsm"):  # likewise, when there was no other
        sizes["prompt_style"] = "vicuna"
    name = sizes.pop("model_class", None)
    if not isinstance(name, str) or name not in MODEL_CLASSES:
        raise ValueError(f"{where}: model_class={name!r}; known: {', '.join(MODEL_CLASSES)}")
    try:
        values = {
            key: typed(_PARTS[key], value, f"{key}.")
            if key in _PARTS and value is not None
            else value
            for key, value in sizes.items()
        }
        config: VQAModelConfig | VSMModelConfig = typed(MODEL_CLASSES[name], values, "")
    except (TypeError, ValueError) as error:
        raise ValueError(f"{where}: {error}") from error
    return config


def typed(kind: Any, values: Any, prefix: str) -> Any:
    """`kind(**values)`, once every value is of the type its field has; errors name the key."""
    if not isinstance(values, dict):
        raise ValueError(f"{prefix[:-1]} is {str(values)[:100]!r}, not an object of settings")
    types = get_type_hints(kind)
    for key, value in values.items():
        wanted = types.get(key)  # an unknown key is told by `kind`
        allowed: Any = (int, float) if wanted is float else wanted
        if wanted in (int, float, str, bool) and (
            not isinstance(value, allowed) or (isinstance(value, bool) and wanted is not bool)
        ):
            raise ValueError(f"{prefix}{key} is {str(value)[:100]!r}, expected {wanted.__name__}")
        least = -_LARGEST if key == "feature_layer" else 0  # counted from the end
        if wanted is int and not least <= value < _LARGEST:
            raise ValueError(f"{prefix}{key} is {str(value)[:100]}, which is no size")
    return kind(**values)


def read_json_object(path: Path) -> dict[str, Any]:
    """The object in a JSON file; a ValueError names the file that holds none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        kind = foreign_kind(path) or str(error)
        raise ValueError(f"{path}: not JSON: {kind}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path}: expected an object, found {type(content).__name__}")
    return content


def read_config_file(folder: Path | str) -> dict[str, Any]:
    """What config.json says."""
    path = Path(folder) / CONFIG_FILE
    if not path.exists():
        _, old = beside(Path(folder))
        kept = f"; a save was cut short: rename {old} to {folder}" if old.exists() else ""
        raise ValueError(f"{path} does not exist: {folder} is not a model folder{kept}")
    return read_json_object(path)


def beside(folder: Path) -> tuple[Path, Path]:
    """Where a folder is written, and where the one it replaces waits until it is."""
    whole = folder if folder.name not in ("", "..") else folder.resolve()  # "." has no name
    return whole.parent / f".{whole.name}.tmp", whole.parent / f".{whole.name}.old"

"""Image-text models of Hugging Face, loaded with what they read."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import try_to_load_from_cache
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForImageTextToText, BitsAndBytesConfig
from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES

from seal.inference.device import existing_device, free_bytes
from seal.inference.hf.families import family_of
from seal.inference.hf.memory import kept_whole, require_room
from seal.inference.hf.model import HFModel
from seal.inference.hf.pixels import PixelBudget
from seal.inference.hf.processor import load_processor
from seal.inference.hf.refusals import (
    first_line,
    needs_code,
    not_had,
    require_all_weights,
    weights_refused,
)
from seal.models.fit.quantize import QUANTIZATIONS, quiet_bitsandbytes
from seal.text.quote import quoted

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def load_hf(
    name: str | Path,
    *,
    device: str | None = None,
    dtype: torch.dtype | str | None = None,
    quantization: str | None = None,
    device_map: str | dict[str, Any] | None = None,
    min_pixels: int | None = None,
    max_pixels: int | None = None,
    chat_template: str | None = None,
    trust_remote_code: bool = False,
    revision: str | None = None,
    tell: Callable[[str], None] | None = None,
) -> HFModel:
    """The model `name` (folder or hub id) and its processor.

    Args:
        device: None is the first GPU if there is one; ignored with `device_map`.
        dtype: None is the files' own, float32 on a CPU.
        quantization: "int8" or "nf4", of the language model's blocks.
        device_map: how accelerate spreads the model, for example "auto".
        min_pixels, max_pixels: per picture, as given to the vision tower; None is the processor's.
        chat_template: Jinja text in place of the processor's own.
        tell: is told what memory it will take, before weights are read; None: the log.

    Raises:
        ValueError: it is no image-text model, cannot be had, needs code of its own, holds no
            safetensors, lacks files or a chat template, or does not fit; in one line.
    """
    name = str(name)
    wanted = _checked_dtype(dtype)
    if quantization not in (None, *QUANTIZATIONS):
        raise ValueError(f"quantization={quantization!r}; known: {', '.join(QUANTIZATIONS)}")
    code: dict[str, Any] = {"trust_remote_code": trust_remote_code, "revision": revision}
    config = load_config(name, code)
    family = family_of(config.model_type)
    if family.refused:
        raise ValueError(f"{name} ({config.model_type}) cannot be asked: {family.refused}")
    processor = _processor(name, config, code)
    if chat_template is not None:
        processor.chat_template = chat_template
    if not getattr(processor, "chat_template", None) and family.prompt is None:
        raise ValueError(
            f"{name}: its processor has no chat template, so nothing says how it is asked; take an "
            "instruction-tuned form of the model, or give chat_template= (Jinja)"
        )
    pixels = PixelBudget.set(processor, family, name, min_pixels, max_pixels)
    place = None if device_map is not None else existing_device(device)
    if wanted is None:
        on_cpu = place is not None and torch.device(place).type == "cpu"
        wanted = torch.float32 if on_cpu else _own_dtype(config)
    skeleton = _skeleton(name, config, code)
    require_room(
        skeleton,
        processor,
        name,
        dtype=wanted,
        quantization=quantization,
        free=None if place is None else free_bytes(place),
        device=place or "",
        tell=tell or logging.getLogger(__name__).info,
    )
    options: dict[str, Any] = {"dtype": wanted, "use_safetensors": True, **code}
    if quantization is not None:
        quiet_bitsandbytes()
        options["quantization_config"] = _quantized(quantization, wanted, kept_whole(skeleton))
        options["device_map"] = device_map or {"": place}
    elif device_map is not None:
        options["device_map"] = device_map
    try:
        read: Any = AutoModelForImageTextToText.from_pretrained(
            name, output_loading_info=True, **options
        )
    except (OSError, ValueError, RuntimeError, ImportError, SafetensorError) as error:
        raise ValueError(weights_refused(name, error)) from error
    model, told = read
    require_all_weights(name, told)
    if quantization is None and device_map is None:
        model.to(place)
    for module in model.modules():  # bitsandbytes else repacks in bfloat16, and only some widths
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False
    return HFModel(
        model=model.eval(),
        processor=processor,
        name=name,
        family=family,
        pixels=pixels,
        quantization=quantization,
        trust_remote_code=trust_remote_code,
        revision=_commit(name, revision) or revision,
    )


def _checked_dtype(dtype: torch.dtype | str | None) -> torch.dtype | None:
    if dtype is None or (isinstance(dtype, torch.dtype) and dtype in DTYPES.values()):
        return dtype
    if dtype in DTYPES:
        return DTYPES[str(dtype)]
    raise ValueError(f"dtype={quoted(str(dtype))} is none of {', '.join(DTYPES)}")


def _own_dtype(config: Any) -> torch.dtype:
    told = getattr(config, "dtype", None) or getattr(config.get_text_config(), "dtype", None)
    if isinstance(told, str):
        told = DTYPES.get(told)
    return told if isinstance(told, torch.dtype) and told.is_floating_point else torch.bfloat16


def load_config(name: str, code: dict[str, Any]) -> Any:
    """config.json of an image-text model; `code`: trust_remote_code and revision."""
    if Path(name).is_dir():
        if not (Path(name) / "config.json").is_file():
            raise ValueError(f"{name} has no config.json: no model folder of Hugging Face")
    elif Path(name).exists() or name.count("/") != 1 or name.startswith((".", "/", "~")):
        raise ValueError(f"{name}: no such model folder (a hub id looks like owner/name)")
    try:
        config = AutoConfig.from_pretrained(name, **code)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise ValueError(not_had(name, error)) from error
    remote = getattr(config, "auto_map", None) or {}
    known = config.model_type in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES
    if known or (code["trust_remote_code"] and AutoModelForImageTextToText.__name__ in remote):
        return config
    if AutoModelForImageTextToText.__name__ in remote:
        raise ValueError(needs_code(name))
    raise ValueError(
        f"{name} is a {config.model_type} model, which transformers does not know as an image-text "
        "model; name one of AutoModelForImageTextToText, for example Qwen/Qwen3-VL-8B-Instruct"
    )


def load_parts(name: str, config: Any, code: dict[str, Any]) -> tuple[Any, Any]:
    """Its processor, and the model on the meta device."""
    return _processor(name, config, code), _skeleton(name, config, code)


def _processor(name: str, config: Any, code: dict[str, Any]) -> Any:
    try:
        return load_processor(name, config, **code)
    except ImportError as error:
        raise ValueError(
            f"{name}: its processor needs a package that is not here: {first_line(error)}"
        ) from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{name}: its processor cannot be loaded ({first_line(error)}); the folder lacks "
            "tokenizer or processor files, or holds another model's: fetch it again"
        ) from error


def _commit(name: str, revision: str | None) -> str | None:
    """The commit of what the hub gave: the name of the folder it lies in."""
    if Path(name).is_dir():
        return None
    found = try_to_load_from_cache(name, "config.json", revision=revision)
    return Path(found).parent.name if isinstance(found, str) else None


def _skeleton(name: str, config: Any, code: dict[str, Any]) -> Any:
    """The model without weights."""
    with torch.device("meta"):
        try:
            return AutoModelForImageTextToText.from_config(
                config, trust_remote_code=code["trust_remote_code"]
            )
        except (ValueError, ImportError, OSError) as error:
            raise ValueError(f"{name} cannot be built: {first_line(error)}") from error


def _quantized(quantization: str, dtype: torch.dtype, skip: list[str]) -> BitsAndBytesConfig:
    if quantization == "int8":
        return BitsAndBytesConfig(load_in_8bit=True, llm_int8_skip_modules=skip)
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_compute_dtype=dtype,
        bnb_4bit_use_double_quant=True,
        llm_int8_skip_modules=skip,
    )

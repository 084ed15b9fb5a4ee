"""The model whose maps are measured; random weights cost what trained ones cost."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForImageTextToText

from seal.endpoint.address import is_endpoint
from seal.evaluation.speed.models import endless_model
from seal.evaluation.vicrop_speed.config import SEAL, ViCropSpeedConfig
from seal.inference.answers.hf import HFAnswerModel
from seal.inference.answers.protocol import AnswerModel
from seal.inference.answers.seal_vqa import NetworkAnswerModel
from seal.inference.device import existing_device
from seal.inference.hf.families import family_of
from seal.inference.hf.load import HFModel, load_hf
from seal.inference.hf.pixels import PixelBudget
from seal.inference.hf.processor import load_processor
from seal.inference.hub import local_folder
from seal.inference.model_kinds import model_kind
from seal.models.files.model_config import CONFIG_FILE
from seal.models.presets import vqa_preset


def build_answer_model(config: ViCropSpeedConfig) -> AnswerModel:
    """Put the model on its device."""
    device = existing_device(config.device)
    dtype = getattr(torch, config.dtype or ("float32" if device == "cpu" else "bfloat16"))
    if config.vqa == SEAL:
        return _seal(config, device, dtype)
    folder = local_folder(config.vqa)
    here = folder is not None and (folder / CONFIG_FILE).is_file()
    kind = model_kind(config.vqa) if here or is_endpoint(config.vqa) else "hf"
    if kind != "hf":
        what = "a server, whose attention nobody sees" if kind == "endpoint" else "SEAL's own model"
        raise ValueError(
            f"vqa={config.vqa} is {what}: SEAL's VQA LLM is measured by its size, as in "
            f"vqa={SEAL} size=7b, any other by its folder or hub id"
        )
    if config.weights == "stored":
        hf = load_hf(config.vqa, device=device, dtype=dtype)
    else:
        hf = _random(config, device, dtype)
    hf.model.generation_config.eos_token_id = None  # an answer ends at its limit, not before
    hf.tokenizer.eos_token = None
    return HFAnswerModel(hf, layout="bare", max_batch=config.batch)


def _random(config: ViCropSpeedConfig, device: str, dtype: torch.dtype) -> HFModel:
    """The model that a folder's config describes, drawn where it is used."""
    name = config.vqa
    try:
        sizes: Any = AutoConfig.from_pretrained(name)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"vqa={name} is neither {SEAL} nor a folder or id of Hugging Face that can be had "
            "here: a config and a processor are enough for weights=random"
        ) from error
    if config.num_hidden_layers is not None:
        text = sizes.get_text_config(decoder=True)
        text.num_hidden_layers = config.num_hidden_layers
        if getattr(text, "layer_types", None):
            text.layer_types = text.layer_types[: config.num_hidden_layers]
    processor = load_processor(name, sizes, trust_remote_code=False, revision=None)
    family = family_of(sizes.model_type)
    torch.manual_seed(config.seed)
    with torch.device(device):
        model = AutoModelForImageTextToText.from_config(sizes, dtype=dtype)
    return HFModel(
        model=model.eval(),
        processor=processor,
        name=name,
        family=family,
        pixels=PixelBudget.set(processor, family, name, None, None),
    )


def _seal(config: ViCropSpeedConfig, device: str, dtype: torch.dtype) -> NetworkAnswerModel:
    sizes = vqa_preset(config.size)
    if config.num_hidden_layers is not None:
        sizes.llm = replace(sizes.llm, num_hidden_layers=config.num_hidden_layers)
    model, tokenizer = endless_model(sizes, seed=config.seed, dtype=dtype, device=device)
    return NetworkAnswerModel(model, tokenizer, max_batch=config.batch)

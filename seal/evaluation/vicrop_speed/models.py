"""The model whose maps are measured; random weights cost what trained ones cost."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import torch

from seal.evaluation.speed.models import make_tokenizer
from seal.evaluation.vicrop_speed.config import SEAL, ViCropSpeedConfig
from seal.inference.answers.protocol import AnswerModel
from seal.inference.answers.seal_vqa import NetworkAnswerModel
from seal.inference.device import existing_device
from seal.models.files.random_weights import random_model
from seal.models.presets import vqa_preset
from seal.models.vqa import VQAModel


def build_answer_model(config: ViCropSpeedConfig) -> AnswerModel:
    """Put the model on its device."""
    device = existing_device(config.device)
    dtype = getattr(torch, config.dtype or ("float32" if device == "cpu" else "bfloat16"))
    assert config.model == SEAL
    return _seal(config, device, dtype)


def _seal(config: ViCropSpeedConfig, device: str, dtype: torch.dtype) -> NetworkAnswerModel:
    sizes = vqa_preset(config.size)
    if config.num_hidden_layers is not None:
        sizes.llm = replace(sizes.llm, num_hidden_layers=config.num_hidden_layers)
    with tempfile.TemporaryDirectory() as folder:
        tokenizer = make_tokenizer(sizes.llm.vocab_size, Path(folder) / "tokenizer", ())
    model = random_model(sizes, seed=config.seed, dtype=dtype, device=device)
    assert isinstance(model, VQAModel)
    with torch.no_grad():  # an answer ends at its limit, not before
        model.llm.lm_head.weight[tokenizer.eos_id] = 0
    return NetworkAnswerModel(model, tokenizer, max_batch=config.batch)

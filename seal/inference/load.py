"""Model folders to what the pipeline talks to."""

from __future__ import annotations

from pathlib import Path

import torch

from seal.inference.vqa import NetworkAnswerModel
from seal.inference.vsm import NetworkSearchModel
from seal.models.load import load_model
from seal.models.vqa import VQAModel
from seal.models.vsm import VSM
from seal.text.tokenize import load_tokenizer


def load_answer_model(
    folder: Path,
    *,
    device: str | None = None,
    dtype: torch.dtype | None = None,
    quantization: str | None = None,
    no_search_image: str = "padded",
    token_policy: str | None = None,
    max_batch: int = 16,
) -> NetworkAnswerModel:
    """The VQA LLM in `folder`; the first GPU if there is one and no device is named."""
    model = load_model(
        folder, device=device or default_device(), dtype=dtype, quantization=quantization
    )
    if not isinstance(model, VQAModel):
        raise ValueError(f"{folder} holds a {type(model).__name__}, not a VQA LLM")
    return NetworkAnswerModel(
        model,
        load_tokenizer(folder),
        no_search_image=no_search_image,
        token_policy=token_policy,
        max_batch=max_batch,
    )


def load_search_model(
    folder: Path,
    *,
    device: str | None = None,
    dtype: torch.dtype | None = None,
    quantization: str | None = None,
    max_batch: int = 16,
    cache_mb: int = 4096,
) -> NetworkSearchModel:
    """The search model in `folder`; the first GPU if there is one and no device is named."""
    model = load_model(
        folder, device=device or default_device(), dtype=dtype, quantization=quantization
    )
    if not isinstance(model, VSM):
        raise ValueError(f"{folder} holds a {type(model).__name__}, not a search model")
    return NetworkSearchModel(model, load_tokenizer(folder), max_batch=max_batch, cache_mb=cache_mb)


def default_device() -> str:
    """`cuda` if there is a GPU, else `cpu`."""
    return "cuda" if torch.cuda.is_available() else "cpu"

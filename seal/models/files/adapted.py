"""Put the tensors of an adapter folder into a model: one that trains on, or one to be run."""

from __future__ import annotations

import torch

from seal.models.files.adapter import Adapter
from seal.models.files.shards import read_tensors
from seal.models.fit.lora import LoraConfig, add_lora
from seal.models.vlm import EMBEDDINGS, HEAD, VLM
from seal.models.vqa import VQAModel, VQAModelConfig
from seal.models.vsm import VSM


def with_adapter(model: VQAModel | VSM, adapter: Adapter) -> VQAModel | VSM:
    """Put the adapters and heads on the base model, in place and in its precision, to be run."""
    config = adapter.config()
    if isinstance(model, VQAModel) and isinstance(adapter.model, VQAModelConfig):
        model.add_levels(adapter.model)  # the base model may lack what training added
    model.requires_grad_(False)
    add_lora(model, config)
    put_adapter(model, adapter, config)
    for name, parameter in model.named_parameters():
        if ".lora_" in name:
            parameter.data = parameter.data.to(model.dtype)
            parameter.requires_grad_(False)
    if adapter.model is not None:
        model.config = adapter.model
    return model.eval()


def put_adapter(model: VLM, adapter: Adapter, config: LoraConfig) -> None:
    """Overwrite the adapters and heads of `model`, which `add_lora` gave `config`, in place.

    Tensors that the folder does not hold stay what they are in the base model; adapters are never
    among them.

    Raises:
        ValueError: another rank, alpha or other targets; an adapter is missing, or a tensor has no
            place or another shape. Names the keys.
    """
    wanted = {"rank": config.rank, "alpha": config.alpha, "targets": sorted(config.targets)}
    there = {"rank": adapter.rank, "alpha": adapter.alpha, "targets": list(adapter.targets)}
    if other := [key for key in wanted if wanted[key] != there[key]]:
        told = ", ".join(f"{key} {there[key]} there, {wanted[key]} here" for key in other)
        way = " ".join(
            f"lora.{key}={there[key]}".replace("'", "").replace(" ", "") for key in other
        )
        raise ValueError(f"{adapter.folder} holds adapters of another kind: {told}; set {way}")
    places = dict(model.named_parameters())  # a tied LM head is not among them
    stored = dict(adapter.stored)
    if HEAD not in places and EMBEDDINGS in stored:
        stored.pop(HEAD, None)  # peft keeps it a second time
    problems = [
        f"no place for {name}"
        if name not in places
        else f"{name} is {list(tensor.shape)} there, {list(places[name].shape)} here"
        for name, tensor in stored.items()
        if name not in places or tuple(places[name].shape) != tensor.shape
    ]
    problems += [f"{name} is missing" for name in places if ".lora_" in name and name not in stored]
    problems += [
        f"{name} is of type {tensor.dtype}"
        for name, tensor in stored.items()
        if not (isinstance(tensor.dtype, torch.dtype) and tensor.dtype.is_floating_point)
    ]
    if problems:
        more = f" and {len(problems) - 6} more" * (len(problems) > 6)
        raise ValueError(
            f"{adapter.folder} does not fit the model: {'; '.join(problems[:6])}{more}; choose the "
            "base model and the settings it was trained with"
        )
    with torch.no_grad():
        for name, tensor in read_tensors(stored):
            places[name].copy_(tensor)

"""Load a model folder, ours or the authors', or adapters over one; strictly, tensors alone."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from seal.files.fingerprint import fingerprint
from seal.models.files.adapted import with_adapter
from seal.models.files.adapter import base_folder, is_adapter, read_adapter, require_base
from seal.models.files.authors import config_of_authors, is_authors, stored_of_authors
from seal.models.files.fill import build_from_stored
from seal.models.files.model_config import CONFIG_FILE, config_from_dict, read_config_file
from seal.models.files.processors import check_processors
from seal.models.files.shards import list_tensors
from seal.models.parts.vision import VisionTower
from seal.models.vqa import VQAModel, VQAModelConfig
from seal.models.vsm import VSM, VSMModelConfig


def load_model(
    folder: Path | str,
    *,
    device: torch.device | str = "cpu",
    dtype: torch.dtype | None = None,
    quantization: str | None = None,
    keep_dtype: bool = False,
    clip: Path | str | VisionTower | None = None,
    offload: int = 0,
) -> VQAModel | VSM:
    """The model in a folder of ours or of the authors', every tensor of it from the shards.

    Of an adapter folder: its base model, quantized or not, with the adapters in place, unmerged.

    Args:
        dtype: None is the files' own (of the word embeddings, where they differ in a folder of the
            authors'), except that half precision becomes float32 on a CPU unless `keep_dtype`.
        quantization: "int8" or "nf4", of the language model's blocks.
        clip: the tower, loaded or as a folder of CLIP, for a search model as released, which has
            none; a loaded one is shared.
        offload: how many of the language model's blocks stay on the host.

    Raises:
        ValueError: config.json is missing or wrong; a key is missing, extra, of another shape or
            type; a shard is damaged; there is no tower; the base model of adapters is not the one
            they were trained over.
    """
    folder = Path(folder)
    if is_adapter(folder):
        if offload:
            raise ValueError(
                f"{folder} holds adapters, which go with no block on the host: leave offload away, "
                "or export the merged model (seal train/export form=merged)"
            )
        adapter = read_adapter(folder)
        base = base_folder(adapter)
        require_base(adapter, str(base), fingerprint(base))
        model = load_model(
            base, device=device, dtype=dtype, quantization=quantization,
            keep_dtype=keep_dtype, clip=clip,
        )  # fmt: skip
        return with_adapter(model, adapter)
    content = read_config_file(folder)
    stored = list_tensors(folder)
    tower = None
    wanted = dtype
    if wanted is None and not keep_dtype and torch.device(device).type == "cpu":
        wanted = torch.float32
    if is_authors(content):
        config = config_of_authors(folder, content, stored)
        stored, tower = stored_of_authors(folder, config, stored, clip)
        own = stored["llm.model.embed_tokens.weight"].dtype
        if wanted is None and isinstance(own, torch.dtype):
            wanted = own
        complaint = f"{folder} does not fit the model its config.json describes"
    else:
        config = config_from_dict(content, folder / CONFIG_FILE)
        complaint = f"{folder} does not fit its config.json"
    check_processors(folder, config)
    model = build_from_stored(
        config, stored, complaint,
        device=device, dtype=wanted, quantization=quantization, tower=tower, offload=offload,
    )  # fmt: skip
    return model.eval()


def read_config(folder: Path | str) -> VQAModelConfig | VSMModelConfig:
    """The model configuration of a folder; every wrong key or value is named."""
    if is_adapter(folder):
        adapter = read_adapter(folder)
        return adapter.model or read_config(base_folder(adapter))
    content = read_config_file(folder)
    if is_authors(content):
        return config_of_authors(Path(folder), content, list_tensors(folder))
    return config_from_dict(content, Path(folder) / CONFIG_FILE)


def stored_dtype(folder: Path | str) -> torch.dtype:
    """The precision a folder's model was saved in, that of its word embeddings."""
    stored = list_tensors(_weights_of(folder))
    for name in ("llm.model.embed_tokens.weight", "model.embed_tokens.weight"):
        if name in stored and isinstance(dtype := stored[name].dtype, torch.dtype):
            return dtype
    raise ValueError(f"{folder} has no word embeddings: not a model folder")


def has_tower(folder: Path | str) -> bool:
    """Whether a model folder, ours or the authors', holds a CLIP tower."""
    return any("vision_tower." in name for name in list_tensors(_weights_of(folder)))


def _weights_of(folder: Path | str) -> Path:
    """The folder itself; of adapters, their base model's."""
    return base_folder(read_adapter(folder)) if is_adapter(folder) else Path(folder)


def parameter_table(model: nn.Module) -> list[tuple[str, int, int]]:
    """(part, parameters, trainable ones) for each child of the model, on any device or meta."""
    parts = [(name, list(child.parameters())) for name, child in model.named_children()]
    parts += [(name, [own]) for name, own in model.named_parameters(recurse=False)]
    return [
        (name, sum(p.numel() for p in own), sum(p.numel() for p in own if p.requires_grad))
        for name, own in parts
    ]

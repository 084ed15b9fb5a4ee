"""Both models with the golden weights, and batches made by hand from the stored token ids."""

from __future__ import annotations

import functools
import re
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from golden_files import golden_json, golden_tensors
from torch import Tensor, nn

from seal.batch import IGNORE_INDEX, VISUAL_TOKEN, Row, Visual
from seal.images import normalize_bytes
from seal.models.files.checkpoint_table import VQA_NAMES, VSM_NAMES, rename
from seal.models.parts.cue_decoder import CueDecoderConfig
from seal.models.parts.owlvit import OwlViTConfig
from seal.models.parts.projectors import ResamplerConfig
from seal.models.parts.vision import VisionConfig
from seal.models.vlm import LlmConfig
from seal.models.vqa import VQAModel, VQAModelConfig
from seal.models.vsm import VSM, VSMModelConfig

IMAGE, OBJECT = -200, -300  # the reference's placeholders, one for each picture
VIT_SIZES = (
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "image_size",
    "patch_size",
)
LLM_SIZES = ("vocab_size", *VIT_SIZES[:4], "max_position_embeddings", "rms_norm_eps")


def golden_state(name: str, table: dict[str, str]) -> dict[str, Tensor]:
    """The stored weights under our names, in float32."""
    stored = golden_tensors(name)
    return {ours: stored[theirs].float() for theirs, ours in rename(stored, table).items()}


def _fill(model: nn.Module, state: dict[str, Tensor]) -> None:
    model.load_state_dict(state, strict=True)
    model.eval()


def _llm(config: dict[str, Any]) -> LlmConfig:
    return LlmConfig(**{name: config[name] for name in LLM_SIZES})


def _clip(stored: dict[str, Any]) -> VisionConfig:
    layer = stored["config"]["mm_vision_select_layer"]
    return VisionConfig(
        **{name: stored["clip_config"][name] for name in VIT_SIZES}, feature_layer=layer
    )


@functools.cache
def golden_vqa() -> VQAModel:
    """Shared: do not train it."""
    stored = golden_json("vqa_state")
    state = golden_state("vqa_state", VQA_NAMES)
    depth = {key.split(".")[3] for key in state if key.startswith("object_projector.1.layers.")}
    inner = state["object_projector.1.layers.0.0.to_q.weight"].shape[0]
    defaults = ResamplerConfig()
    model = VQAModelConfig(
        llm=_llm(stored["config"]),
        vision=_clip(stored),
        resampler=ResamplerConfig(
            num_latents=state["object_projector.1.latents"].shape[0],
            depth=len(depth),
            num_heads=inner // defaults.head_size,
        ),
    ).build()
    _fill(model, state)
    return model


def build_golden_vsm() -> VSM:
    """A new one at each call."""
    stored = golden_json("vsm_state")
    state = golden_state("vsm_state", VSM_NAMES)
    vision = stored["owlvit_config"]["vision"]
    model = VSMModelConfig(
        llm=_llm(stored["config"]),
        vision=_clip(stored),
        detector=OwlViTConfig(
            **{name: vision[name] for name in VIT_SIZES}, query_size=stored["config"]["out_dim"]
        ),
        cue_decoder=CueDecoderConfig(hidden_size=state["mask_query.2.bias"].shape[0]),
    ).build()
    _fill(model, state)
    return model


@functools.cache
def golden_vsm() -> VSM:
    """Shared: do not train it."""
    return build_golden_vsm()


def pixels(u8: Tensor) -> Tensor:
    """(N, 3, S, S) uint8 -> normalized float32, as the README of the goldens says."""
    return torch.stack([torch.from_numpy(normalize_bytes(np.asarray(image))) for image in u8])


def expand(
    ids: Tensor, visuals: list[Visual], sizes: tuple[int, int], *others: Tensor
) -> list[Tensor]:
    """One position a picture -> one position a visual token.

    ids and each of `others`: (L,); sizes: tokens of a long and of a short picture. Returns ids with
    `VISUAL_TOKEN`, and the others with what stood at the placeholder repeated.
    """
    repeats = torch.ones_like(ids)
    slots = (ids == IMAGE) | (ids == OBJECT)
    repeats[slots] = torch.tensor([sizes[0] if v.long else sizes[1] for v in visuals])
    marked = ids.masked_fill(slots, VISUAL_TOKEN)
    return [values.repeat_interleave(repeats) for values in (marked, *others)]


def expanded_row(
    ids: Tensor,
    visuals: list[Visual],
    sizes: tuple[int, int],
    *,
    labels: Tensor | None = None,
    mask: Tensor | None = None,
    loc: int | None = None,
) -> Row:
    """A `Row` from the reference's ids (L,), labels and mask; `loc` is the id of `[LOC]`."""
    labels = torch.full_like(ids, IGNORE_INDEX) if labels is None else labels
    mask = torch.ones_like(ids, dtype=torch.bool) if mask is None else mask
    ids, labels, mask = expand(ids, visuals, sizes, labels, mask)
    runs = [replace(visual, length=sizes[0 if visual.long else 1]) for visual in visuals]
    positions = [] if loc is None else (ids == loc).nonzero().flatten().tolist()
    return Row(
        ids,
        labels.masked_fill(ids == VISUAL_TOKEN, IGNORE_INDEX),
        tuple(runs),
        mask,
        positions[0] if positions else None,
    )


def golden_detector_pixels() -> Tensor:
    """(M, 3, D, D): each pixel of the stored images repeated up to the detector's size."""
    images = pixels(golden_tensors("vsm_cases")["owl_u8"])
    repeat = golden_vsm().detector.config.image_size // images.shape[-1]
    return images.repeat_interleave(repeat, -1).repeat_interleave(repeat, -2)


def stored_stride(full: int, kept: int, note: str = "") -> int:
    """The step at which a golden keeps every so-many-th of `full` values, `kept` of them.

    `note` is what the golden's json says of it; it holds `::step` where the numbers leave a choice.
    """
    noted = re.findall(r"::(\d+)", note)
    return int(noted[0]) if noted else next(s for s in range(1, full + 1) if -(-full // s) == kept)

"""A tiny random CLIP and two SigLIPs, as folders that look like the hub's."""

from __future__ import annotations

import functools
import string
import tempfile
from pathlib import Path

import torch
import transformers as hf
from tiny_families import SMALL, tokenizer
from tokenizers.processors import TemplateProcessing

PAIRS = ("clip", "siglip", "siglip2")
SIDE = 28  # pixels of the square that their towers see


@functools.cache
def pair_folder(family: str) -> Path:
    """Made once; do not write into it. Weights are wide, so that scores differ."""
    place = Path(tempfile.mkdtemp(prefix=f"tiny-{family}-"))
    made = _letters() if family == "siglip2" else tokenizer(place, [])
    made.padding_side = "right"
    if family == "clip":  # reads a text off at its end
        end = made.eos_token
        made.backend_tokenizer.post_processor = TemplateProcessing(
            single=f"$A {end}", special_tokens=[(end, made.eos_token_id)]
        )
    made.save_pretrained(place)
    torch.manual_seed(0)
    text = {**SMALL, "vocab_size": len(made), "max_position_embeddings": 24}
    text |= {"bos_token_id": made.bos_token_id, "eos_token_id": made.eos_token_id}
    vision = {**SMALL, "patch_size": 7}
    model: hf.PreTrainedModel
    if family == "clip":
        hf.CLIPImageProcessorPil(
            size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE}
        ).save_pretrained(place)
        model = hf.CLIPModel(
            hf.CLIPConfig(
                text_config=text, vision_config=vision | {"image_size": SIDE}, projection_dim=16
            )
        )
    elif family == "siglip":
        hf.SiglipImageProcessorPil(size={"height": SIDE, "width": SIDE}).save_pretrained(place)
        model = hf.SiglipModel(
            hf.SiglipConfig(text_config=text, vision_config=vision | {"image_size": SIDE})
        )
    else:
        hf.Siglip2ImageProcessorPil(patch_size=7, max_num_patches=16).save_pretrained(place)
        model = hf.Siglip2Model(
            hf.Siglip2Config(text_config=text, vision_config=vision | {"num_patches": 16})
        )
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() > 1 and "norm" not in name:
                weight.normal_(std=0.25)
        model.logit_scale.fill_(2.0)
        if family != "clip":
            model.logit_bias.fill_(-1.0)
    model.save_pretrained(place)
    return place


def _letters() -> hf.Siglip2Tokenizer:
    names = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "\u2581", *string.ascii_lowercase]
    return hf.Siglip2Tokenizer(vocab={name: i for i, name in enumerate(names)}, merges=[])

"""The miniature's base models: small stand-ins for Vicuna, CLIP, OWL-ViT and LLaVA.

Real classes with small sizes; only what they are pretrained on is ours. Shipped in `assets/`.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from seal.miniature import corpus
from seal.miniature.pretrain_llava import pretrain_llava
from seal.miniature.pretrain_text import make_tokenizers, pretrain_text
from seal.miniature.pretrain_vision import pretrain_clip, pretrain_detector
from seal.miniature.world import KINDS
from seal.models.load import save_model
from seal.models.owlvit import OwlViTConfig
from seal.models.projectors import ResamplerConfig
from seal.models.sam import CueDecoderConfig
from seal.models.vision import ClipConfig
from seal.models.vlm import LlmConfig
from seal.models.vqa import VQAModel, VQAModelConfig
from seal.models.vsm import VSM, VSMModelConfig
from seal.text.conversation import VQA as VQA_TEMPLATE
from seal.text.conversation import VSM as VSM_TEMPLATE

ASSETS = Path(__file__).parent / "assets"
QUERIES = "queries.safetensors"  # the detector's class embeddings, by kind


@dataclass(kw_only=True, slots=True)
class BaseModelsConfig:
    """How the base models are made; the defaults made those in assets/."""

    out: str = str(ASSETS)
    seed: int = 900  # of weights and of worlds that nothing else uses
    detector_steps: int = 2400
    clip_steps: int = 900
    vqa_text_steps: int = 1000
    vsm_text_steps: int = 600
    llava_steps: int = 600

    def __post_init__(self) -> None:
        for name in ("detector", "clip", "vqa_text", "vsm_text", "llava"):
            if getattr(self, f"{name}_steps") < 1:
                raise ValueError(f"{name}_steps must be at least 1")


def clip_config() -> ClipConfig:
    """112 px in patches of 14: 64 tokens."""
    return ClipConfig(
        hidden_size=96,
        intermediate_size=192,
        num_hidden_layers=4,
        num_attention_heads=4,
        image_size=112,
        patch_size=14,
    )


def detector_config() -> OwlViTConfig:
    """128 px in patches of 8: 256 candidates."""
    return OwlViTConfig(
        hidden_size=96,
        intermediate_size=192,
        num_hidden_layers=4,
        num_attention_heads=4,
        image_size=128,
        patch_size=8,
        query_size=64,
    )


def llm_config(vocab_size: int, num_hidden_layers: int) -> LlmConfig:
    return LlmConfig(
        vocab_size=vocab_size,
        hidden_size=64,
        intermediate_size=192,
        num_hidden_layers=num_hidden_layers,
        num_attention_heads=4,
        max_position_embeddings=1024,
    )


def vqa_config(vocab_size: int) -> VQAModelConfig:
    return VQAModelConfig(
        llm=llm_config(vocab_size, 3),
        clip=clip_config(),
        resampler=ResamplerConfig(num_latents=8, depth=2, num_heads=4, head_size=24, expansion=2),
        token_policy="consistent",
    )


def vsm_config(vocab_size: int) -> VSMModelConfig:
    return VSMModelConfig(
        llm=llm_config(vocab_size, 2),
        clip=clip_config(),
        detector=detector_config(),
        cue_decoder=CueDecoderConfig(hidden_size=64, depth=2, num_heads=4, mlp_size=128),
        search_min_size=128,
        search_min_size_scale=8.0,
    )


def build_base_models(config: BaseModelsConfig) -> None:
    """Pretrain everything, one after the other, and write both model folders."""
    with tempfile.TemporaryDirectory() as scratch:
        vqa_tokenizer, vsm_tokenizer = make_tokenizers(Path(scratch), config.seed)
        detector, queries = pretrain_detector(
            detector_config(), seed=config.seed, num_steps=config.detector_steps
        )
        tower = pretrain_clip(clip_config(), seed=config.seed, num_steps=config.clip_steps)
        torch.manual_seed(config.seed)
        vqa = vqa_config(vqa_tokenizer.vocab_size).build()
        vsm = vsm_config(vsm_tokenizer.vocab_size).build()
        vqa.llm = pretrain_text(
            vqa.config.llm,
            vqa_tokenizer,
            VQA_TEMPLATE,
            corpus.VQA_SHARES,
            seed=config.seed,
            num_steps=config.vqa_text_steps,
        )
        vsm.llm = pretrain_text(
            vsm.config.llm,
            vsm_tokenizer,
            VSM_TEMPLATE,
            corpus.VSM_SHARES,
            seed=config.seed,
            num_steps=config.vsm_text_steps,
        )
        for model in (vqa, vsm):
            model.vision_tower.load_state_dict(tower.state_dict())
        vsm.detector.load_state_dict(detector.state_dict())
        pretrain_llava(vsm, vsm_tokenizer, seed=config.seed, num_steps=config.llava_steps)
        pack(Path(config.out), vqa, vsm, queries, vqa_tokenizer.folder, vsm_tokenizer.folder)


def pack(
    out: Path,
    vqa: VQAModel,
    vsm: VSM,
    queries: Tensor,
    vqa_tokenizer: Path,
    vsm_tokenizer: Path,
) -> None:
    """Write `out/vqa_base` and `out/vsm_base` in half precision; queries: (kinds, query_size)."""
    save_model(out / "vqa_base", vqa.half(), vqa_tokenizer)
    save_model(out / "vsm_base", vsm.half(), vsm_tokenizer)
    table = {name: vector.contiguous().clone() for name, vector in zip(KINDS, queries, strict=True)}
    save_file(table, out / "vsm_base" / QUERIES)

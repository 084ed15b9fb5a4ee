"""The miniature's base models: small stand-ins for Vicuna, CLIP, OWL-ViT and LLaVA.

Real classes with small sizes; only what they are pretrained on is ours. Shipped in `assets/`.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from seal.files.whole import follow_umask
from seal.miniature import corpus
from seal.miniature.pretrain_llava import pretrain_llava
from seal.miniature.pretrain_sight import pretrain_sight
from seal.miniature.pretrain_text import make_tokenizers, pretrain_text
from seal.miniature.pretrain_tiles import pretrain_tiles
from seal.miniature.pretrain_vision import pretrain_clip, pretrain_detector
from seal.miniature.world import KINDS
from seal.models.files.save import save_model
from seal.models.presets import vqa_preset, vsm_preset
from seal.models.vqa import VQAModel
from seal.models.vsm import VSM
from seal.text.conversation import VQA as VQA_TEMPLATE
from seal.text.conversation import VSM as VSM_TEMPLATE

ASSETS = Path(__file__).parent / "assets"
QUERIES = "queries.safetensors"  # the detector's class embeddings, by kind
SIGHT_WORLD = 900_000_000  # added to the seed of the scenes that are told in words
TILES_WORLD = 100  # and to that, of those whose tiles are seen
_CLASSES = "class_embeddings"  # all of them, beside the weights of a kept detector


@dataclass(kw_only=True, slots=True)
class BaseModelsConfig:
    """How the base models are made; the defaults made those in assets/."""

    out: str = str(ASSETS)
    seed: int = 900  # of weights and of worlds that nothing else uses
    detector_steps: int = 5000
    clip_steps: int = 2400
    vqa_text_steps: int = 2000
    vsm_text_steps: int = 500
    sight_steps: int = 1200
    tiles_steps: int = 2000
    llava_steps: int = 500

    def __post_init__(self) -> None:
        for name in (
            "detector",
            "clip",
            "vqa_text",
            "vsm_text",
            "sight",
            "tiles",
            "llava",
        ):
            if getattr(self, f"{name}_steps") < 1:
                raise ValueError(f"{name}_steps must be at least 1")


def build_base_models(config: BaseModelsConfig) -> None:
    """Pretrain everything, one after the other, and write the three model folders.

    What is finished is kept in OUT/parts until all is: the same command goes on from there.
    """
    parts = Parts(Path(config.out) / "parts", config.seed)
    with tempfile.TemporaryDirectory() as scratch:
        vqa_tokenizer, vsm_tokenizer = make_tokenizers(Path(scratch), config.seed)
        vqa_config, vsm_config = vqa_preset("miniature"), vsm_preset("miniature")
        for tokenizer, model_config in ((vqa_tokenizer, vqa_config), (vsm_tokenizer, vsm_config)):
            assert tokenizer.vocab_size == model_config.llm.vocab_size

        def detector() -> dict[str, Tensor]:
            model, queries = pretrain_detector(
                vsm_config.detector, seed=config.seed, num_steps=config.detector_steps
            )
            return {**model.state_dict(), _CLASSES: queries}

        def clip() -> dict[str, Tensor]:
            return pretrain_clip(
                vsm_config.vision, seed=config.seed, num_steps=config.clip_steps
            ).state_dict()

        def vqa_text() -> dict[str, Tensor]:
            return pretrain_text(
                vqa_config.llm,
                vqa_tokenizer,
                VQA_TEMPLATE,
                corpus.VQA_SHARES,
                seed=config.seed,
                num_steps=config.vqa_text_steps,
            ).state_dict()

        def vsm_text() -> dict[str, Tensor]:
            return pretrain_text(
                vsm_config.llm,
                vsm_tokenizer,
                VSM_TEMPLATE,
                corpus.VSM_SHARES,
                seed=config.seed,
                num_steps=config.vsm_text_steps,
            ).state_dict()

        def sight() -> dict[str, Tensor]:
            llm = vqa_config.llm.build()
            llm.load_state_dict(vqa.llm.state_dict())
            seed = config.seed + SIGHT_WORLD
            pretrain_sight(llm, vqa_tokenizer, seed=seed, num_steps=config.sight_steps)
            return llm.state_dict()

        def tiles() -> dict[str, Tensor]:
            seen = vqa_config.vision.build()
            seen.load_state_dict(tower)
            pretrain_tiles(
                seen, seed=config.seed + SIGHT_WORLD + TILES_WORLD, num_steps=config.tiles_steps
            )
            return seen.state_dict()

        found = parts.keep("detector", config.detector_steps, detector)
        queries = found.pop(_CLASSES)
        tower = parts.keep("clip", config.clip_steps, clip)
        torch.manual_seed(config.seed)
        vqa, vsm = vqa_config.build(), vsm_config.build()
        vsm.detector.load_state_dict(found)
        for model in (vqa, vsm):
            model.vision_tower.load_state_dict(tower)
        vqa.llm.load_state_dict(parts.keep("vqa_text", config.vqa_text_steps, vqa_text))
        vsm.llm.load_state_dict(parts.keep("vsm_text", config.vsm_text_steps, vsm_text))
        avg = replace(vqa_preset("avg_miniature"), router=None).build()
        avg.vision_tower.load_state_dict(parts.keep("tiles", config.tiles_steps, tiles))
        avg.llm.load_state_dict(parts.keep("sight", config.sight_steps, sight))
        pretrain_llava(vsm, vsm_tokenizer, seed=config.seed, num_steps=config.llava_steps)
        pack(Path(config.out), vqa, vsm, queries, vqa_tokenizer.folder, vsm_tokenizer.folder)
        save_model(Path(config.out) / "avg_base", avg.half(), vqa_tokenizer.folder)
    shutil.rmtree(parts.folder)


@dataclass(frozen=True, slots=True)
class Parts:
    """What is finished of a run that may be killed."""

    folder: Path
    seed: int

    def keep(
        self, name: str, num_steps: int, make: Callable[[], dict[str, Tensor]]
    ) -> dict[str, Tensor]:
        """The tensors of a part: those kept under the same seed and steps, or new ones."""
        path = self.folder / f"{name}.safetensors"
        made_with = {"seed": str(self.seed), "num_steps": str(num_steps)}
        if path.exists():
            with safe_open(path, framework="pt") as file:
                if file.metadata() == made_with:
                    print(f"{name}: kept from an earlier run, {path}")
                    return load_file(path)
        tensors = {key: value.contiguous().clone() for key, value in make().items()}
        self.folder.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".tmp")
        save_file(tensors, temporary, metadata=made_with)
        follow_umask(temporary)
        temporary.replace(path)
        return tensors


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
    follow_umask(out / "vsm_base" / QUERIES)

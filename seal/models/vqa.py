"""The VQA LLM: answers from the image, or from the visual working memory.

With levels it is AVG-LLaVA as well: a router chooses how many tokens of a picture are read.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from seal.batch import Batch, Routes, VQAOutput
from seal.images.tiles import TilesConfig
from seal.models.parts.projectors import PROJECTORS, ResamplerConfig
from seal.models.parts.router import Router, RouterConfig, RouterOutput
from seal.models.parts.vision import VisionConfig
from seal.models.vlm import VLM, LlmConfig, VisualTokens
from seal.text.template import require_prompt_style
from seal.text.tokens import VisualSizes
from seal.tiling import level_grid, standard_levels

STAGES = ("align_linear", "align_resampler", "instruct", "granularity", "router")
LEVEL_STAGES = ("granularity", "router")  # whose rows show pictures at every level


@dataclass(kw_only=True, slots=True)
class GranularityConfig:
    """At how many tokens a picture, or each of its tiles, can be read."""

    levels: list[int] = field(default_factory=lambda: [36, 72, 144, 288, 576])  # coarse to fine

    def __post_init__(self) -> None:
        if len(self.levels) < 2 or self.levels != sorted({*self.levels}):
            raise ValueError(
                f"granularity.levels={self.levels} must be two or more, each once, coarse to fine"
            )

    @classmethod
    def standard(cls, vision: VisionConfig) -> GranularityConfig:
        """Five levels, each half the tokens of the next, the last all of the tower's."""
        return cls(levels=list(standard_levels(vision.grid_size)))


@dataclass(kw_only=True, slots=True)
class VQAModelConfig:
    """Every size of the VQA LLM; the defaults are the published 7B model."""

    llm: LlmConfig = field(default_factory=LlmConfig)
    vision: VisionConfig = field(default_factory=VisionConfig)
    projector: str = "linear"  # linear | mlp2x_gelu: of the image projector
    resampler: ResamplerConfig | None = field(
        default_factory=ResamplerConfig
    )  # None: there is none
    tiles: TilesConfig | None = None  # None: a picture is one square
    granularity: GranularityConfig | None = None  # None: all tokens of the image projector are read
    router: RouterConfig | None = None  # None: nothing chooses a level
    # Which projector serves what (seal.text.tokens); router: the image projector everything, at
    # the level that the router chooses.
    token_policy: str = "paper_inference"
    prompt_style: str = "vicuna"  # vicuna | chat: the tokenizer's own template (seal.text.template)

    def __post_init__(self) -> None:
        require_prompt_style(self.prompt_style)
        if self.projector not in PROJECTORS:
            raise ValueError(f"projector={self.projector!r} is none of {', '.join(PROJECTORS)}")
        if self.resampler is None and self.token_policy != "router":
            raise ValueError(
                f"token_policy={self.token_policy} sends pictures through a resampler, and there "
                "is none: set it to router"
            )
        if self.tiles is not None and self.token_policy != "router":
            raise ValueError(
                f"token_policy={self.token_policy} sends pictures through a resampler, which reads "
                "no tiles: set it to router, or tiles=null"
            )
        if self.router is not None and self.granularity is None:
            raise ValueError(
                "a router chooses among levels: set granularity.levels, or router=null"
            )
        if self.granularity is not None:
            levels, finest = self.granularity.levels, self.vision.num_tokens
            if levels[-1] != finest:
                raise ValueError(
                    f"granularity.levels={levels} must end with {finest}, all tokens of the tower"
                )
            try:
                for level in levels:
                    level_grid(level, self.vision.grid_size)
            except ValueError as error:
                raise ValueError(f"granularity.levels={levels}: {error}") from error

    @property
    def visual_sizes(self) -> VisualSizes:
        """Visual tokens of one picture, or tile, through each projector."""
        latents = 0 if self.resampler is None else self.resampler.num_latents
        return VisualSizes(self.vision.num_tokens, latents)

    def build(self) -> VQAModel:
        return VQAModel(self)


class VQAModel(VLM):
    """The multimodal core with an object projector, a router, or both; nothing else."""

    def __init__(self, config: VQAModelConfig) -> None:
        levels = () if config.granularity is None else config.granularity.levels
        super().__init__(
            config.llm,
            config.vision,
            config.resampler,
            projector=config.projector,
            levels=levels,
            newline=config.tiles is not None,
        )
        self.router = None
        self.trains_router = False
        self.dropout_seed = 0  # of the router
        if config.router is not None:
            self.router = Router(config.router, levels, config.llm.hidden_size)
        self.config = config

    def forward(self, batch: Batch) -> VQAOutput:
        tokens = self.visual_tokens(batch)
        logits = self.supervised_logits(batch, self.hidden_states(batch, tokens=tokens))
        scores = None
        if batch.routes is not None:
            scores = self.route(tokens, batch.routes, batch.step).scores
        elif self.trains_router:  # as with projectors: see `visual_tokens`
            nothing = Routes.of([[0]], [torch.full((1,), -1)]).to(self.device)
            scores = self.route(tokens, nothing).scores[:0]
        return VQAOutput(logits, scores)

    def route(self, tokens: VisualTokens, routes: Routes, step: int = 0) -> RouterOutput:
        """What the router makes of pictures; `step`: its dropout is drawn anew in each."""
        if self.router is None:
            raise ValueError(
                "the model has no router to choose a level: train one (train/vqa stage=router), or "
                "name a level"
            )
        embedded: Tensor = self.llm.get_input_embeddings()(routes.text_ids.clamp(min=0))
        return self.router(
            tokens.long.index_select(0, routes.tiles),
            routes.counts,
            embedded,
            routes.text_ids >= 0,
            [(key + step * _STEP + self.dropout_seed * _SEED) % 2**63 for key in routes.keys],
        )

    def add_levels(self, config: VQAModelConfig) -> None:
        """Take the levels and the router of `config`; a router that is new is drawn from torch's
        generator.

        Raises:
            ValueError: the model has a router, which chooses among other levels.
        """
        levels = [] if config.granularity is None else config.granularity.levels
        if self.router is not None and [*self.router.levels] != levels:
            raise ValueError(
                f"granularity.levels={levels}, but the model's router chooses among "
                f"{[*self.router.levels]}: leave granularity out, or start from the model as it "
                "was before its router was trained"
            )
        self.config.granularity, self.config.router = config.granularity, config.router
        if config.granularity is None:
            return
        self.levels |= {*levels}
        if config.router is not None and self.router is None:
            router = Router(config.router, levels, self.config.llm.hidden_size)
            self.router = router.to(device=self.device, dtype=self.dtype)

    def set_trainable(self, stage: str, *, vision_tower: bool = False) -> None:
        """Freeze what `stage` does not train (models.md section 1, avg_llava.md).

        Args:
            vision_tower: the tower is trained too, but for layers behind the one that is read.

        Raises:
            ValueError: there is no such stage, or it trains a part that the model lacks.
        """
        if stage not in STAGES:
            raise ValueError(f"unknown stage {stage!r}; known: {', '.join(STAGES)}")
        lacking = {
            "align_resampler": self.object_projector is None and "a resampler",
            "granularity": self.config.granularity is None and "granularity.levels",
            "router": self.router is None and "a router",
        }
        if lacking.get(stage):
            raise ValueError(f"stage={stage} needs a model with {lacking[stage]}")
        if stage == "router" and self.router is not None and len(self.router.levels) == 2:
            # The last norm of two numbers is +1 and -1, whatever they are: no gradient passes it.
            raise ValueError(
                f"stage=router cannot teach a router of the two levels {[*self.router.levels]}, "
                "whose normalized scores only tell which is larger: name three or more "
                "(granularity.levels)"
            )
        self.requires_grad_(False)
        self.trains_tower, self.trains_router = vision_tower, stage == "router"
        if vision_tower:
            self.vision_tower.train_what_is_read()
        if stage == "router":
            assert self.router is not None
            self.router.requires_grad_(True)
            return
        if stage != "align_resampler":
            self.image_projector.requires_grad_(True)
            if self.image_newline is not None:
                self.image_newline.requires_grad_(True)
        if stage != "align_linear" and self.object_projector is not None:
            self.object_projector.requires_grad_(True)
        if stage in ("instruct", "granularity"):
            for parameter in self.llm.parameters():
                # Packed weights (QLoRA) are integers; adapters train in their place.
                parameter.requires_grad_(parameter.is_floating_point())


# A step's share, and a run's, in what dropout is drawn from.
_STEP, _SEED = 0x632BE59BD9B4E019, 0x61C8864680B583EB

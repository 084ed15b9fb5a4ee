"""What every program that runs models lets one choose: how they are loaded, how they search."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from seal.evaluation.benchmark_images import BenchmarkImages
from seal.evaluation.shards import Shard
from seal.geometry import Box
from seal.inference.guides.config import ANNOTATED, ASK_A_VLM, GuideConfig
from seal.inference.hub import model_folder
from seal.inference.vicrop.config import ViCropConfig
from seal.search.budget import BudgetConfig
from seal.search.config import EveryInstanceConfig, ExpertFirstConfig, SearchConfig
from seal.search.protocol import Patch, Query, SearchModel
from seal.search.speed import SpeedConfig
from seal.search.zoom_eye_config import ZoomEyeConfig

DTYPES = ("float32", "bfloat16", "float16")


@dataclass(kw_only=True, slots=True)
class ModelChoice(SpeedConfig):
    """How models are loaded and driven; shared by all programs that run them."""

    quantization: str | None = None  # int8 | nf4: of the language models' layers
    dtype: str | None = None  # float32 | bfloat16 | float16; None: the files' own
    device: str | None = None  # cpu | cuda | cuda:N; None: a GPU if there is one
    clip: str | None = None  # CLIP, folder or hub id, for a search model that holds no tower
    offload: str = "0"  # blocks of each language model kept on the host; auto: what does not fit

    def __post_init__(self) -> None:
        SpeedConfig.__post_init__(self)  # `super()` does not work in a class with slots
        if self.dtype is not None and self.dtype not in DTYPES:
            raise ValueError(f"dtype={self.dtype!r} is none of {', '.join(DTYPES)}")
        if self.offload != "auto" and not self.offload.isdecimal():
            raise ValueError(f"offload={self.offload!r}: a number of blocks, or auto")

    @property
    def speed(self) -> SpeedConfig:
        """How hard searches drive their models."""
        return SpeedConfig(**{each.name: getattr(self, each.name) for each in fields(SpeedConfig)})

    def options(self, shard: Shard) -> dict[str, Any]:
        """Keyword arguments for loading."""
        import torch

        return {
            "device": shard.device(self.device),
            "dtype": None if self.dtype is None else getattr(torch, self.dtype),
            "quantization": self.quantization,
            "clip": self.clip,
            "offload": self.offload if self.offload == "auto" else int(self.offload),
            "max_batch": self.max_batch,
            "cache_mb": self.cache_mb,
            "graphs": bool(self.graphs),
            "tell": _say if shard.rank == 0 else _keep_silent,
        }

    def guide_options(self, shard: Shard) -> dict[str, Any]:
        """The same for guides, without what SEAL's own models alone take."""
        own = ("clip", "offload", "graphs")
        return {name: value for name, value in self.options(shard).items() if name not in own}


@dataclass(kw_only=True, slots=True)
class SearchNumbers:
    """The numbers of `SearchConfig`; None: the published one, at the search model's own sizes."""

    confidence_high: float | None = None
    confidence_low: float | None = None
    instance_threshold: float | None = None
    nms_iou: float | None = None
    cue_threshold: float | None = None
    cue_threshold_decay: float | None = None
    cue_threshold_min: float | None = None
    use_target_cue: bool | None = None
    use_contextual_cue: bool | None = None
    min_size: int | None = None
    min_size_scale: float | None = None
    shared_tree: bool | None = None
    near_tie_margin: float | None = None
    budget: BudgetConfig = field(default_factory=BudgetConfig)
    every_instance: EveryInstanceConfig = field(default_factory=EveryInstanceConfig)
    expert_first: ExpertFirstConfig = field(default_factory=ExpertFirstConfig)
    zoom_eye: ZoomEyeConfig = field(default_factory=ZoomEyeConfig)

    def settings(self) -> dict[str, Any]:
        """For config.yaml: what was added later is told where it is set, as in older folders."""
        plain, told = asdict(SearchNumbers()), asdict(self)
        later = ("shared_tree", "near_tie_margin", "budget", "every_instance")
        return {k: v for k, v in told.items() if k not in later or v != plain[k]}

    def applied_to(self, base: SearchConfig, *, seed: int = 0) -> SearchConfig:
        """`base` with what is set here."""
        names = (each.name for each in fields(self))
        chosen = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        return replace(base, **chosen, seed=seed)


@dataclass(kw_only=True, slots=True)
class ViCropNumbers:
    """Of `ViCropConfig`; None: what the protocol says, or the answer model's family."""

    layer: int | None = None  # whose attention is read, from 0
    base_window: int | None = None  # pixels, side of the smallest crop
    high_resolution: str | None = None  # auto | on | off: a map for each tile of the image
    tile_threshold: int | None = None  # pixels, about the largest side of a tile
    view: str | None = None  # pad | as_released: where the map lies on the image
    general_floor: float | None = None  # least general map, share of its mean
    smoothing: float | None = None  # sigma in cells

    def applied_to(self, base: ViCropConfig) -> ViCropConfig:
        """`base` with what is set here."""
        return replace(base, **{n: v for n, v in asdict(self).items() if v is not None})


def guide_settings(guide: GuideConfig, *, used: bool = True) -> dict[str, Any]:
    """What config.yaml says of a guide: its parts, where its models lie, and which they are.

    used: whether the run asks the guide; what it does not ask is no part of its results.
    """
    from seal.inference.model_kinds import answer_model_identity

    models = {name: guide.models[name] for name in guide.names if name in guide.models}
    told: dict[str, Any] = {"parts": guide.parts, "ask": _asked(guide)}
    if ANNOTATED in guide.names:
        told[ANNOTATED] = asdict(guide.annotated)
    return {
        "guide": told if used else {},
        "guide_models": dict(guide.models),
        "weights": {
            f"guide.{name}": answer_model_identity(model) for name, model in models.items() if used
        },
    }


def _asked(guide: GuideConfig) -> dict[str, Any]:
    """How the guides that ask a language model ask it."""
    return {name: guide.ask.of(name) for name in guide.names if name in ASK_A_VLM}


def check_constant_answer(
    model: SearchModel,
    images: BenchmarkImages,
    image: str,
    target: str,
    *,
    vsm: str | None = None,
    quantization: str | None = None,
) -> dict[str, Any]:
    """Whether the search model says what `detect` takes for granted; for environment.json.

    A model that does not was trained otherwise, or not enough; the search goes on, but whoever
    reads the result must know. `vsm`: its folder or hub id; what is known of it is not asked again.
    """
    from seal.inference.guides.composed import ComposedGuide
    from seal.inference.guides.seal_vsm import NetworkSearchModel

    parts = model.parts.values() if isinstance(model, ComposedGuide) else (model,)
    own = next((part for part in parts if isinstance(part, NetworkSearchModel)), None)
    if own is None:  # no other guide says that sentence
        return {"checked": False}
    try:
        opened = images.open(image)
    except ValueError:
        return {"checked": False}
    query = Query("detect", Patch(opened, Box(0, 0, *opened.size)), target)
    folder = None if vsm is None else model_folder(vsm)
    check = own.check_answer_once(folder, quantization=quantization, tell=_say)
    outcome = check.once(own.check_constant_answer, query)
    own.constant_answer = None  # environment.json says it for all results, of every process
    own.forget(opened)
    return {"checked": True, **outcome}


def _say(line: str) -> None:
    print(line, file=sys.stderr)


def _keep_silent(line: str) -> None:
    """On all processes but one."""

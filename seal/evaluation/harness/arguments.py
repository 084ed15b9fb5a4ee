"""What a harness is told about SEAL (`--model_args`), and the `Seal` that comes of it."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from seal.evaluation.choices import DTYPES
from seal.evaluation.shards import Shard
from seal.inference.answers.showing import read_granularity
from seal.inference.guides.config import GuideConfig
from seal.text.quote import quoted

if TYPE_CHECKING:
    from seal.pipeline import Seal


@dataclass(kw_only=True, slots=True)
class HarnessArguments:
    """As of `Seal.from_pretrained`; a harness reads them from key=value,key=value."""

    vqa: str  # SEAL's VQA LLM, any image-text model (folder or hub id), or a server's address
    vsm: str | None = None  # the search model; not needed for search=none
    search: str = "guided"  # a strategy, vicrop_rel_att and its like, or none
    guide: str | None = None  # owlv2, or "detect=owlv2,cue=seal" in quotes; None: the search model
    guide_models: str | None = None  # {"owlv2": "google/owlv2-base-patch16-ensemble"}
    planner: str | None = None  # who says what is missing; None: what suits the answer model
    protocol: str = "default"  # default | as_released
    granularity: str | None = None  # auto, or a level of an answer model that has such
    quantization: str | None = None  # int8 | nf4
    dtype: str | None = None  # float32 | bfloat16 | float16; None: the files' own
    device: str | None = None  # None: a GPU if there is one, of each process its own
    clip: str | None = None  # for a released search model, which holds no tower
    offload: int | str = 0  # blocks of each language model in host memory, or auto
    layout: str = "interleaved"  # of crops, for an answer model that is not SEAL's
    min_pixels: int | None = None
    max_pixels: int | None = None
    revision: str | None = None
    batch_size: int = 1  # questions whose searches advance side by side
    log: str | None = None  # a JSONL file: searches and cost of every answer

    def __post_init__(self) -> None:
        if self.dtype is not None and self.dtype not in DTYPES:
            raise ValueError(f"dtype={self.dtype!r} is none of {', '.join(DTYPES)}")
        if self.batch_size < 1:
            raise ValueError(f"batch_size={self.batch_size} must be at least 1")
        read_granularity(self.granularity)
        self._guide()  # says what is wrong with it before anything is loaded

    @classmethod
    def read(cls, given: dict[str, Any]) -> HarnessArguments:
        """From what a harness parsed; `pretrained` is another name of `vqa`.

        Raises:
            ValueError: an argument that there is not, or a value that does not fit.
        """
        given = {key: _unquoted(value) for key, value in given.items()}
        # lmms-eval passes this on; the number of questions at a time is batch_size.
        given.pop("max_batch_size", None)
        if "pretrained" in given:
            if "vqa" in given:
                raise ValueError("pretrained= is another name of vqa=: give one of them")
            given["vqa"] = given.pop("pretrained")
        known = [field.name for field in fields(cls)]
        if unknown := [key for key in given if key not in known]:
            raise ValueError(f"{unknown[0]}= is none of {', '.join(known)}")
        if not given.get("vqa"):
            raise ValueError("vqa= names the answer model: a folder, a hub id or an address")
        for key in ("batch_size", "min_pixels", "max_pixels"):
            if given.get(key) is not None:
                given[key] = _whole(key, given[key])
        for field in fields(cls):
            # A folder called 7 arrives as a number.
            if field.name in given and "str" in str(field.type) and field.name != "offload":
                value = given[field.name]
                given[field.name] = None if value is None else str(value)
        return cls(**given)

    def load(self, shard: Shard) -> Seal:
        """Both models, on the device of this process."""
        import torch

        from seal.inference.answers.chat_options import ChatOptions
        from seal.pipeline import Seal

        return Seal.from_pretrained(
            self.vqa,
            self.vsm,
            search=self.search,
            guide=self._guide(),
            granularity=self.granularity,
            quantization=self.quantization,
            dtype=None if self.dtype is None else getattr(torch, self.dtype),
            device=shard.device(self.device),
            protocol=self.protocol,
            offload=self.offload,
            clip=self.clip,
            planner=self.planner,
            chat=ChatOptions(
                layout=self.layout,
                min_pixels=self.min_pixels,
                max_pixels=self.max_pixels,
                revision=self.revision,
            ),
        )

    def _guide(self) -> GuideConfig | None:
        if self.guide is None:
            if self.guide_models is not None:
                raise ValueError("guide_models= names the models of guide=: set guide= too")
            return None
        models: Any = {}
        if self.guide_models is not None:
            try:
                models = json.loads(self.guide_models)
            except ValueError as error:
                raise ValueError(f"guide_models={quoted(self.guide_models)} is not JSON") from error
            if not isinstance(models, dict):
                raise ValueError(
                    f"guide_models={quoted(self.guide_models)}: a JSON object, guide -> model"
                )
        return GuideConfig.read(self.guide, models)


def _unquoted(value: Any) -> Any:
    """lmms-eval leaves the quotes around a value that holds a comma."""
    plain = isinstance(value, str) and len(value) > 1 and value[0] == value[-1] in "\"'"
    return value[1:-1] if plain else value


def _whole(key: str, value: Any) -> int:
    try:
        number = int(value)
    except (TypeError, ValueError):
        number = None
    if number is None or isinstance(value, bool) or number != float(value):
        raise ValueError(f"{key}={quoted(value)} is no whole number")
    return number

"""Whose values can be compared with the image's, and what reads them."""

from __future__ import annotations

from pathlib import Path

from seal.inference.answers.hf import HFAnswerModel
from seal.inference.answers.protocol import AnswerModel
from seal.inference.answers.seal_vqa import NetworkAnswerModel
from seal.inference.hf.grid_readers import READERS
from seal.inference.model_kinds import model_kind, model_type
from seal.inference.vicrop.hf_source import HFSource
from seal.inference.vicrop.prompt_source import PromptSource
from seal.inference.vicrop.seal_source import SealSource

_NOT_READ = {
    "instructblip": "it looks at an image with queries, each at all of it",
    "gemma3": "its prompt marks the place of an image in a way of its own",
    "qwen3_5": "most of its layers keep no values (linear attention)",
    "qwen3_5_moe": "most of its layers keep no values (linear attention)",
}
_WAY_OUT = (
    "name another model (guide.models.value_similarity=, as Qwen/Qwen2.5-VL-7B-Instruct) or choose "
    "another guide"
)


def value_source(answer_model: AnswerModel) -> PromptSource:
    """What reads an answer model, as for ViCrop.

    Raises:
        ValueError: it keeps no values of single image tokens that could be read.
    """
    if isinstance(answer_model, NetworkAnswerModel):
        return SealSource(answer_model)
    if isinstance(answer_model, HFAnswerModel):
        _check_family(answer_model.hf.model_type)
        return HFSource(answer_model.hf, answer_model.cost, max_batch=answer_model.max_batch)
    raise ValueError(
        f"value_similarity reads a model's own values, which {type(answer_model).__name__} does "
        f"not show: load a model here; {_WAY_OUT}"
    )


def check_values(name: str | Path) -> None:
    """Refuse the name of a model whose values cannot be read, before it is loaded.

    Raises:
        ValueError: see above.
    """
    kind = model_kind(name)
    if kind == "endpoint":
        raise ValueError(
            f"value_similarity reads a model's own values, which {name} does not show, for a "
            f"server never does: load a model here; {_WAY_OUT}"
        )
    if kind == "hf" and (family := model_type(name)):
        _check_family(family)


def _check_family(family: str) -> None:
    if family in _NOT_READ:
        raise ValueError(
            f"value_similarity cannot read models of type {family}: {_NOT_READ[family]}; {_WAY_OUT}"
        )
    if family not in READERS:
        raise ValueError(
            f"value_similarity does not know where models of type {family} hold an image's tokens; "
            f"it reads {', '.join(f for f in READERS if f not in _NOT_READ)}: {_WAY_OUT}"
        )

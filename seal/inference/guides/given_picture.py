"""How an answer model is given a picture: the form its family prints, the size it is resized to."""

from __future__ import annotations

from dataclasses import dataclass

from seal.geometry import Box, square_padding
from seal.inference.answers.endpoint import EndpointAnswerModel
from seal.inference.answers.hf import HFAnswerModel
from seal.inference.answers.protocol import AnswerModel
from seal.inference.answers.seal_vqa import NetworkAnswerModel
from seal.inference.guides.printed_forms import form_of
from seal.inference.hf.image_tokens import shown_part
from seal.inference.hf.picture_size import resized_size
from seal.working_memory import VisualWorkingMemory

QWEN_UNIT = 28  # pixels along a side of a token of Qwen2.5-VL, to which it resizes


@dataclass(frozen=True, slots=True)
class Seen:
    """How much of a picture a model sees."""

    pad: bool  # it would cut off a part of what is not square: pad it first
    view: Box  # what it sees then, in pixels of the picture; over its border where it is padded


def seen_part(answer_model: AnswerModel, width: int, height: int) -> Seen:
    """Of a picture of width x height pixels. LLaVA's processor cuts or pads, SEAL's own pads."""
    side, dx, dy = square_padding(width, height)
    square, whole = Box(-dx, -dy, side - dx, side - dy), Box(0, 0, width, height)
    if isinstance(answer_model, NetworkAnswerModel):
        return Seen(False, square)
    if isinstance(answer_model, HFAnswerModel) and answer_model.hf.model_type == "llava":
        box = shown_part(answer_model.hf.processor.image_processor, (width, height))
        cut = box.x0 > 0 or box.y0 > 0 or box.x1 < width or box.y1 < height
        return Seen(True, square) if cut else Seen(False, box)
    return Seen(False, whole)


def default_form(answer_model: AnswerModel) -> str:
    """The name of the form that a model's family prints, as far as that is known here."""
    if isinstance(answer_model, HFAnswerModel):
        return form_of(answer_model.hf.model_type)
    return "json"


def given_size(
    answer_model: AnswerModel, memory: VisualWorkingMemory, form: str
) -> tuple[int, int] | None:
    """(width, height) to which a model resizes the one picture of a memory; None: to no size that
    its numbers could be in.

    A server is known only by what it is sent; Qwen2.5-VL's is taken to round that to whole tokens,
    as it does within its own limits: set max_pixels below the server's.
    """
    assert memory.image is not None
    if isinstance(answer_model, HFAnswerModel):
        return resized_size(answer_model.hf, answer_model.row(memory))
    if not isinstance(answer_model, EndpointAnswerModel):
        return None
    size = answer_model.sent_size(memory.image)
    if form != "qwen2_5_vl":
        return size
    width, height = (max(QWEN_UNIT, round(side / QWEN_UNIT) * QWEN_UNIT) for side in size)
    return width, height

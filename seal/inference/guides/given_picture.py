"""How an answer model is given a picture: the form its family prints, the size it is resized to."""

from __future__ import annotations

from seal.inference.answers.endpoint import EndpointAnswerModel
from seal.inference.answers.hf import HFAnswerModel
from seal.inference.answers.protocol import AnswerModel
from seal.inference.guides.printed_forms import form_of
from seal.inference.hf.picture_size import resized_size
from seal.working_memory import VisualWorkingMemory

QWEN_UNIT = 28  # pixels along a side of a token of Qwen2.5-VL, to which it resizes


def default_form(answer_model: AnswerModel) -> str:
    """The name of the form that a model's family prints, as far as that is known here."""
    if isinstance(answer_model, HFAnswerModel):
        return form_of(answer_model.hf.model_type)
    return "json"


def given_size(
    answer_model: AnswerModel, memory: VisualWorkingMemory, form: str
) -> tuple[int, int]:
    """(width, height) at which a model is given the one picture of a memory.

    A server is known only by what it is sent; Qwen2.5-VL's is taken to round that to whole tokens,
    as it does within its own limits: set max_pixels below the server's.
    """
    assert memory.image is not None
    if isinstance(answer_model, HFAnswerModel):
        return resized_size(answer_model.hf, answer_model.row(memory))
    size = memory.image.size
    if isinstance(answer_model, EndpointAnswerModel):
        size = answer_model.sent_size(memory.image)
        if form == "qwen2_5_vl":
            width, height = (max(QWEN_UNIT, round(s / QWEN_UNIT) * QWEN_UNIT) for s in size)
            return width, height
    return size

"""The reader of an answer model, by what kind of model it is."""

from __future__ import annotations

from seal.inference.answers.hf import HFAnswerModel
from seal.inference.answers.protocol import AnswerModel
from seal.inference.answers.seal_vqa import NetworkAnswerModel
from seal.inference.vicrop.config import ViCropConfig
from seal.inference.vicrop.decoder_reader import DecoderReader
from seal.inference.vicrop.default_layers import family_defaults
from seal.inference.vicrop.hf_source import HFSource
from seal.inference.vicrop.instructblip_reader import InstructBlipReader
from seal.inference.vicrop.reader import AttentionReader
from seal.inference.vicrop.released import Form, released_form
from seal.inference.vicrop.seal_source import SealSource


def build_reader(answer_model: AnswerModel, config: ViCropConfig) -> AttentionReader:
    """What reads the attention of `answer_model`; its cost is charged with what is read.

    Raises:
        ValueError: the model cannot be read, or nothing is known of its family, or it has no
            `config.layer`.
    """
    reader = _reader(answer_model, config)
    if config.layer is not None and config.layer >= reader.num_layers:
        raise ValueError(
            f"layer={config.layer} is none of the {reader.num_layers} of the language model: 0 to "
            f"{reader.num_layers - 1}; leave it out for layer={reader.layer}"
        )
    return reader


def _reader(answer_model: AnswerModel, config: ViCropConfig) -> AttentionReader:
    general = config.general_question
    if isinstance(answer_model, NetworkAnswerModel):
        return DecoderReader(SealSource(answer_model), general=general)
    if isinstance(answer_model, HFAnswerModel):
        hf, cost, rows = answer_model.hf, answer_model.cost, answer_model.max_batch
        family_defaults(hf.model_type)  # says which families are known
        released = config.view == "as_released"
        if hf.model_type == "instructblip":
            return InstructBlipReader(
                hf, cost, general=general, max_batch=rows, placeholders_kept=released
            )
        form = released_form(hf.model_type) if released else Form()
        return DecoderReader(HFSource(hf, cost, max_batch=rows, form=form), general=general)
    raise ValueError(
        f"ViCrop reads an answer model's own attention, which {type(answer_model).__name__} does "
        "not show (an endpoint never does): load the model here, for example "
        "vqa=Qwen/Qwen3-VL-8B-Instruct, or choose another search"
    )

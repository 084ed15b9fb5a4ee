"""How the original puts a question to each of its models, for `view=as_released`."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from PIL.Image import Image, Resampling

from seal.inference.hf.model import HFModel

SHORT_ANSWER = " Answer the question using a single word or phrase."
UNIT = 28  # pixels along a side of a token of Qwen2.5-VL
LEAST, MOST = 4 * UNIT**2, 16384 * UNIT**2  # pixels of a picture, before the processor's own limit


@dataclass(frozen=True, slots=True)
class Form:
    """What is done to a question and an image before the processor; the default changes nothing."""

    behind: str = ""  # what follows every question
    template: str | None = None  # in place of the model's chat template, Jinja
    picture: Callable[[Image], Image] | None = None  # what the processor is given of an image
    pad: bool = True  # to a square, where the processor would cut a part off

    def model(self, hf: HFModel) -> HFModel:
        """The same weights, asked in this form."""
        if self.template is None:
            return hf
        processor = copy.copy(hf.processor)
        processor.chat_template = self.template
        return replace(hf, processor=processor)


def rounded_picture(image: Image) -> Image:
    """Resized to whole tokens near its own size: the first of the two times that Qwen2.5-VL's is.

    Raises:
        ValueError: one side is more than 200 times the other.
    """
    width, height = image.size
    if max(width, height) > 200 * min(width, height):
        raise ValueError(
            f"a picture of {width} x {height} is too narrow for Qwen2.5-VL: at most 200"
        )
    across, down = (max(UNIT, round(side / UNIT) * UNIT) for side in (width, height))
    if across * down > MOST:
        scale = math.sqrt(width * height / MOST)
        across, down = (max(UNIT, int(s / scale / UNIT) * UNIT) for s in (width, height))
    elif across * down < LEAST:
        scale = math.sqrt(LEAST / (width * height))
        across, down = (math.ceil(s * scale / UNIT) * UNIT for s in (width, height))
    return image.resize((across, down), Resampling.BICUBIC)


# Pictures first, each a placeholder, then the one question.
_LLAVA = (
    "{% for message in messages %}{% for item in message['content'] %}"
    "{% if item['type'] == 'image' %}{{ '<image>' }}{% endif %}{% endfor %}{{ '\\nUSER: ' }}"
    "{% for item in message['content'] %}{% if item['type'] == 'text' %}{{ item['text'] }}"
    "{% endif %}{% endfor %}{{ '\\nASSISTANT:' }}{% endfor %}"
)

FORMS: dict[str, Form] = {
    "llava": Form(behind=SHORT_ANSWER, template=_LLAVA, pad=False),
    "qwen2_5_vl": Form(behind=SHORT_ANSWER, picture=rounded_picture, pad=False),
    "instructblip": Form(pad=False),  # its prompt is the released one
}


def released_form(model_type: str) -> Form:
    """The form of a model type; the original has none for most, which are asked as they are."""
    return FORMS.get(model_type, Form(pad=False))

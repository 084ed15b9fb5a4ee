"""Whether pictures reach the model behind an endpoint: some servers drop them without a word."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image

from seal.failure import FailedError
from seal.inference.answers.chats import Chats
from seal.working_memory import VisualWorkingMemory

_TEXT = "Reply with the word yes."
_SIZE = 224  # pixels; some processors refuse pictures of a few pixels


def check_vision(chats: Chats, tell: Callable[[str], None]) -> None:
    """Ask once without and once with a picture; the model must have read more with it.

    Raises:
        ValueError: the model sees no pictures.
        FailedError: it cannot be asked at all.
    """
    where = chats.endpoint.where
    (blind,) = chats.ask([VisualWorkingMemory(_TEXT)], max_tokens=1)
    try:
        # It has just answered: what fails now fails for the picture.
        (seeing,) = chats.ask([VisualWorkingMemory(_TEXT, _picture())], max_tokens=1, attempts=2)
    except (ValueError, FailedError) as error:
        raise ValueError(f"{where} answers to text but not to a picture: {error}; {_WAY}") from None
    without, with_it = blind.reply.tokens_read, seeing.reply.tokens_read
    if not without or not with_it:
        tell(f"{where} does not say what it reads: it is not known whether it sees pictures")
    elif with_it <= without:
        raise ValueError(
            f"{where} leaves pictures out: with one it reads {with_it} tokens, without it "
            f"{without}; {_WAY}"
        )


_WAY = (
    "take a model with vision (llama.cpp: with its mmproj), or check_vision=False if you know "
    "that it sees"
)


def _picture() -> Image.Image:
    ramp = np.linspace(0, 255, _SIZE).astype(np.uint8)
    values = np.stack(np.broadcast_arrays(ramp[:, None], ramp[None], np.uint8(128)), axis=-1)
    return Image.fromarray(values)

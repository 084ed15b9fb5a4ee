"""How long the records of both mixtures are: the shapes that synthetic ones are drawn from.

Estimates from the forms of the records, until real sets are at hand: median and 95th percentile of
the text, read as a log-normal distribution; what is shown follows from the number of crops.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

_P95 = 1.6449  # standard deviations from the median of a normal distribution to its 95th percentile


@dataclass(frozen=True, slots=True)
class TextLength:
    """Tokens of text, log-normal."""

    median: float
    p95: float

    def draw(self, rng: np.random.Generator, *, least: int, most: int) -> int:
        spread = math.log(self.p95 / self.median) / _P95
        return int(np.clip(round(self.median * math.exp(spread * rng.normal())), least, most))


@dataclass(frozen=True, slots=True)
class ChatKind:
    """A source of conversations."""

    name: str
    share: float  # of the samples; relative to the others of its mixture
    text: TextLength  # the whole conversation, the system's sentence included
    answered: float  # how much of the text is learnt
    crops: tuple[int, ...] = (0,)  # pictures beside the image; each as often as it stands here
    repeat: int = 1  # times a record is read in an epoch


@dataclass(frozen=True, slots=True)
class GroundingKind:
    """A source of expressions on images."""

    name: str
    share: float
    expressions: tuple[int, ...]  # on an image; each as often as it stands here
    masks: bool  # whether they are annotated
    absent: float = 0.0  # how many of the expressions name what is not there


Kind = ChatKind | GroundingKind

VQA_RECORDS = 387_000
VSM_RECORDS = 200_000  # a weighted mixture has no size; enough that records hardly ever return
SYSTEM_TOKENS = 40  # of the system's sentence and the first role mark, before the image
SUFFIX = TextLength(35, 45)  # an expression: from behind the image to the end of its answer
SUFFIX_ANSWER = 6  # tokens of it that are learnt, `[LOC]` among them
MAX_TEXT_TOKENS = 2048  # of a VQA row, as in ChatConfig
MAX_POSITIONS = 512  # of a search model's row, as in GroundingConfig

_LLAVA = TextLength(300, 700)
VQA_KINDS: tuple[Kind, ...] = (
    ChatKind("negative", 24, TextLength(90, 130), 0.4),
    ChatKind("gqa", 17, TextLength(110, 160), 0.1, crops=(1, 2, 3)),
    ChatKind("vaw", 12, TextLength(100, 150), 0.15, crops=(1,)),
    ChatKind("spatial", 22, TextLength(110, 150), 0.15, crops=(2,), repeat=2),
    ChatKind("llava", 19, _LLAVA, 0.7),
    ChatKind("focus", 10, TextLength(320, 700), 0.6, crops=(1, 2, 3)),
)
# The groups of conf/data/vsm.yaml are drawn 15 : 4 : 4 : 15, their sources by weight.
_MOSTLY_THREE = (3, 3, 3, 3, 3, 3, 3, 3, 2, 1)
VSM_KINDS: tuple[Kind, ...] = (
    GroundingKind("objects365", 7.5, _MOSTLY_THREE, masks=False, absent=0.2),
    GroundingKind("coco_stuff", 3.75, _MOSTLY_THREE, masks=True, absent=0.2),
    GroundingKind("paco_lvis", 3.75, _MOSTLY_THREE, masks=True),
    GroundingKind("refcoco", 4, _MOSTLY_THREE, masks=True),
    GroundingKind("goldg", 4, _MOSTLY_THREE, masks=False),
    ChatKind("possible_locations", 10, TextLength(90, 130), 0.4),
    ChatKind("llava", 5, _LLAVA, 0.7),
)
THREE_EXPRESSIONS: tuple[Kind, ...] = (GroundingKind("refcoco", 1, (3,), masks=True),)

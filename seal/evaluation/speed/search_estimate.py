"""How long a path takes at least, before it is begun: a 7B model on a CPU takes days for one."""

from __future__ import annotations

from collections.abc import Sequence

from seal.evaluation.speed.asked import Asked
from seal.evaluation.speed.levers import ORIGINAL
from seal.evaluation.speed.roofline import MachineRates
from seal.evaluation.speed.search_plan import Leg
from seal.models.vsm import VSM

WORDS = 60  # of a prompt and its question, in tokens: fewer than there are
LOCATE_STEPS = 5  # that say `Sure, [LOC].` and the end, at least


def least_seconds(
    leg: Leg, model: VSM, rates: MachineRates, asked: Sequence[Asked], cue_tokens: int
) -> float:
    """Of the language model's blocks alone, on what the questions surely come to.

    A question of a benchmark surely visits one region for each target; a scripted one as many as
    the script says, of which two searches of an image may share half.
    """
    lengths = [asked_of.lengths or (1,) * len(asked_of.targets) for asked_of in asked]
    visits = sum(map(sum, lengths))
    cues = sum(sum(each) - len(each) for each in lengths)
    scripted = any(asked_of.lengths for asked_of in asked)
    prompt = model.config.vision.num_tokens + WORDS
    said = (cue_tokens + 1) * cues if scripted else 0
    steps = LOCATE_STEPS * (visits + cues) + said
    if leg.levers is not None:
        tokens = prompt * visits / 2 + said
    elif leg.name == ORIGINAL:
        tokens = prompt * steps
    else:
        tokens = prompt * (visits + 2 * cues) + steps
    blocks = sum(p.numel() for p in model.llm.model.layers.parameters())
    return 2.0 * blocks * tokens / rates.flops

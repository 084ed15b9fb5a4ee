"""A guide that asks the answer model costs every system that asks it, whichever came first."""

from __future__ import annotations

import pytest
from fakes import FakeAnswerModel, FakeSearchModel
from PIL import Image

from seal.evaluation.systems import Systems
from seal.geometry import Box
from seal.pipeline import ProtocolConfig, Question
from seal.working_memory import VisualWorkingMemory

PICTURE = Image.new("RGB", (640, 480), (90, 120, 60))
MUG = Box(500, 300, 530, 320)
QUESTIONS = [Question(PICTURE, text, ("yes", "no"), targets=("mug",)) for text in ("A?", "B?")]
NAMES = ("guided", "sequential_bfs", "crop_black")


class Asking(FakeSearchModel):
    """Asks the answer model about every region that it detects in."""

    def __init__(self, answers):
        super().__init__({"mug": [MUG]})
        self.answers = answers

    def detect(self, queries):
        self.answers.generate([VisualWorkingMemory("Is it here?", q.patch.image) for q in queries])
        return super().detect(queries)


def systems(names):
    answers = FakeAnswerModel()
    guide, protocol = Asking(answers), ProtocolConfig()
    return Systems(names, answers, guide, protocol=protocol, control_of="guided")


def calls(some, name, questions):
    answers = some.seals[name].ask_many(questions)
    return [answer.cost["answer_model"]["calls"] for answer in answers]


@pytest.mark.parametrize("names", [NAMES, NAMES[::-1]])
def test_every_system_is_charged_what_it_would_have_asked_alone(names):
    together = systems(names)
    for name in names:
        found = calls(together, name, QUESTIONS)
        assert found == calls(systems([name]), name, QUESTIONS)
        for question, of in zip(QUESTIONS, found, strict=True):
            assert calls(systems([name]), name, [question]) == [of]
        assert found[0] > 2  # it asked about several regions before it answered
    together.forget([PICTURE])
    assert together._cached._costs == {}

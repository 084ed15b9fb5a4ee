"""Nothing is gained by position: systems without eyes, under every protocol of V*Bench."""

from __future__ import annotations

import math

import pytest
from golden_files import SAMPLES, needs_samples

from seal.evaluation.judged import choices_of
from seal.evaluation.named_tasks import task_named
from seal.evaluation.run_metrics import benchmark_metrics
from seal.evaluation.scorings.named import scoring_named
from seal.evaluation.task import TaskQuestion
from seal.text.letters import LETTERS

SPEC = task_named("vstar_bench")
BY_LOSS = [name for name in SPEC.scorings if scoring_named(name).reads == "losses"]
BY_LETTER = [name for name in SPEC.scorings if name.startswith("letter")]
# As many options as the real ones have: 107 of four, 84 of two, the true one first.
QUESTIONS = [
    TaskQuestion(
        f"q{i}",
        f"Which is it, {i}?",
        options=tuple(f"The thing is {word}." for word in ("red", "blue", "teal", "gray")[:n]),
        answer=0,
        split=split,
    )
    for i, (n, split) in enumerate([(4, "attribute")] * 107 + [(2, "spatial")] * 84)
]
SHARE = (107 / 4 + 84 / 2) / 191  # of right guesses


def line(question, scoring, *, losses=(), say=None, seed=0):
    wordings = scoring_named(scoring).wordings(question, seed)
    texts = [say(wording.order) for wording in wordings] if say else []
    return {
        "id": question.id, "system": "blind", "task": "vstar_bench", "protocol": "default",
        "scoring": scoring, "question": question.to_dict(), "error": None,
        "presented": [list(wording.order) for wording in wordings] or None,
        "answer": {"losses": list(losses), "text": texts[0] if texts else "", "texts": texts},
    }  # fmt: skip


def overall(lines):
    return benchmark_metrics(SPEC.task(), lines)["systems"]["blind"]["overall"]


def ramp(n, *, first):
    return [i if first else n - i for i in range(n)]


@pytest.mark.parametrize("scoring", BY_LOSS)
def test_losses_earn_by_what_they_say_and_ties_and_nan_earn_nothing(scoring):
    def scored(losses):
        return overall([line(q, scoring, losses=losses(len(q.options))) for q in QUESTIONS])

    assert scored(lambda n: ramp(n, first=True))["accuracy"]["value"] == 1  # it knows
    assert scored(lambda n: ramp(n, first=False))["accuracy"]["value"] == 0
    tied = scored(lambda n: [0.5] * n)
    assert (tied["accuracy"]["value"], tied["ties"], tied["accuracy"]["invalid"]) == (0, 191, 0)
    assert tied["accuracy_ties_first"]["value"] == 1  # what argmin would have made of it
    for bad in (math.nan, math.inf, -math.inf, None):
        spoiled = scored(lambda n, bad=bad: [bad] + [0.5] * (n - 1))
        assert spoiled["accuracy"]["value"] == 0 and spoiled["accuracy"]["invalid"] == 191
        assert spoiled["ties"] == 0


@pytest.mark.parametrize("scoring", BY_LETTER)
@pytest.mark.parametrize("place", ["first", "last"])
def test_a_letter_that_is_always_said_earns_what_a_guess_earns(scoring, place):
    def say(order):
        return LETTERS[0 if place == "first" else len(order) - 1]

    accuracy = overall([line(q, scoring, say=say) for q in QUESTIONS])["accuracy"]
    exact = scoring == "letter_cyclic"
    assert accuracy["value"] == pytest.approx(SHARE, abs=1e-9 if exact else 0.09)
    assert accuracy["n"] == 191 and accuracy["invalid"] == 0


@pytest.mark.parametrize("scoring", BY_LETTER)
def test_who_knows_the_option_is_right_wherever_it_stands(scoring):
    lines = [line(q, scoring, say=lambda order: LETTERS[order.index(0)]) for q in QUESTIONS]
    assert overall(lines)["accuracy"]["value"] == 1
    silent = overall([line(q, scoring, say=lambda order: "") for q in QUESTIONS])["accuracy"]
    assert silent["value"] == 0 and silent["invalid"] == 191


def test_rotations_put_every_option_at_every_letter_once():
    for question in QUESTIONS[:3] + QUESTIONS[-3:]:
        orders = [w.order for w in scoring_named("letter_cyclic").wordings(question, 7)]
        n = len(question.options)
        assert len(orders) == n
        assert all({order[place] for order in orders} == set(range(n)) for place in range(n))


def test_a_half_right_rotation_counts_half_and_is_no_circular_success():
    question = QUESTIONS[-1]
    half = line(question, "letter_cyclic", say=lambda order: LETTERS[0])
    found = overall([half])
    assert found["accuracy"]["value"] == 0.5 and found["all_wordings"]["value"] == 0
    assert [choice.option for choice in choices_of(question, half)] in ([0, 1], [1, 0])


@needs_samples
def test_all_records_load_in_their_splits():
    task = SPEC.task(str(SAMPLES / "vstar_bench"), require_images=False)
    splits = [question.split for question in task.questions()]
    assert (splits.count("attribute"), splits.count("spatial"), len(splits)) == (115, 76, 191)
    assert sum(len(t.boxes) for q in task.questions() for t in q.targets) == 245

"""Text of the tiny world without pictures: what the miniature's language models are raised on.

It holds what a large language model would bring along: names, colors, the usual places of things
and which of two coordinates is larger. It shows no picture and no scene of any other split.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from seal.geometry import normalized_box_text
from seal.miniature.questions import (
    absence_sentence,
    attribute_question,
    badge_sentence,
    draw_relation,
    presence_question,
    scene_caption,
    thing_caption,
    where_question,
)
from seal.miniature.world import BADGE_COLORS, KINDS, REGIONS, SIZES, Scene, Thing, make_scene
from seal.text.prompts import (
    FOCUS,
    cue_question,
    focused_question,
    locate_question,
    missing_phrase,
    refusal,
)

Turn = tuple[str, str]
DESCRIBE = "What does the image show?"
# In a part of the prompts about crops there are words where the pictures will be. Who compares
# numbers only side by side cannot do it any more once pictures come between them.
WORDED = 0.6
MOST_WORDS = 64  # a crop; as many as it has tokens
WORDS = (*REGIONS, "a", "the", "on", "in", "with", "image", "shows")


def named_answer(name: str) -> str:
    """The usual answer to `locate_question` before there is a `[LOC]`: it says the name back."""
    return f"Sure, {name}."


def _comparing(scene: Scene, rng: np.random.Generator) -> Turn:
    asked = draw_relation(scene, rng)
    return focused_question(_located(scene, asked.targets, rng), asked.text), asked.answer


def _reading(scene: Scene, rng: np.random.Generator) -> Turn:
    things = [scene.objects[i] for i in rng.permutation(len(scene.objects))[:2]]
    asked = attribute_question(things[0], rng)
    if rng.random() < WORDED:
        kinds = [str(thing.kind) for thing in things[: rng.integers(1, 3)]]
        return focused_question(_located(scene, kinds, rng, worded=True), asked.text), asked.answer
    facts = [badge_sentence(str(t.kind), str(t.badge))[:-1].lower() for t in things]
    rng.shuffle(facts)
    return f"{FOCUS}{'; '.join(facts)}.\n{asked.text}", asked.answer


def _refusing(scene: Scene, rng: np.random.Generator) -> Turn:
    if rng.random() < 0.5:
        asked = draw_relation(scene, rng)
    else:
        asked = attribute_question(scene.objects[0], rng)
    return asked.text, refusal(asked.targets)


def _missing(scene: Scene, rng: np.random.Generator) -> Turn:
    asked = attribute_question(scene.objects[0], rng)
    (kind,) = asked.targets
    return focused_question([missing_phrase(kind)], asked.text), absence_sentence(kind)


def _usual_place(scene: Scene, rng: np.random.Generator) -> Turn:
    # Any four or five regions, in any order: knowledge, not a scene.
    shown = frozenset(rng.permutation(REGIONS)[: rng.integers(4, 6)].tolist())
    question, answer = where_question(str(rng.choice(list(KINDS))), shown)
    return f"{scene_caption(shown)} {question}", answer


def _naming(scene: Scene, rng: np.random.Generator) -> Turn:
    name = str(rng.choice([*KINDS, *REGIONS]))
    return locate_question(name), named_answer(name)


def _describing(scene: Scene, rng: np.random.Generator) -> Turn:
    caption = scene_caption(scene.shown) if rng.random() < 0.5 else thing_caption(scene.objects[0])
    return f"{caption} {DESCRIBE}", caption


def _checking(scene: Scene, rng: np.random.Generator) -> Turn:
    region = str(rng.choice(REGIONS))
    asked = presence_question(region, region in scene.shown)
    return f"{scene_caption(scene.shown)} {asked.text}", asked.answer


Writer = Callable[[Scene, np.random.Generator], Turn]
VQA_SHARES: dict[Writer, float] = {
    _comparing: 0.55,
    _reading: 0.15,
    _refusing: 0.12,
    _missing: 0.05,
    _describing: 0.08,
    _checking: 0.05,
}
VSM_SHARES: dict[Writer, float] = {
    _usual_place: 0.45,
    _naming: 0.3,
    _describing: 0.15,
    _checking: 0.1,
}


def write(shares: dict[Writer, float], seed: int, index: int) -> Turn:
    """Turn number `index` of a corpus."""
    rng = np.random.default_rng((seed, index, 1))
    scene = make_scene(seed, index, SIZES[int(rng.integers(3))], num_distractors=0)
    writers = list(shares)
    weights = np.array(list(shares.values()))
    return writers[int(rng.choice(len(writers), p=weights / weights.sum()))](scene, rng)


def vocabulary(seed: int) -> list[str]:
    """Texts that hold every word the models read or write, for the tokenizer."""
    texts = [f"{q} {a}" for i in range(600) for q, a in (write(VQA_SHARES, seed, i),)]
    texts += [f"{q} {a}" for i in range(600) for q, a in (write(VSM_SHARES, seed, i),)]
    texts += [cue_question(kind) for kind in KINDS]
    texts += [f"{kind} at location [0.123,0.456,0.789,0.321];" for kind in KINDS]
    texts += [badge_sentence(kind, color) for kind in KINDS for color in BADGE_COLORS]
    return texts


def _located(
    scene: Scene, kinds: Sequence[str], rng: np.random.Generator, *, worded: bool | None = None
) -> list[str]:
    """What a prompt says about crops. `worded`: with words for the pictures; None: by chance."""
    if worded is None:
        worded = bool(rng.random() < WORDED)
    phrases = []
    for kind in kinds:
        thing = scene.find(kind)
        location = normalized_box_text(thing.box, scene.width, scene.height)
        shown = f"{_picture_words(thing, rng)} " if worded else ""
        phrases.append(f"{kind} {shown}at location {location}")
    return phrases


def _picture_words(thing: Thing, rng: np.random.Generator) -> str:
    """The color of a thing's badge, somewhere among other words."""
    words = rng.choice(WORDS, size=rng.integers(1, MOST_WORDS)).tolist()
    words.insert(int(rng.integers(len(words) + 1)), f"{thing.badge} badge")
    return " ".join(words)

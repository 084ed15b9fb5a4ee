"""Text of the tiny world without pictures: what the miniature's language models are raised on.

It holds what a large language model would bring along: names, colors, the usual places of things
and which of two coordinates is larger. It shows no picture and no scene of any other split.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from seal.miniature.world import BADGE_COLORS, KINDS, REGIONS, SIZES, Scene, Thing, make_scene
from seal.miniature.world_questions import (
    absence_sentence,
    attribute_question,
    badge_sentence,
    draw_relation,
    presence_question,
    scene_caption,
    thing_caption,
    where_question,
)
from seal.text.prompts import (
    cue_question,
    focused_question,
    locate_question,
    missing_phrase,
    object_phrase,
    refusal,
)
from seal.text.tokens import IMAGE_PLACEHOLDER, OBJECT_PLACEHOLDER

Turn = tuple[str, str]
DESCRIBE = "What does the image show?"
PICTURE_WORDS = 10


def named_answer(name: str) -> str:
    """The usual answer to `locate_question` before there is a `[LOC]`: it says the name back."""
    return f"Sure, {name}."


def _comparing(scene: Scene, rng: np.random.Generator) -> Turn:
    asked = draw_relation(scene, rng)
    things = [scene.find(kind) for kind in asked.targets]
    return _with_crops(scene, things, asked.text), asked.answer


def _reading(scene: Scene, rng: np.random.Generator) -> Turn:
    """From words in the place of crops, of the one that is asked about or of another as well."""
    things = [scene.objects[i] for i in rng.permutation(len(scene.objects))[: rng.integers(1, 3)]]
    asked = attribute_question(things[int(rng.integers(len(things)))], rng)
    words = [_words(_said_of(thing), rng) for thing in things]
    return _with_crops(scene, things, asked.text, words), asked.answer


def _refusing(scene: Scene, rng: np.random.Generator) -> Turn:
    if rng.random() < 0.5:
        asked = draw_relation(scene, rng)
    else:
        asked = attribute_question(scene.objects[0], rng)
    return _beside_image(asked.text), refusal(asked.targets)


def _missing(scene: Scene, rng: np.random.Generator) -> Turn:
    asked = attribute_question(scene.objects[0], rng)
    (kind,) = asked.targets
    question = focused_question([missing_phrase(kind)], asked.text)
    return _beside_image(question), absence_sentence(kind)


def _usual_place(scene: Scene, rng: np.random.Generator) -> Turn:
    # Any four or five regions, in any order: knowledge, not a scene.
    shown = frozenset(rng.permutation(REGIONS)[: rng.integers(4, 6)].tolist())
    question, answer = where_question(str(rng.choice(list(KINDS))), shown)
    return f"{scene_caption(shown)} {question}", answer


def _naming(scene: Scene, rng: np.random.Generator) -> Turn:
    name = str(rng.choice([*KINDS, *REGIONS]))
    return locate_question(name), named_answer(name)


def _repeating(scene: Scene, rng: np.random.Generator) -> Turn:
    caption = scene_caption(scene.shown) if rng.random() < 0.5 else thing_caption(scene.objects[0])
    return f"{caption} {DESCRIBE}", caption


def _describing(scene: Scene, rng: np.random.Generator) -> Turn:
    things = (*scene.objects, *scene.distractors)
    if rng.random() < 0.3:
        words, caption = _words(sorted(scene.shown), rng), scene_caption(scene.shown)
    else:
        thing = things[int(rng.integers(len(things)))]
        words, caption = _words(_said_of(thing), rng), thing_caption(thing)
    return _beside_image(f"{words} {DESCRIBE}"), caption


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
    _describing: 0.13,
}
VSM_SHARES: dict[Writer, float] = {
    _usual_place: 0.45,
    _naming: 0.3,
    _repeating: 0.15,
    _checking: 0.1,
}


def write(shares: dict[Writer, float], seed: int, index: int) -> Turn:
    """Turn number `index` of a corpus."""
    rng = np.random.default_rng((seed, index, 1))
    scene = make_scene(seed, index, SIZES[int(rng.integers(3))], num_distractors=2)
    writers = list(shares)
    weights = np.array(list(shares.values()))
    return writers[int(rng.choice(len(writers), p=weights / weights.sum()))](scene, rng)


def vocabulary(seed: int) -> list[str]:
    """Texts that hold every word the models read or write, for the tokenizer."""
    turns = [write(shares, seed, i) for shares in (VQA_SHARES, VSM_SHARES) for i in range(600)]
    texts = [f"{question} {answer}" for question, answer in turns]
    for placeholder in (IMAGE_PLACEHOLDER, OBJECT_PLACEHOLDER):  # never reach the tokenizer
        texts = [text.replace(placeholder, "") for text in texts]
    texts += [cue_question(kind) for kind in KINDS]
    texts += [f"{kind} at location [0.123,0.456,0.789,0.321];" for kind in KINDS]
    texts += [badge_sentence(kind, color) for kind in KINDS for color in BADGE_COLORS]
    return texts


def _with_crops(
    scene: Scene, things: Sequence[Thing], question: str, words: Sequence[str] | None = None
) -> str:
    """The question behind crops of things. `words`: to stand behind the place of each picture."""
    phrases = []
    for index, thing in enumerate(things):
        phrase = object_phrase(str(thing.kind), thing.box, scene.width, scene.height)
        if words is not None:
            phrase = phrase.replace(OBJECT_PLACEHOLDER, f"{OBJECT_PLACEHOLDER} {words[index]}")
        phrases.append(phrase)
    return _beside_image(focused_question(phrases, question))


def _said_of(thing: Thing) -> list[str]:
    """What there is to see of a thing and around it."""
    words = [thing.color, thing.kind or "disc", thing.region]
    return words if thing.badge is None else [*words, thing.badge]


def _words(said: Sequence[str], rng: np.random.Generator) -> str:
    """A picture in words, as its patches would speak: each says one thing, in any order."""
    rest = rng.choice(said, size=PICTURE_WORDS - len(said)).tolist()
    return " ".join(rng.permutation([*said, *rest]).tolist())


def _beside_image(question: str) -> str:
    """The question as the model will be asked; what the image shows is left out (pretrain_text)."""
    return f"{IMAGE_PLACEHOLDER}\n{question}"

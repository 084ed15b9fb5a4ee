"""Which of a source's categories a text speaks of: noun phrases matched with names and synonyms.

Cautious on purpose. A phrase counts only if its head is a category's name or a synonym below, and
if it stands for things in the picture: `bus stop` is no bus, `a toy train` and `a photo of a dog`
are no train and no dog, and `by train` speaks of none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from seal.text.tag import Token


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# What else COCO's categories are called. A word may stand for several: it then needs an image in
# which they have one instance between them.
SYNONYMS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(
        _words(
            "man woman boy girl child kid lady guy toddler individual surfer skier snowboarder "
            "skateboarder pedestrian cyclist batter"
        ),
        ("person",),
    ),
    "tennis player": ("person",),
    "baseball player": ("person",),
    "bike": ("bicycle", "motorcycle"),
    "motorbike": ("motorcycle",),
    "plane": ("airplane",),
    "aircraft": ("airplane",),
    "jet": ("airplane",),
    "sailboat": ("boat",),
    "traffic signal": ("traffic light",),
    "hydrant": ("fire hydrant",),
    "kitten": ("cat",),
    "puppy": ("dog",),
    "pony": ("horse",),
    "lamb": ("sheep",),
    "bull": ("cow",),
    "purse": ("handbag",),
    "necktie": ("tie",),
    "luggage": ("suitcase",),
    "tennis ball": ("sports ball",),
    "soccer ball": ("sports ball",),
    "ball": ("sports ball",),
    "bat": ("baseball bat",),
    "mitt": ("baseball glove",),
    "racket": ("tennis racket",),
    "racquet": ("tennis racket",),
    "tennis racquet": ("tennis racket",),
    "mug": ("cup",),
    "hotdog": ("hot dog",),
    "doughnut": ("donut",),
    "sofa": ("couch",),
    "houseplant": ("potted plant",),
    "table": ("dining table",),
    "television": ("tv",),
    "laptop computer": ("laptop",),
    "computer mouse": ("mouse",),
    "remote control": ("remote",),
    "computer keyboard": ("keyboard",),
    "phone": ("cell phone",),
    "cellphone": ("cell phone",),
    "mobile phone": ("cell phone",),
    "smartphone": ("cell phone",),
    "fridge": ("refrigerator",),
    "teddy": ("teddy bear",),
    "hair dryer": ("hair drier",),
}
# Before a name: there is no such thing in the picture, or it is not the one that the box shows.
_UNREAL = _words(
    "toy model stuffed fake plush miniature imaginary no other another different each every missing"
)
_LIKENESSES = _words(
    "picture photo photograph image painting drawing statue sculpture figurine poster print logo "
    "silhouette type kind"
)
# Behind a name: nouns that the tagger takes for verbs.
_HEADS = _words("stop ride pass")
_NUMBERS = {"one": 1, "two": 2, "both": 2, "three": 3, "four": 4, "five": 5, "six": 6}
_LONGEST_NAME = 3  # words
_MODIFIERS = ("ADJ", "NOUN", "PROPN", "NUM", "VERB", "PART", "ADV")


@dataclass(frozen=True, slots=True)
class Mention:
    """A noun phrase that stands for a category."""

    name: str  # as the text has it, in the singular, without its article
    categories: tuple[str, ...]
    plural: bool
    number: int | None = None  # how many, if the text says so
    whole: bool = True  # the name covers all of the category, as `man` does not cover persons


class MentionFinder:
    """Finds the categories that a text names. `parser` gives the tokens of a text."""

    def __init__(self, names: Mapping[str, str], parser: Callable[[str], list[Token]]) -> None:
        """`names`: what each category is called, by the category's id."""
        self.parser = parser
        self._whole: dict[str, tuple[str, ...]] = {}
        self._categories: dict[str, tuple[str, ...]] = {}
        ids = {name: category for category, name in names.items()}
        for name, category in ids.items():
            self._whole[name] = self._categories[name] = (category,)
        for name, own in SYNONYMS.items():
            known = tuple(ids[category] for category in own if category in ids)
            if known and name not in ids:
                self._categories[name] = known

    def __call__(self, text: str) -> list[Mention]:
        """The mentions in a text, in its order."""
        tokens = self.parser(text) if text.strip() else []
        words = [token.text.lower() for token in tokens]
        found: list[Mention] = []
        end = 0
        while end < len(tokens):
            for length in range(min(_LONGEST_NAME, len(tokens) - end), 0, -1):
                mention = self._mention(tokens, words, end, end + length)
                if mention is not None:
                    found.append(mention)
                    end += length - 1
                    break
            end += 1
        return found

    def _mention(
        self, tokens: Sequence[Token], words: Sequence[str], start: int, stop: int
    ) -> Mention | None:
        """The mention whose name stands exactly at words `start` to `stop`."""
        name, plural = self._singular(words[start:stop])
        if name is None:
            return None
        if stop - start == 1 and tokens[start].pos != "NOUN":
            return None
        if stop < len(tokens) and (tokens[stop].pos in ("NOUN", "PROPN") or words[stop] in _HEADS):
            return None  # `train station`
        first = start
        while first > 0 and tokens[first - 1].pos in _MODIFIERS:
            first -= 1
        opened = first > 0 and (tokens[first - 1].pos == "DET" or tokens[first - 1].dep == "poss")
        joined = first > 1 and words[first - 1] == "and" and tokens[first - 2].pos == "NOUN"
        before = words[first - opened : start]
        if _UNREAL.intersection(before):
            return None
        outside = words[: first - opened]
        if len(outside) > 1 and outside[-1] == "of" and outside[-2] in _LIKENESSES:
            return None
        numbers = [_NUMBERS.get(word) or _digits(word) for word in before]
        number = next((number for number in numbers if number), None)
        if start > first and words[start - 1] in self._categories:
            return None  # `dog bed`
        if not (plural or opened or joined or number):
            return None  # `by train`, `is orange`
        return Mention(name, self._categories[name], plural, number, name in self._whole)

    def _singular(self, words: Sequence[str]) -> tuple[str | None, bool]:
        """The known name that the words are, and whether they are its plural."""
        name = " ".join(words)
        if name in self._categories:
            return name, False
        from textblob.en.inflect import singularize  # takes a second to load

        name = " ".join([*words[:-1], singularize(words[-1])])
        return (name, True) if name in self._categories else (None, False)


def _digits(word: str) -> int | None:
    return int(word) if word.isascii() and word.isdigit() else None

"""The location phrase in a contextual-cue answer, by the original's rules on a dependency parse.

The chunk rules must agree with the goldens `noun_chunks` and `filter_chunk_list`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from seal.text.parse import parse
from seal.text.tag import Token

MARKER = "most likely to appear"
HEADS = ("NOUN", "PRON")
LEFT = ("amod", "compound", "poss")  # dependents that widen a chunk to the left
RIGHT = ("relcl", "prep")  # and to the right
SPACY_MODEL = "en_core_web_sm"

Span = tuple[int, int]  # first and last token


def extract_phrase(answer: str, target: str) -> tuple[str, str]:
    """The phrase to search heat for, and what parsed it: `spacy` or `fallback`.

    Exactly one noun chunk names the place; none or several leave it to `region` and the text.
    """
    parser, extractor = choose_parser()
    text = location_text(answer, target)
    chunks = chunk_texts(text, parser(text))
    return phrase_from_chunks(text, chunks), extractor


def location_text(answer: str, target: str) -> str:
    """What the answer says after its last marker and after its last mention of the target.

    Only whole words count as a mention, so a `bus` is not found in a `busy` street; the original
    cut there.
    """
    text = answer.split(MARKER)[-1].strip().removesuffix(".")
    return re.split(rf"(?<!\w){re.escape(target)}(?!\w)", text)[-1]


def phrase_from_chunks(text: str, chunks: Sequence[str]) -> str:
    return chunks[0] if len(chunks) == 1 else f"region {text}"


def chunk_texts(text: str, tokens: Sequence[Token]) -> list[str]:
    """The longest noun chunks of a parsed text, as they stand in it."""
    return [
        text[tokens[first].start : tokens[last].start + len(tokens[last].text)]
        for first, last in longest_chunks(noun_chunks(tokens))
    ]


def noun_chunks(tokens: Sequence[Token]) -> list[Span]:
    """For every noun or pronoun, in order, the tokens from its first to its last modifier.

    Dependents count from the head outwards until one has another relation; a counted one brings
    all that depends on it.
    """
    children: list[list[int]] = [[] for _ in tokens]
    for i, token in enumerate(tokens):
        if token.head != i:
            children[token.head].append(i)
    spans = []
    for i, token in enumerate(tokens):
        if token.pos not in HEADS:
            continue
        first = last = i
        for child in reversed([c for c in children[i] if c < i]):
            if tokens[child].dep not in LEFT:
                break
            first = min(_subtree(children, child))
        for child in (c for c in children[i] if c > i):
            if tokens[child].dep not in RIGHT:
                break
            last = max(_subtree(children, child))
        spans.append((first, last))
    return spans


def longest_chunks(spans: Sequence[Span]) -> list[Span]:
    """Spans in order of position, each overlap settled for the longer (the first, if equal)."""
    kept: list[Span] = []
    taken: set[int] = set()
    for first, last in sorted(spans, key=lambda span: span[0] - span[1]):
        if first not in taken and last not in taken:
            kept.append((first, last))
            taken.update(range(first, last + 1))
    return sorted(kept)


def _subtree(children: Sequence[Sequence[int]], root: int) -> set[int]:
    """A token and all that depends on it."""
    found, waiting = {root}, [root]
    while waiting:
        new = [child for child in children[waiting.pop()] if child not in found]
        found.update(new)
        waiting += new
    return found


@cache
def choose_parser() -> tuple[Callable[[str], list[Token]], str]:
    """spaCy with its small English model if both are installed, else the built-in parser."""
    try:
        import spacy
    except ImportError:
        return parse, "fallback"
    if not spacy.util.is_package(SPACY_MODEL):
        return parse, "fallback"
    model = spacy.load(SPACY_MODEL)
    return lambda text: spacy_tokens(model(text)), "spacy"


def spacy_tokens(document: Any) -> list[Token]:
    """A parsed spaCy document in our tokens."""
    return [Token(t.text, t.pos_, t.dep_, t.head.i, t.idx) for t in document]

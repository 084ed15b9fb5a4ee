"""Read the list of objects that a model was asked for, strictly: a list, or nothing.

Whatever is not clearly a list is not one: a target that nobody named costs a whole search.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from seal.text.list_forms import bracketed, bullets, fenced, referred
from seal.text.list_marks import (
    ASKS,
    BROKEN,
    COLON,
    CONTROL,
    EMPHASIS,
    ENDS,
    INVISIBLE,
    JOINERS,
    QUOTES,
    REMARK,
    SENTENCE_END,
    SEPARATOR,
    SPACELESS,
    STRUCTURE,
)
from seal.text.list_words import (
    AND_SO_ON,
    ANDS,
    ATTRIBUTE,
    FIRST_AND,
    LEADS,
    NOTHING,
    NOTHING_BEGINS,
    PICTURE,
    REFUSES,
    RELATIVE,
    TALKS,
    TALKS_WITHIN,
    TRAILS,
    VAGUE,
)
from seal.text.prompts import parse_missing, without_article
from seal.text.targets import why_not_a_target
from seal.text.thinking import without_thinking
from seal.text.yes_no import YES

MAX_TARGETS = 8
LONGEST_ANSWER = 20_000  # characters that are read
_MOST_WORDS = 14  # of a name that a mark of the list sets apart
_MOST_WORDS_IN_LINE = 7  # of one that only commas do
_MOST_WORDS_BEFORE = 16  # a colon
_MOST_WITHOUT_SPACES = 20  # characters, where words are not told apart by spaces


def parse_target_list(
    text: str, *, max_targets: int = MAX_TARGETS, finished: bool = True
) -> list[str] | None:
    """The objects, in order, each once, at most `max_targets`.

    Every one stands in `text` as it is, up to white space and case, holds no mark that a model
    reads as such, and can be searched for. JSON, also in a code fence or broken off, numbered lines
    and bullets, enumerations and the VQA LLM's own refusal are read; thoughts are skipped.

    Args:
        finished: False if the model was cut at its limit: what it broke off is not a name.

    Returns:
        None: no list, but prose, a refusal to help, or nothing at all. []: no object is wanted.
    """
    answer = without_thinking(text[:LONGEST_ANSWER])
    if (marked := referred(answer)) is not None:
        return _accept(marked, text, max_targets)
    said = _bare(answer)
    finished = finished and len(text) <= LONGEST_ANSWER
    missing = parse_missing(said)
    if missing is not None:
        return _accept(missing, text, max_targets)
    if not said or SENTENCE_END.sub("", said).strip().endswith(ASKS):
        return None
    if _is_nothing(said):
        return []
    for form in (fenced(said), said):
        if form is None:
            continue
        names = bracketed(form, finished=finished)
        if names is not None:
            return _accept(map(_without_remark, names), text, max_targets, if_empty=names == [])
        items = None if REFUSES.search(form) else bullets(form, finished=finished)
        if items is not None:
            names = [_without_talk(_without_remark(item)) for item in items]
            names = [name for name in names if _is_name(name, _MOST_WORDS)]
            return _accept(names, text, max_targets, if_empty=False)
    if REFUSES.search(said) or STRUCTURE.search(said):
        return None
    enumerated = _enumeration(said, finished)
    return None if enumerated is None else _accept(enumerated, text, max_targets)


def _bare(text: str) -> str:
    """Without the marks that a tokenizer left at the ends of lines."""
    lines = []
    for line in text.splitlines():
        before = None
        while line != before:
            before = line
            found = CONTROL.match(line)
            line = line[found.end() :] if found is not None else line
            *_, last = (None, *CONTROL.finditer(line))
            if last is not None and last.end() == len(line.rstrip()):
                line = line[: last.start()]
        lines.append(line)
    return "\n".join(lines).strip()


def _is_nothing(said: str) -> bool:
    plain = said.strip(ENDS + QUOTES).casefold()
    return plain in NOTHING or (
        NOTHING_BEGINS.match(plain) is not None and "," not in plain and "\n" not in plain
    )


def _without_remark(name: str) -> str:
    """A name without its emphasis, and without what is said about it."""
    name = EMPHASIS.sub("", name)
    kept = REMARK.sub("", name)
    return kept if kept.strip(ENDS) else name


def _enumeration(said: str, finished: bool) -> list[str] | None:
    """Names between commas or stops, on one line or each on its own; None if it is prose."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    while len(lines) > 1 and (COLON.search(lines[0][-1]) or lines[0].startswith("#")):
        lines = lines[1:]
    sentences = [sentence for line in lines for sentence in SENTENCE_END.split(line)]
    items: list[str] = []
    for number, sentence in enumerate(filter(None, sentences), start=1):
        names = _names(sentence, finished or number < len(sentences))
        if names is None:  # what is said behind a list
            break
        items += names
    return items or None


def _names(sentence: str, finished: bool) -> list[str] | None:
    sentence = EMPHASIS.sub("", sentence)
    head, *rest = COLON.split(sentence, maxsplit=1)
    if rest:
        if not rest[0].strip() or len(head.split()) > _MOST_WORDS_BEFORE:
            return None
        sentence = rest[0].strip()
    sentence = _without_talk(sentence)
    parts = [part for part in SEPARATOR.split(sentence) if part.strip(ENDS)]
    if not finished:
        parts = parts[:-1]
    if parts:  # `a, b and c`; without commas, `a and b`
        parts[-1:] = [p for p in ANDS.split(parts[-1]) if p.strip(ENDS)]
    names = [_without_remark(FIRST_AND.sub("", part)) for part in parts]
    return names if names and all(map(_is_name, names)) else None


def _without_talk(sentence: str) -> str:
    """What is listed in `I need to see ... more closely`."""
    lead = LEADS.match(sentence)
    return TRAILS.sub("", sentence if lead is None else sentence[lead.end() :])


def _is_name(part: str, most_words: int = _MOST_WORDS_IN_LINE) -> bool:
    """Short, and without the words of a sentence."""
    if part.strip(ENDS + QUOTES).casefold() in YES:
        return False
    words = [word.strip(ENDS + QUOTES).casefold() for word in part.split()]
    if SPACELESS.search(part):
        return len(part) <= _MOST_WITHOUT_SPACES and not TALKS_WITHIN.search(part)
    behind = next((i for i, word in enumerate(words) if i and word in RELATIVE), len(words))
    return len(words) <= most_words and not TALKS.intersection(words[:behind])


def _accept(
    names: Iterable[str], text: str, max_targets: int, *, if_empty: bool = True
) -> list[str] | None:
    """Those that may be searched for; None if names were given and none may."""
    wanted: dict[str, str] = {}
    given = False
    heard = _folded(text)
    for name in names:
        name = _trimmed(name)
        plain = name.casefold()
        if not name or plain in AND_SO_ON:
            continue
        if plain in NOTHING or PICTURE.fullmatch(plain):
            if_empty = True
            continue
        given = True
        if plain not in VAGUE and _can_be_searched(name) and _folded(name) in heard:
            wanted.setdefault(_folded(without_article(name)), name)
    if not wanted and (given or not if_empty):
        return None
    return list(wanted.values())[:max_targets]


def _trimmed(name: str) -> str:
    """On one line, without article, stops and quotes at its ends; `"STOP" sign` keeps both.

    Of `the color of the mug`, the mug.
    """
    name, before = without_article(" ".join(name.split())), None
    while name != before:
        before = name
        name = ATTRIBUTE.sub("", name.strip(ENDS + INVISIBLE))
        quotes = [i for i, c in enumerate(name) if c in QUOTES]
        if quotes in ([0], [0, len(name) - 1]):
            name = name[1:]
        elif quotes[-1:] == [len(name) - 1] and (len(quotes) == 1 or quotes[0] == 0):
            name = name[:-1]
        name = without_article(name)
    return name


def _can_be_searched(name: str) -> bool:
    if why_not_a_target(name) is not None or CONTROL.search(name) is not None:
        return False
    if name.endswith(ASKS) or BROKEN in name:  # the question, parroted; half a character
        return False
    if not any(c.isalpha() for c in name) or len(name.split()) > _MOST_WORDS:
        return False
    return not any(unicodedata.category(c)[0] == "C" and c not in JOINERS for c in name)


def _folded(text: str) -> str:
    return " ".join(text.split()).casefold()

"""A small dependency parser for location phrases ("on the table near the window").

It stands in for spaCy where its English model is not installed, which is not on the package
index. Attachment follows the few shapes that answers to "where is it" take. It is not a parser of
English at large: `tests/seal/text/test_phrases.py` says how well it does.
"""

from __future__ import annotations

from seal.text.tag import (
    PLACE_ADVERBS,
    POSSESSIVES,
    WH_ADVERBS,
    WH_PRONOUNS,
    Token,
    tag_words,
)

# Places named by an adjective when a noun follows, by themselves otherwise.
SIDES = ("top", "bottom", "front", "back", "left", "right", "middle", "center", "centre", "rear")

UNDECIDED = -1  # head of what came before the root


def parse(text: str) -> list[Token]:
    """The tokens of a location phrase with parts of speech, relations and heads."""
    tokens = tag_words(text)
    _Attachment(tokens).run()
    return tokens


class _Attachment:
    """Heads and relations, left to right."""

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = tokens
        self.root: int | None = None  # of the whole phrase
        self.noun: int | None = None  # head of the last noun phrase
        self.adposition: int | None = None  # waits for its object
        self.verb: int | None = None  # waits for its object
        self.clause: int | None = None  # verb of an open relative clause
        self.relative: int | None = None  # the noun that a relative clause will modify
        self.conjunction: int | None = None  # joins the next phrase to the last
        self.broken = False  # a comma: nothing further belongs to the last noun

    def run(self) -> None:
        i = 0
        while i < len(self.tokens):
            i = self._take(i)
        root = self.root if self.root is not None else 0
        for i, token in enumerate(self.tokens):
            if token.head in (i, UNDECIDED):
                token.head = root
            if i == root:
                token.head, token.dep = i, "ROOT"

    def _take(self, i: int) -> int:
        """Attach the phrase that starts at token `i`; the index after it."""
        token = self.tokens[i]
        word = token.text.lower()
        if token.pos == "PUNCT":
            return self._punctuation(i)
        if token.pos == "CCONJ":
            return self._join(i)
        if token.pos == "ADP":
            return self._preposition(i)
        if (word in WH_PRONOUNS or word in WH_ADVERBS) and self._opens_clause(i):
            self.relative, self.clause = self.noun, None
            self._attach(i, self._top(), "mark")
            return i + 1
        end = self._noun_phrase_end(i)
        if end > i:
            return self._noun_phrase(i, end)
        if token.pos in ("VERB", "AUX"):
            return self._verb(i)
        if token.pos == "ADV" and self.adposition is not None and word in PLACE_ADVERBS:
            return self._attach(i, self.adposition, "advmod")
        if token.pos in ("ADV", "ADJ") and word in PLACE_ADVERBS:
            self.noun = None  # what follows it belongs to the clause
            self.broken = True
        if token.pos == "SCONJ":
            self.noun, self.broken = None, True
        if token.pos == "ADJ" and self.noun == i - 1:
            return self._attach(i, i - 1, "amod")  # `a basket full of fruit`
        if token.pos == "ADV" and i > 0 and self.tokens[i - 1].pos == "VERB":
            return self._attach(i, i - 1, "advmod")
        return self._attach(i, self._top(), "advmod")

    # -- phrases ---------------------------------------------------------------------------

    def _noun_phrase_end(self, i: int) -> int:
        """Index after the noun phrase at `i`, or `i` if there is none."""
        tokens, start = self.tokens, i
        if tokens[i].pos == "PRON" and tokens[i].text.lower() not in POSSESSIVES:
            i += 1
            if i == len(tokens) or tokens[i].pos != "PART":  # unlike `somebody's house`
                return i
        last_noun = -1
        while i < len(tokens):
            token = tokens[i]
            if token.pos in ("DET",) or token.text.lower() in POSSESSIVES:
                if i > start and tokens[i - 1].pos not in ("DET", "PART"):
                    break
            elif token.pos == "PART":
                if i == start or tokens[i - 1].pos not in ("NOUN", "PROPN", "PRON"):
                    break
                last_noun = i  # a possessor needs its thing
            elif token.pos == "ADV":
                ahead = tokens[i + 1].pos if i + 1 < len(tokens) else ""
                if ahead not in ("ADJ", "VERB") or i == start or last_noun >= start:
                    break
            elif token.pos == "VERB":
                if not self._is_modifier(i, start, last_noun):
                    if i == start or tokens[i - 1].pos not in ("DET", "PRON", "ADJ", "NUM", "PART"):
                        break
                    token.pos = "NOUN"  # `the sink`, `her drink`: what closes the phrase is a thing
                    last_noun = i
            elif token.pos in ("NOUN", "PROPN"):
                last_noun = i
            elif token.pos in ("ADJ", "NUM"):
                if last_noun >= start and tokens[last_noun].pos != "PART":
                    break
            else:
                break
            i += 1
        if last_noun < start:
            # `the left`, `the other`: an adjective or number alone stands for the noun.
            if i > start and tokens[i - 1].pos in ("ADJ", "NUM", "VERB"):
                if tokens[start].pos in ("DET", "PRON") and tokens[i - 1].pos != "NUM":
                    tokens[i - 1].pos = "NOUN"
                    return i
                if tokens[i - 1].pos == "NUM":
                    return i
            return start
        return last_noun + 1

    def _is_modifier(self, i: int, start: int, last_noun: int) -> bool:
        """A participle before its noun (`the parked car`), not after one (`a man wearing`)."""
        ahead = self.tokens[i + 1].pos if i + 1 < len(self.tokens) else ""
        if last_noun >= start and self.tokens[last_noun].pos != "PART":
            return False
        opened = i > start  # after a determiner, possessive or adjective
        return ahead in ("NOUN", "ADJ", "PROPN") and (opened or self.adposition is not None)

    def _noun_phrase(self, start: int, end: int) -> int:
        tokens = self.tokens
        head = end - 1
        if tokens[head].pos == "PART":
            head -= 1
        self._modifiers(start, head)
        if self.adposition is not None:
            self._attach(head, self.adposition, "pobj")
            self.adposition = None
        elif self.conjunction is not None and self.noun is not None:
            self._attach(head, self.noun, "conj")
            tokens[self.conjunction].dep, tokens[self.conjunction].head = "cc", self.noun
        elif self.verb is not None:
            self._attach(head, self.verb, "dobj")
        elif self.relative is not None:
            self._attach(head, self._top(), "nsubj")  # moved below the clause's verb, if one comes
        else:
            self._attach(head, self._top(), "nsubj" if self.root is None else "dep")
        self.verb = self.conjunction = None
        self.broken = False
        if self.root is None:
            self.root = head
        self.noun = head
        return end

    def _modifiers(self, start: int, head: int) -> None:
        """Relations inside a noun phrase that ends with its head."""
        tokens = self.tokens
        possessors = [i for i in range(start, head) if tokens[i].pos == "PART"]
        if possessors:  # `the man 's left hand`: what stands before 's belongs to the owner
            mark = possessors[-1]
            owner = mark - 1
            self._modifiers(start, owner)
            self._attach(owner, head, "poss")
            self._attach(mark, owner, "case")
            start = mark + 1
        for i in range(start, head):
            token = tokens[i]
            word = token.text.lower()
            if token.pos == "DET":
                dep = "det"
            elif word in POSSESSIVES:
                dep = "poss"
            elif token.pos == "NUM":
                dep = "nummod"
            elif token.pos in ("NOUN", "PROPN"):
                dep = "amod" if word in SIDES else "compound"
            elif token.pos == "ADV":
                self._attach(i, i + 1, "advmod")
                continue
            else:
                dep = "amod"
            self._attach(i, head, dep)

    def _preposition(self, i: int) -> int:
        tokens = self.tokens
        if self.conjunction is not None:
            # `near the door or near the window` repeats a preposition, else it is a new place.
            word = tokens[i].text.lower()
            same = [
                j for j in range(i) if tokens[j].pos == "ADP" and tokens[j].text.lower() == word
            ]
            partner = same[-1] if same else self._top()
            self._attach(i, partner, "conj")
            self.conjunction = None
        elif self.adposition is not None:  # `from behind the door`
            self._attach(i, self.adposition, "prep")
        elif i > 0 and tokens[i - 1].pos in ("VERB", "ADV", "ADJ", "AUX"):
            self._attach(i, i - 1, "prep")
        elif self.noun is not None and not self.broken:
            self._attach(i, self.noun, "prep")
        else:
            self._attach(i, self._top(), "prep")
        if self.root is None:
            self.root = i
        self.adposition, self.verb, self.broken = i, None, False
        return i + 1

    def _verb(self, i: int) -> int:
        token = self.tokens[i]
        if self.relative is not None:
            if self.clause is None:
                self._attach(i, self.relative, "relcl")
                self.clause = i
                # The clause's own subject and wh-word hang below its verb.
                for j in range(self.relative + 1, i):
                    if self.tokens[j].dep in ("mark", "nsubj", "dep", "advmod"):
                        self._attach(j, i, self.tokens[j].dep)
            else:
                self._attach(i, self.clause, "xcomp")
        elif self.noun is not None and not self.broken and self.conjunction is None:
            self._attach(i, self.noun, "acl")  # `the man wearing a hat`
        else:
            self._attach(i, self._top(), "conj" if self.conjunction is not None else "dep")
        if self.root is None:
            self.root = i
        self.verb = i if token.pos == "VERB" else None
        self.conjunction = self.adposition = None
        return i + 1

    def _join(self, i: int) -> int:
        self._attach(i, self.noun if self.noun is not None else self._top(), "cc")
        self.conjunction = i
        return i + 1

    def _punctuation(self, i: int) -> int:
        self._attach(i, self.noun if self.noun is not None else self._top(), "punct")
        if self.tokens[i].text in ",;:.-()":
            self.broken = True
            self.relative = self.clause = self.verb = None
        return i + 1

    def _opens_clause(self, i: int) -> bool:
        """A wh-word after a noun; `that` only directly after it."""
        if self.noun is None or self.broken:
            return False
        return self.tokens[i].text.lower() != "that" or self.noun == i - 1

    # -- heads -----------------------------------------------------------------------------

    def _top(self) -> int:
        """What the parts of a clause depend on."""
        if self.clause is not None:
            return self.clause
        return self.root if self.root is not None else UNDECIDED

    def _attach(self, i: int, head: int, dep: str) -> int:
        self.tokens[i].head, self.tokens[i].dep = head, dep
        return i + 1

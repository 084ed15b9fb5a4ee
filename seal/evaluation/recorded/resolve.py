"""Find the question that each recorded answer means, and refuse what contradicts it.

An answer is never given to a question on a guess: its names must lead to one question, and where
the row repeats the question, the options or the right answer, these must be the benchmark's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from seal.evaluation.recorded.orders import order_in_prompt, order_of_list, plain
from seal.evaluation.recorded.said import Said
from seal.evaluation.scorings.file_order import SHUFFLED
from seal.evaluation.scorings.vlmevalkit import bare_text
from seal.evaluation.task import TaskQuestion
from seal.text.letters import LETTERS
from seal.text.quote import quoted

_META_NAMES = ("index", "question_id", "id")
_PICTURE = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".avif")
_SHOWN = 3  # ids in a message


class Questions:
    """A benchmark's questions by every name that a file may call them."""

    def __init__(self, questions: Sequence[TaskQuestion]) -> None:
        self.all = list(questions)
        self._by_id = {question.id: question for question in self.all}
        self._by_name: dict[str, list[TaskQuestion]] = {}  # also without leading folders
        self._by_path: dict[str, list[TaskQuestion]] = {}
        self._by_text: dict[str, list[TaskQuestion]] = {}
        for question in self.all:
            paths = dict.fromkeys(_names(question))
            for path in paths:
                self._by_path.setdefault(path, []).append(question)
            for name in dict.fromkeys(end for path in paths for end in (path, *_ends(path))):
                self._by_name.setdefault(name, []).append(question)
            self._by_text.setdefault(plain(question.text), []).append(question)

    def all_resolved(self, said: Sequence[Said]) -> list[Said]:
        """A whole file's answers, each `resolved`.

        Numbers that are no ids may be of another edition of the benchmark. Where most of a file's
        agree with the words beside them they are not: then a row in which they differ is wrong,
        and so is one whose names no question has: its place is not that of the benchmark's rows.
        Else none of them counts, even where the words agree by chance.
        """
        said = list(said)
        for key in ("names", "number"):
            of = [self._told_by(key, one) for one in said]
            agree = [_speaks_of(one, q) for one, q in zip(said, of, strict=True) if q is not None]
            most = 2 * sum(agree) > len(agree)
            for at, (one, question) in enumerate(zip(said, of, strict=True)):
                if question is None:
                    if key == "names" and most:
                        self._refuse_unknown(one)
                    continue
                if most and not _speaks_of(one, question):
                    raise ValueError(
                        f"{one.where}: its number is that of {question.id}, its words "
                        f"{quoted(one.hints.question or one.hints.prompt or '')} are not"
                    )
                if not most:
                    said[at] = _without(one, key)
            if most and key == "names":  # a row whose name is no question is none
                said = [_without(one, "number") for one in said]
        return [self.resolved(one) for one in said]

    def _refuse_unknown(self, said: Said) -> None:
        names = said.hints.names
        if names and not said.id and not any(map(self._named, names)):
            raise ValueError(
                f"{said.where}: {_listed(names)} names no question of the benchmark, as other rows "
                f"do; its {len(self.all)} are {_listed(question.id for question in self.all)}"
            )

    def _told_by(self, key: str, said: Said) -> TaskQuestion | None:
        """The question that the names, or without them the number, of a row without an id tell."""
        if said.id:
            return None
        of_names = [found[0] for n in said.hints.names if len(found := self._named(n)) == 1]
        if key == "names":
            return next(iter(of_names), None)
        number = said.hints.number
        if of_names or number is None:
            return None
        return next(iter(self.all[number : number + 1]), None)

    def resolved(self, said: Said) -> Said:
        """The same under the question's id, its order known where the row tells it.

        Raises:
            ValueError: no question, or several; or the row says something else than the question.
        """
        question = self.of(said)
        self._check_words(said, question)
        order = _order(said, question)
        _check_truth(said, question, order)
        return replace(said, id=question.id, order=order)

    def of(self, said: Said) -> TaskQuestion:
        """The question that an answer means.

        What the file calls an id (`said.id`) must name it. Other names and numbers may be of
        another edition of the benchmark: they count where the row's own words agree with them,
        and the words alone where they are those of one question.
        """
        names = [name for name in (said.id, *said.hints.names) if name]
        found: dict[str, TaskQuestion] = {}
        several: list[TaskQuestion] = []
        for name in names:
            of_name = self._named(name)
            if len(of_name) > 1:
                of_name = _of_words(said, of_name)
                several = several or of_name
            if len(of_name) == 1 and (said.id or _speaks_of(said, of_name[0])):
                found.setdefault(of_name[0].id, of_name[0])
        if len(found) > 1:
            raise ValueError(
                f"{said.where}: {_listed(names)} name different questions: {_listed(found)}"
            )
        if found:
            return next(iter(found.values()))
        number = said.hints.number
        if not said.id and not several:
            if number is not None and _speaks_of(said, *self.all[number : number + 1]):
                return self.all[number]
            several = self._of_words(said)
            if len(several) == 1:
                return several[0]
        words = "nothing" if said.hints.question is said.hints.prompt is None else "its words"
        told = _listed(names) or (words if number is None else f"number {number}, from 0,")
        if several:
            raise ValueError(
                f"{said.where}: {told} may be any of {_listed(q.id for q in several)}: give the "
                "question's id"
            )
        raise ValueError(
            f"{said.where}: {told} names no question of the benchmark, whose {len(self.all)} are "
            f"{_listed(question.id for question in self.all)}"
        )

    def _of_words(self, said: Said) -> list[TaskQuestion]:
        """The questions that a row's words are about, wherever they stand in it."""
        words = said.hints.question or said.hints.prompt
        if words is None:
            return []
        lines = dict.fromkeys(map(plain, (words, *words.split("\n"))))
        alike = [question for line in lines for question in self._by_text.get(line, ())]
        return _of_words(said, alike or self.all)

    def _named(self, name: str) -> list[TaskQuestion]:
        """By id; else the end of a path of the benchmark, or a longer path to one of its files."""
        if name in self._by_id:
            return [self._by_id[name]]
        name = _without_suffix(name)
        if name in self._by_name:
            return self._by_name[name]
        return next((self._by_path[end] for end in _ends(name) if end in self._by_path), [])

    def _check_words(self, said: Said, question: TaskQuestion) -> None:
        """A row that repeats another question's words must not be counted for this one.

        A prompt may be worded otherwise than the benchmark is: it tells against the row only where
        a line of it is another question.
        """
        own, told = plain(question.text), said.hints.question
        if told is not None and own not in (row := plain(told)) and row not in own:
            raise ValueError(
                f"{said.where}: question={quoted(told)}, but {question.id} of the benchmark asks "
                f"{quoted(question.text)}"
            )
        if said.hints.prompt is None or own in plain(said.hints.prompt):
            return
        for line in said.hints.prompt.split("\n"):
            if others := self._by_text.get(plain(line)):
                raise ValueError(
                    f"{said.where}: the prompt is that of {others[0].id}, {quoted(line)}, not of "
                    f"{question.id}"
                )


def _without(said: Said, key: str) -> Said:
    hints = said.hints
    none = replace(hints, names=()) if key == "names" else replace(hints, number=None)
    return replace(said, hints=none)


def _names(question: TaskQuestion) -> Iterable[str]:
    """Its id, its image without suffix, and the number that its own file gives it."""
    yield _without_suffix(question.id)
    if question.image is not None:
        yield _without_suffix(question.image)
    for key in _META_NAMES:
        value = question.meta.get(key)
        if isinstance(value, int | str) and not isinstance(value, bool):
            yield str(value)


def _without_suffix(name: str) -> str:
    """`a.mug.jpg` -> `a.mug`, which stays as it is: only pictures' suffixes are suffixes."""
    path = PurePosixPath(name)
    return path.with_suffix("").as_posix() if path.suffix.lower() in _PICTURE else name


def _ends(path: str) -> list[str]:
    """`x/y/z` -> `y/z`, `z`."""
    parts = path.split("/")
    return ["/".join(parts[i:]) for i in range(1, len(parts)) if parts[i:] != [""]]


def _of_words(said: Said, questions: Sequence[TaskQuestion]) -> list[TaskQuestion]:
    """Those that the row's own words and options are about; all of them if it has no words."""
    if said.hints.question is None and said.hints.prompt is None:
        return list(questions)
    alike = [question for question in questions if _speaks_of(said, question)]
    # "a red cup?" is within "is that a red cup?": of several, the longest was meant.
    longest = max((len(question.text) for question in alike), default=0)
    alike = [question for question in alike if len(question.text) == longest]
    if len(alike) > 1:
        alike = [q for q in alike if _shown(said, q) is not None] or alike
        # Rotations of one question have its words: then the order tells.
        alike = [q for q in alike if _shown(said, q) == tuple(range(len(q.options)))] or alike
    return alike


def _shown(said: Said, question: TaskQuestion) -> tuple[int, ...] | None:
    """The order in which the row shows a question's options; None: it shows others, or none."""
    if not question.options:
        return None
    try:
        return _order(said, question)
    except ValueError:
        return None


def _speaks_of(said: Said, question: TaskQuestion | None = None) -> bool:
    """Whether the row's words are this question's; a row without words says nothing against it."""
    if question is None:
        return False
    own = plain(question.text)
    if said.hints.question is not None:
        # A row may have the question without the hint that stands before it (MMBench).
        return plain(said.hints.question) in (own, plain(bare_text(question)))
    return said.hints.prompt is None or own in plain(said.hints.prompt)


def _order(said: Said, question: TaskQuestion) -> tuple[int, ...] | None:
    count = len(question.options)
    if not count:
        return None
    if said.order is not None:
        if sorted(said.order) != list(range(count)):
            raise ValueError(
                f"{said.where}: order={list(said.order)} is no order of {count} options, from 0"
            )
        return said.order
    if said.hints.options:
        return order_of_list(said.hints.options, question.options, said.where)
    if said.hints.true_first and (question.meta.get(SHUFFLED) or question.answer != 0):
        raise ValueError(
            f"{said.where}: the true option is at place 0 in such a file, and the options of "
            f"{question.id} are shuffled: annotations= must name the edition that lists it first"
        )
    if said.hints.prompt is not None:
        return order_in_prompt(said.hints.prompt, question.options, said.where)
    return None


def _check_truth(said: Said, question: TaskQuestion, order: Sequence[int] | None) -> None:
    """Where the row repeats the right option, it must be the benchmark's."""
    truth = said.hints.truth
    if truth is None or question.answer is None:
        return
    place = LETTERS.find(truth) if len(truth) == 1 else -1
    shown = range(len(question.options)) if order is None else order
    options = [plain(option) for option in question.options]
    if 0 <= place < len(shown):
        right = shown[place] == question.answer
        # An option may itself be one letter: what the file means by it is then either.
        right = right or plain(truth) == options[question.answer]
    elif plain(truth) in options:
        right = plain(truth) == options[question.answer]
    else:
        raise ValueError(f"{said.where}: answer={quoted(truth)} is no option of {question.id}")
    if not right:
        raise ValueError(
            f"{said.where}: answer={quoted(truth)}, but the benchmark's is "
            f"{quoted(question.options[question.answer])} ({question.id})"
        )


def _listed(names: Iterable[str]) -> str:
    names = list(names)
    text = ", ".join(map(quoted, names[:_SHOWN]))
    return f"{text}, ... ({len(names)})" if len(names) > _SHOWN else text

"""In which order a program showed the options: from its list of them, or from its prompt."""

from __future__ import annotations

import re
from collections.abc import Sequence

from seal.text.letters import LETTERS
from seal.text.quote import quoted

# A lettered line: "A. red", "(A) red", "A) red", "A: red".
_LETTERED = re.compile(r"(?m)^[^\S\n]*(?:\(([A-Z])\)|([A-Z])[.):])[^\S\n]*(.*\S)[^\S\n]*$")


def plain(text: str) -> str:
    """Without what differs between copies of one text: blanks, case."""
    return " ".join(text.split()).casefold()


def order_of_list(shown: Sequence[str], options: Sequence[str], where: str) -> tuple[int, ...]:
    """The option of the benchmark at each place of a list of them.

    Raises:
        ValueError: they are not the options of the benchmark.
    """
    own = [plain(option) for option in options]
    told = [plain(option) for option in shown]
    if sorted(own) != sorted(told):
        raise ValueError(
            f"{where}: the options {quoted(list(shown))} are not the benchmark's "
            f"{quoted(list(options))}"
        )
    if len(set(own)) < len(own):  # equal texts cannot be told apart: only as they stand
        return tuple(range(len(own))) if own == told else _ambiguous(where)
    return tuple(own.index(option) for option in told)


def order_in_prompt(prompt: str, options: Sequence[str], where: str) -> tuple[int, ...] | None:
    """The same from lettered lines of a prompt; None: it has no such lines.

    A program may write more behind the last option, on its line (lmms-eval does).

    Raises:
        ValueError: there are such lines, but not the benchmark's options.
    """
    shown = lettered(prompt)
    if len(shown) < 2 or any("\n" in option for option in options):
        return None
    shown = shown[: len(options)]
    own = [plain(option) for option in options]
    order = []
    for place, line in enumerate(map(plain, shown)):
        last = place == len(options) - 1
        # The longest that fits: "red" is the beginning of "red and blue".
        fits = [i for i, o in enumerate(own) if line == o or (last and line.startswith(f"{o} "))]
        fits = [i for i in fits if i not in order]
        if not fits:
            break
        order.append(max(fits, key=lambda i: len(own[i])))
    if len(order) != len(options):
        raise ValueError(
            f"{where}: the options in the prompt, {quoted(shown)}, are not the benchmark's "
            f"{quoted(list(options))}"
        )
    return tuple(order)


def lettered(prompt: str) -> list[str]:
    """The texts of lines A, B, C, ... that follow one another; the last such list."""
    shown: list[str] = []
    for found in _LETTERED.finditer(prompt):
        letter = found[1] or found[2]
        if letter == "A":
            shown = []
        if letter == LETTERS[len(shown) % len(LETTERS)]:
            shown.append(found[3])
    return shown


def _ambiguous(where: str) -> tuple[int, ...]:
    raise ValueError(f"{where}: two options have the same words, and stand in another order")

"""The blocks of commands and of Python in a page of Markdown, and what is said about each.

The line above a block says what it takes, where it is not simply run:
`<!-- slow -->`: minutes; `<!-- needs: WHAT -->`: it is only looked at; `<!-- exit: 0 or 3 -->`, or
`<!-- slow: exit 0 or 3 -->`.
"""

from __future__ import annotations

import re
import shlex
import textwrap
from dataclasses import dataclass
from pathlib import Path

_BLOCK = re.compile(
    r"^(?P<tag>[ ]*<!--[^\n]*-->\n)?(?P<in>[ ]*)```(?P<language>sh|python)\n"
    r"(?P<text>.*?)^(?P=in)```$",
    re.DOTALL | re.MULTILINE,
)
_TAG = re.compile(r"<!-- (?P<word>slow|needs|exit)(?:: (?P<rest>.+))? -->")
_HERE = re.compile(r"<<'?(\w+)'?")


@dataclass(frozen=True)
class Block:
    page: Path
    line: int
    language: str  # sh | python
    text: str
    needs: str | None = None  # what it lacks here; None: it can be run
    slow: bool = False
    exits: tuple[int, ...] = (0,)

    @property
    def place(self) -> str:
        return f"{self.page.name}:{self.line}"


def blocks(page: Path) -> list[Block]:
    """Of one page, in order.

    Raises:
        ValueError: a comment above a block is none that says something here.
    """
    text, found = page.read_text(encoding="utf-8"), []
    for match in _BLOCK.finditer(text):
        line = text.count("\n", 0, match.start("language")) + 1
        tag = (match["tag"] or "").strip()
        said = _TAG.fullmatch(tag)
        if tag and said is None:
            raise ValueError(f"{page.name}:{line}: {tag} says nothing about the block below it")
        word, rest = (said["word"], said["rest"]) if said else ("", None)
        found.append(
            Block(
                page,
                line,
                match["language"],
                textwrap.dedent(match["text"]),
                needs=rest if word == "needs" else None,
                slow=word == "slow",
                exits=tuple(map(int, re.findall(r"\d+", rest or "")))
                if rest and word in ("exit", "slow")
                else (0,),
            )
        )
    return found


def lines(text: str) -> list[str]:
    """The commands of a shell block: continued lines and here-documents in one piece."""
    found: list[str] = []
    left = iter(text.splitlines())
    for line in left:
        while line.endswith("\\"):
            line = line[:-1] + next(left).strip()
        here = _HERE.search(line)
        if here:
            for more in left:
                line += f"\n{more}"
                if more == here[1]:
                    break
        if line.strip() and not line.lstrip().startswith("#"):
            found.append(line.strip())
    return found


def seal_words(line: str) -> list[str] | None:
    """What `seal` is told by a line, under torchrun too; None: it is not called there."""
    if "\n" in line:
        return None
    try:
        words = shlex.split(line, comments=True)
    except ValueError:
        return None
    if words[:1] == ["seal"]:
        return words[1:]
    if "-m" in words and words[words.index("-m") + 1 :][:1] == ["seal"]:
        return words[words.index("-m") + 2 :]
    return None

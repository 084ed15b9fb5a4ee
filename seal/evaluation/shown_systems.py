"""`SYSTEM@SHOWN`: the same models and the same search, with pictures shown in another way.

`none@36`, `guided@auto`, `oracle@consistent`: what stands behind the mark is read by `Showing`.
Without one, pictures are shown as the run says. Only the answer model's own answers change, the
first one and the last: what a search asks the answer model about regions, and what ViCrop reads of
it, is shown as the run says for all systems alike, so that they differ in nothing but how the
working memory is read. A first answer decides what is searched for, and it is a system's own.
"""

from __future__ import annotations

from collections.abc import Iterable

from seal.inference.answers.showing import Showing

MARK = "@"


def search_part(system: str) -> str:
    """What a system does to find things, or the name of a control: `guided` of `guided@36`."""
    return system.partition(MARK)[0]


def shown_part(system: str) -> str:
    """How pictures are shown: `36` of `guided@36`, "" where the run says it."""
    return system.partition(MARK)[2]


def with_shown(search: str, system: str) -> str:
    """The system that makes `search`, with pictures shown as in `system`."""
    shown = shown_part(system)
    return f"{search}{MARK}{shown}" if shown else search


def shown_ways(systems: Iterable[str]) -> list[str]:
    """Every way that is named behind a mark, each once.

    Raises:
        ValueError: there is a mark with nothing behind it, or something that is no way.
    """
    ways: dict[str, None] = {}
    for system in systems:
        if MARK in system:
            try:
                Showing.read(shown_part(system))
            except ValueError as error:
                raise ValueError(f"system {system}: {error}") from error
            ways[shown_part(system)] = None
    return list(ways)

"""Parts of one search side by side: what they ask goes out together, kind by kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Sequence
from typing import Any, TypeVar

from seal.search.protocol import Ask, AskAll, QueryKind

Found = TypeVar("Found")


def side_by_side(
    parts: Sequence[Generator[Ask, Any, Found]], asked: Sequence[Counter[QueryKind]]
) -> Generator[AskAll, Any, list[Found]]:
    """Run parts until all have returned; what each of them did.

    asked: of each part, to which its queries are added.
    """
    returned: dict[int, Found] = {}
    waiting: dict[int, Ask] = {}

    def advance(i: int, answer: Any) -> None:
        try:
            waiting[i] = parts[i].send(answer)
        except StopIteration as stop:
            waiting.pop(i, None)
            returned[i] = stop.value

    try:
        for i in range(len(parts)):
            advance(i, None)
        while waiting:
            kinds = Counter(ask.query.kind for ask in waiting.values())
            kind = max(kinds, key=lambda kind: kinds[kind])
            due = [i for i, ask in waiting.items() if ask.query.kind == kind]
            answers = yield AskAll(tuple(waiting[i].query for i in due))
            for i, answer in zip(due, answers, strict=True):
                asked[i][kind] += 1
                advance(i, answer)
    finally:
        for part in parts:
            part.close()
    return [returned[i] for i in range(len(parts))]

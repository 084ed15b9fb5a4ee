"""Words told apart by the token their answer begins with."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from seal.text.quote import quoted


def first_ids(words: Sequence[str], first_id: Callable[[str], int]) -> list[int]:
    """The first token of each word as an answer.

    Raises:
        ValueError: two words begin with the same token, so that it cannot tell them apart.
    """
    owner: dict[int, str] = {}
    for word in words:
        known = owner.setdefault(first_id(word), word)
        if known != word:
            raise ValueError(
                f"answers {quoted(known)} and {quoted(word)} begin with the same token of this "
                "model: ask for letters, or score whole options"
            )
    return [first_id(word) for word in words]

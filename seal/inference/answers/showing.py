"""How an answer model shows pictures, in one word: `auto`, a level of granularity, or a policy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from seal.text.quote import quoted
from seal.text.tokens import TOKEN_POLICIES

AUTO: Literal["auto"] = "auto"
ROUTER = "router"  # the token policy of pictures that have levels
# A level in tokens of a tile; `auto`: the router picks one for each picture; None: what the model
# was trained for, the router's pick or the finest level.
Granularity: TypeAlias = int | Literal["auto"] | None


def read_granularity(given: str | int | None) -> Granularity:
    """`auto`, a level, or None for what suits the model.

    Raises:
        ValueError: it is none of these.
    """
    if given is None or given == AUTO:
        return given
    text = str(given)
    if text.isascii() and text.isdecimal() and int(text) > 0:
        return int(text)
    raise ValueError(
        f"granularity={quoted(text)} is neither auto nor a level, a number of visual tokens as 144"
    )


@dataclass(frozen=True, slots=True)
class Showing:
    """Through which projector pictures go, and how finely."""

    token_policy: str  # one of TOKEN_POLICIES
    granularity: Granularity = None  # of token_policy=router

    @classmethod
    def read(cls, word: str) -> Showing:
        """`auto` and a level as 36 are of the policy `router`, which is another word for `auto`;
        any other word names a policy.

        Raises:
            ValueError: it is none of these.
        """
        if word == ROUTER:
            return cls(ROUTER, AUTO)
        if word in TOKEN_POLICIES:
            return cls(word)
        try:
            return cls(ROUTER, read_granularity(word))
        except ValueError as error:
            raise ValueError(
                f"pictures are shown as auto, at a level as 144, or by a token policy "
                f"({', '.join(TOKEN_POLICIES)}), not as {quoted(word)}"
            ) from error

    def require(
        self, *, levels: Sequence[int], router: bool, resampler: bool, tiles: bool, model: str
    ) -> None:
        """Whether a model can show pictures so.

        Args:
            levels: it was trained for; none of a model without granularity.
            router, resampler: whether it has them; tiles: whether it cuts pictures into some.
            model: named in errors.

        Raises:
            ValueError: it cannot, with what it can.
        """
        able = ", ".join(map(str, levels))
        if self.token_policy != ROUTER:
            if not resampler:
                raise ValueError(
                    f"token_policy={self.token_policy} sends pictures through a resampler, which "
                    f"{model} has not: leave it out"
                )
            if tiles:
                raise ValueError(
                    f"token_policy={self.token_policy} sends pictures through a resampler, which "
                    f"reads none of the tiles that {model} cuts them into: leave it out"
                )
        elif not levels and self.granularity is not None:
            raise ValueError(
                f"{model} reads pictures at one granularity: it has no levels to choose from; "
                "leave out granularity= and what stands behind @, or name a model that was "
                "trained for levels"
            )
        elif self.granularity == AUTO and not router:
            raise ValueError(f"{model} has no router that picks a level; name one of {able}")
        elif isinstance(self.granularity, int) and self.granularity not in levels:
            raise ValueError(
                f"granularity={self.granularity} is no level of {model}, which has {able}"
            )

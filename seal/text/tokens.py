"""Decide how many tokens the whole image and each crop of the visual working memory get."""

from __future__ import annotations

from dataclasses import dataclass

IMAGE_PLACEHOLDER = "<image>"
OBJECT_PLACEHOLDER = "<object>"
LOC_TOKEN = "[LOC]"
IMAGE_START_TOKEN = "<im_start>"
IMAGE_END_TOKEN = "<im_end>"
# What a search model's tokenizer needs, in the order of the released one's ids.
SEARCH_TOKENS = ("<im_patch>", IMAGE_START_TOKEN, IMAGE_END_TOKEN, LOC_TOKEN)

# Which crops the linear projector serves (long) and which the resampler (short). The paper's text
# (1 or 2 crops: long) and its training code (exactly 1: long) differ; `consistent` is the same in
# training and at inference; `router`: the linear projector serves everything, at the level that a
# router chooses for each picture.
TOKEN_POLICIES = ("paper_inference", "paper_training", "consistent", "router")

# `padded` is the released training layout: every row carries an image and three object slots, the
# unused ones masked out of attention but counted by the position ids. `none` has no such slots.
OBJECT_SLOTS = ("none", "padded")
PADDED_OBJECT_SLOTS = 3

# `as_released` puts a masked `[LOC]` behind the image of a chat row in the search mixture.
CHAT_LOC_SLOTS = ("none", "as_released")


@dataclass(frozen=True, slots=True)
class VisualSizes:
    """Visual tokens of one picture through each projector."""

    long: int = 256  # linear projector
    short: int = 32  # resampler; 0: there is none

    def __post_init__(self) -> None:
        if self.long < 1 or self.short < 0:
            raise ValueError(f"a picture needs at least one visual token, got {self}")

    def count(self, long: bool) -> int:
        """Visual tokens of one picture.

        Raises:
            ValueError: it is to go through a resampler that the model lacks.
        """
        if not long and not self.short:
            raise ValueError(
                "a picture is to go through the resampler, which the model lacks: set "
                "token_policy=router"
            )
        return self.long if long else self.short


def choose_tokens(policy: str, num_crops: int) -> tuple[bool, bool]:
    """Whether (the whole image, each crop) goes through the linear projector.

    What counts is the number of crops, instances included. Without a crop the second value serves
    nothing.
    """
    if policy not in TOKEN_POLICIES:
        raise ValueError(f"unknown token policy {policy!r}; known: {', '.join(TOKEN_POLICIES)}")
    if num_crops < 0:
        raise ValueError(f"a number of crops cannot be negative: {num_crops}")
    if policy == "router":
        return True, True
    if num_crops == 0:
        return True, False
    if policy == "paper_training":
        return (False, True) if num_crops == 1 else (True, False)
    return (False, True) if num_crops <= 2 else (False, False)

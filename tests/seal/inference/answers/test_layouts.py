"""Layouts show everything that is in the working memory, each picture once, in a told order."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PIL import Image

from seal.geometry import Box
from seal.inference.answers.layouts import LAYOUTS, user_turn
from seal.working_memory import MemoryTarget, VisualWorkingMemory

IMAGE = Image.new("RGB", (200, 100))
MEMORY = VisualWorkingMemory(
    "What color is the mug?",
    IMAGE,
    (
        MemoryTarget("the mug", (Box(20, 10, 60, 40),)),
        MemoryTarget("", (Box(100, 0, 200, 50),)),
        MemoryTarget("the spoon"),
    ),
)


def kinds(items) -> list[str]:
    return [item["type"] for item in items]


def words(items) -> str:
    return "\n".join(item["text"] for item in items if item["type"] == "text")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_whole_image_comes_first_and_the_question_last(layout: str) -> None:
    items = user_turn(MEMORY, layout)
    assert items[0]["image"] is IMAGE
    assert items[-1]["text"].endswith(MEMORY.question)
    pictures = [item["image"] for item in items if item["type"] == "image"]
    # A target is shown with its surroundings, a region without a name as it is.
    assert [p.size for p in pictures] == [(200, 100), (48, 36), (100, 50)]


def test_crops_stand_behind_their_name_and_place_and_what_was_not_found_is_said() -> None:
    items = user_turn(MEMORY, "interleaved")
    assert kinds(items) == ["image", "text", "image", "text", "image", "text"]
    assert items[1]["text"] == (
        "A closer view of the mug (from 10% to 30% across, from 10% to 40% down):"
    )
    assert "a part of the picture" in items[3]["text"]
    assert "not found in the picture: the spoon." in items[5]["text"]


def test_images_first_numbers_them() -> None:
    items = user_turn(MEMORY, "images_first")
    assert kinds(items) == ["image", "image", "image", "text"]
    assert "Image 2 is a closer view of the mug (from" in words(items)
    assert "not found in the picture: the spoon." in words(items)


def test_bare_says_nothing_but_the_question() -> None:
    assert words(user_turn(MEMORY, "bare")) == MEMORY.question


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_question_without_an_image_or_a_search_is_that_question(layout: str) -> None:
    assert user_turn(VisualWorkingMemory("Why?"), layout) == [{"type": "text", "text": "Why?"}]
    assert words(user_turn(VisualWorkingMemory("Why?", IMAGE), layout)) == "Why?"


def test_an_unknown_layout_and_crops_without_an_image_are_refused() -> None:
    with pytest.raises(ValueError, match="layout='x' is none of interleaved"):
        user_turn(MEMORY, "x")
    with pytest.raises(ValueError, match="need the image"):
        user_turn(VisualWorkingMemory("Why?", None, MEMORY.targets))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_controls_show_black_crops_of_the_same_size_and_tell_no_place(layout: str) -> None:
    noise = Image.effect_noise((200, 100), 90).convert("RGB")
    real = VisualWorkingMemory(MEMORY.question, noise, MEMORY.targets)
    black = user_turn(replace(real, crops_black=True), layout)
    whole, *crops = [item["image"] for item in black if item["type"] == "image"]
    seen = [item["image"] for item in user_turn(real, layout) if item["type"] == "image"]
    assert whole is noise and [crop.size for crop in crops] == [crop.size for crop in seen[1:]]
    assert all(crop.getextrema() == ((0, 0),) * 3 for crop in crops)
    assert not any(crop.getextrema() == ((0, 0),) * 3 for crop in seen)
    assert words(black) == words(user_turn(real, layout))
    hidden = words(user_turn(replace(real, crops_black=True, places_told=False), layout))
    told = 0 if layout == "bare" else 2
    assert hidden.count("(from 0% to 100% across, from 0% to 100% down)") == told
    assert "30%" not in hidden

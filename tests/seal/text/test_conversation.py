"""Placeholders, labels, cuts: what holds for every conversation."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seal.batch import IGNORE_INDEX, VISUAL_TOKEN, Row, Visual
from seal.text.conversation import (
    PLAIN,
    VQA,
    VSM,
    continuation_ids,
    conversation_row,
    conversation_text,
    move_image_to_front,
    prompt_row,
)
from seal.text.prompts import LOCATE_ANSWER, locate_question
from seal.text.tokenize import Tokenizer
from seal.text.tokens import VisualSizes
from seal.text.train_tokenizer import train_tokenizer

IMAGE, CROP = Visual(0, True), Visual(1, False)
ONE_EACH = VisualSizes(1, 1)  # the goldens' placeholders are not expanded
CUT_SIZES = VisualSizes(5, 2)
TURNS = [("<image>\nWhere is the cup?", "On the table."), ("Sure?", "Yes.")]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    texts = [conversation_text(VSM, TURNS), conversation_text(VQA, TURNS)]
    folder = tmp_path_factory.mktemp("tokenizer")
    return train_tokenizer(texts * 3, 330, folder, ["[LOC]", "<im_start>", "<im_end>"])


def test_what_surrounded_a_moved_image_stays() -> None:
    assert move_image_to_front("Look <image> here") == "<image>\nLook  here"
    assert move_image_to_front(" no image ") == " no image "


def test_placeholders_are_expanded_and_labels_cover_the_answers(tokenizer: Tokenizer) -> None:
    turns = [("Look: <object>; <object>. <image> What?", "A cup."), ("And?", "Yes.")]
    crops = [Visual(1, False), Visual(2, True)]
    row = conversation_row(
        tokenizer, VQA, turns, image=IMAGE, objects=crops, sizes=VisualSizes(5, 2)
    )
    assert row.visuals == (IMAGE, *crops)
    assert (row.input_ids == VISUAL_TOKEN).sum() == 5 + 2 + 5
    ids, labels = row.input_ids.tolist(), row.labels.tolist()
    answers = [id for _, answer in turns for id in continuation_ids(tokenizer, VQA, answer)]
    assert [label for label in labels if label != IGNORE_INDEX] == answers
    assert all(label in (IGNORE_INDEX, i) for i, label in zip(ids, labels, strict=True))


def test_dummy_slots_stand_behind_the_image_or_at_the_beginning(tokenizer: Tokenizer) -> None:
    dummy = Visual(1, False, attended=False)
    sizes = VisualSizes(3, 2)
    with_image = conversation_row(tokenizer, VQA, TURNS, image=IMAGE, dummies=[dummy], sizes=sizes)
    assert with_image.visuals == (IMAGE, dummy)
    assert with_image.attention_mask is not None
    start = with_image.input_ids.tolist().index(VISUAL_TOKEN)
    assert (~with_image.attention_mask).nonzero().flatten().tolist() == [start + 3, start + 4]
    text_only = conversation_row(
        tokenizer, VQA, [("Hi?", "Yes.")], dummies=[dummy, dummy], sizes=sizes
    )
    assert text_only.attention_mask is not None
    assert (~text_only.attention_mask).nonzero().flatten().tolist() == [1, 2, 3, 4]


def test_loc_is_found_where_it_is_predicted(tokenizer: Tokenizer) -> None:
    question = "<image>\n" + locate_question("cup")
    row = conversation_row(
        tokenizer, VSM, [(question, LOCATE_ANSWER)], image=IMAGE, sizes=VisualSizes(4, 1)
    )
    assert row.loc_position is not None
    assert row.input_ids[row.loc_position] == tokenizer.token_id("[LOC]")
    prompt = prompt_row(
        tokenizer,
        VSM,
        question,
        answer_prefix="Sure,",
        image=IMAGE,
        sizes=VisualSizes(4, 1),
    )
    assert torch.equal(prompt.input_ids, row.input_ids[: row.loc_position])
    forced = prompt_row(
        tokenizer, VSM, question, answer_prefix=LOCATE_ANSWER, image=IMAGE, sizes=VisualSizes(4, 1)
    )
    assert forced.loc_position == row.loc_position


def test_a_loc_in_a_question_is_text_like_any_other(tokenizer: Tokenizer) -> None:
    row = prompt_row(tokenizer, VSM, "<image>\nWhat is [LOC]?", image=IMAGE)
    assert row.loc_position is None and row.attention_mask is None


def test_a_prompt_continues_its_history(tokenizer: Tokenizer) -> None:
    whole = conversation_row(tokenizer, VQA, TURNS, image=IMAGE)
    prompt = prompt_row(tokenizer, VQA, TURNS[1][0], history=TURNS[:1], image=IMAGE)
    answer = continuation_ids(tokenizer, VQA, TURNS[1][1])
    assert prompt.input_ids.tolist() + answer == whole.input_ids.tolist()


def test_a_cut_keeps_what_fits(tokenizer: Tokenizer) -> None:
    whole = conversation_row(tokenizer, VQA, TURNS, image=IMAGE, sizes=VisualSizes(4, 1))
    text_tokens = len(whole.input_ids) - 3  # the image counts as one
    cut = conversation_row(
        tokenizer,
        VQA,
        TURNS,
        image=IMAGE,
        sizes=VisualSizes(4, 1),
        max_text_tokens=text_tokens - 2,
    )
    assert torch.equal(cut.input_ids, whole.input_ids[:-2])
    assert torch.equal(cut.labels, whole.labels[:-2])


def units(row: Row) -> list[tuple[int, int]]:
    """Where each token and each whole run of visual tokens begins and ends."""
    sizes = iter([CUT_SIZES.count(visual.long) for visual in row.visuals])
    found, at = [], 0
    while at < len(row.input_ids):
        size = next(sizes) if row.input_ids[at] == VISUAL_TOKEN else 1
        found.append((at, at + size))
        at += size
    return found


@st.composite
def conversations(draw: st.DrawFn) -> dict[str, Any]:
    """Chats of both models with the image and the objects in any turn, and searches."""
    words = st.lists(st.sampled_from(["cup", "on", "the", "table", "Yes", "Where"]), max_size=6)
    kind = draw(st.sampled_from(["chat", "padded", "search", "search model's chat", "caption"]))
    if kind == "search":
        question = f"<image>\n{locate_question(' '.join(draw(words)) or 'cup')}"
        return {"template": VSM, "turns": [(question, LOCATE_ANSWER)], "image": IMAGE}
    if kind == "caption":
        answer = " ".join(draw(words)) + "."
        return {"template": PLAIN, "turns": [("<image>", answer)], "image": IMAGE}
    count = draw(st.integers(1, 4))
    questions = [" ".join(draw(words)) + "?" for _ in range(count)]
    shows = kind == "padded" or draw(st.booleans())
    if shows:
        questions[draw(st.integers(0, count - 1))] += " <image>"
    objects = draw(st.integers(0, 3)) if kind in ("chat", "padded") else 0
    for _ in range(objects):
        turn = draw(st.integers(0, count - 1))
        questions[turn] += " the cup <object>"
    slot = Visual(9, False, attended=False)
    return {
        "template": VSM if kind == "search model's chat" else VQA,
        "turns": [(question, " ".join(draw(words)) + ".") for question in questions],
        "image": IMAGE if shows else None,
        "objects": [Visual(1 + i, bool(objects == 1)) for i in range(objects)],
        "dummies": [slot] * (3 - objects) if kind == "padded" else [],
        "masked_loc": kind == "search model's chat" and draw(st.booleans()),
    }


@given(conversation=conversations(), data=st.data())
@settings(max_examples=200, deadline=None, derandomize=True)
def test_a_cut_leaves_every_picture_and_location_whole_or_is_an_error(
    tokenizer: Tokenizer, conversation: dict[str, Any], data: st.DataObject
) -> None:
    template, turns = conversation.pop("template"), conversation.pop("turns")
    build = partial(
        conversation_row, tokenizer, template, turns, sizes=CUT_SIZES, record="r7", **conversation
    )
    whole = build()
    pieces = units(whole)
    limit = data.draw(st.integers(1, len(pieces) + 2))
    end = pieces[min(limit, len(pieces)) - 1][1]
    labels = whole.labels[:end]
    pictures = sum(visual.attended for visual in whole.visuals)
    runs = (whole.input_ids == VISUAL_TOKEN) & (
        True if whole.attention_mask is None else whole.attention_mask
    )
    whole_runs = int(runs.sum()) == int(runs[:end].sum())
    loc_stays = whole.loc_position is None or whole.loc_position < end
    if loc_stays and whole_runs and bool((labels != IGNORE_INDEX).any()):
        row = build(max_text_tokens=limit)
        assert torch.equal(row.input_ids, whole.input_ids[:end])
        assert torch.equal(row.labels, labels)
        assert sum(visual.attended for visual in row.visuals) == pictures
        assert row.loc_position == whole.loc_position
        assert len(units(row)) == min(limit, len(pieces))
        tokens = sum(CUT_SIZES.count(visual.long) for visual in row.visuals)
        assert int((row.input_ids == VISUAL_TOKEN).sum()) == tokens
        return
    message = rf"record r7: a cut at {limit} of {len(pieces)} .* or more, or drop the record"
    with pytest.raises(ValueError, match=message):
        build(max_text_tokens=limit)


def test_an_error_about_a_cut_names_what_is_lost_and_the_setting(tokenizer: Tokenizer) -> None:
    turns = [("Hi?", "Yes."), ("<image> The cup <object> or <object>?", "On the table.")]
    crops = [Visual(1, False), Visual(2, False)]
    build = partial(
        conversation_row, tokenizer, VQA, turns, image=IMAGE, objects=crops, limit="max_words"
    )
    ids = build(sizes=ONE_EACH).input_ids.tolist()
    last = max(at for at, token in enumerate(ids) if token == VISUAL_TOKEN)
    with pytest.raises(ValueError, match=r"loses 1 of the 3 pictures it shows; raise max_words by"):
        build(max_text_tokens=last)
    row = build(max_text_tokens=last + 1)  # the answer before them is still learnt
    assert row.visuals == (IMAGE, *crops) and (row.labels != IGNORE_INDEX).any()


@pytest.mark.parametrize("limit", [3, 20])
def test_a_cut_that_loses_every_label_is_an_error(tokenizer: Tokenizer, limit: int) -> None:
    with pytest.raises(ValueError, match=rf"record r7: a cut at {limit} .* loses every label"):
        conversation_row(tokenizer, VQA, TURNS, image=IMAGE, max_text_tokens=limit, record="r7")


def test_a_cut_that_loses_the_loc_is_an_error(tokenizer: Tokenizer) -> None:
    turns = [("<image>\n" + locate_question("cup"), LOCATE_ANSWER)]
    whole = conversation_row(tokenizer, VSM, turns, image=IMAGE, sizes=ONE_EACH)
    assert whole.loc_position is not None
    with pytest.raises(ValueError, match=r"loses the \[LOC\]"):
        conversation_row(
            tokenizer, VSM, turns, image=IMAGE, sizes=ONE_EACH, max_text_tokens=whole.loc_position
        )


@pytest.mark.parametrize(
    ("question", "answer", "message"),
    [
        ("Hi?", "", "an answer is empty"),
        ("Hi?", " \n", "an answer is empty"),
        ("Hi?", "Yes.</s> No.", "an answer contains '</s>'"),
        ("Hi?", "ASSISTANT: No.", "an answer contains 'ASSISTANT: '"),
        ("Hi?", "It is <object>.", "an answer contains '<object>'"),
        ("Hi</s>?", "Yes.", "a question contains '</s>'"),
        ("<image> Hi?", "Yes.", "1 <image> and 0 <object>, but there are 0 images"),
        ("<object> Hi?", "Yes.", "0 <image> and 1 <object>"),
        ("Hi?", "[LOC] [LOC]", r"2 \[LOC\]"),
    ],
)
def test_what_cannot_be_learnt_is_an_error_that_names_the_record(
    tokenizer: Tokenizer, question: str, answer: str, message: str
) -> None:
    with pytest.raises(ValueError, match=f"record r7: .*{message}"):
        conversation_row(tokenizer, VQA, [(question, answer)], record="r7")


def test_a_conversation_without_turns_is_refused(tokenizer: Tokenizer) -> None:
    with pytest.raises(ValueError, match="no turn"):
        conversation_row(tokenizer, VQA, [])


def test_the_plain_format_has_one_turn_and_no_prompt(tokenizer: Tokenizer) -> None:
    with pytest.raises(ValueError, match="one turn"):
        conversation_row(tokenizer, PLAIN, TURNS, image=IMAGE)
    with pytest.raises(ValueError, match="no prompt"):
        prompt_row(tokenizer, PLAIN, "Hi?")

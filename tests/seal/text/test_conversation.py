"""Placeholders, labels, cuts: what holds for every conversation."""

from __future__ import annotations

import pytest
import torch

from seal.batch import IGNORE_INDEX, VISUAL_TOKEN, Visual
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
from seal.text.prompts import LOCATE_ANSWER, LOCATE_PREFIX, locate_question
from seal.text.tokenize import Tokenizer
from seal.text.tokens import VisualSizes
from seal.text.train_tokenizer import train_tokenizer

IMAGE, CROP = Visual(0, True), Visual(1, False)
ONE_EACH = VisualSizes(1, 1)  # the goldens' placeholders are not expanded
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
        answer_prefix=LOCATE_PREFIX,
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

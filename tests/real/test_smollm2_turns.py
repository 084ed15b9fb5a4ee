"""SEAL's rows in the chat template of the real SmolLM2, with its real vocabulary."""

from __future__ import annotations

import pytest
from transformers import AutoTokenizer

from seal.batch import IGNORE_INDEX, VISUAL_TOKEN, Visual
from seal.geometry import Box
from seal.text.chat_template import choose_template
from seal.text.conversation import conversation_row, end_ids, prompt_row
from seal.text.prompts import focused_question, object_phrase, refusal
from seal.text.tokenize import load_tokenizer
from seal.text.tokens import VisualSizes

pytestmark = pytest.mark.real


def test_rows_are_what_its_own_tokenizer_makes_of_its_template(smollm2):
    own, theirs = load_tokenizer(smollm2), AutoTokenizer.from_pretrained(smollm2)
    template = choose_template(own, "vqa", "chat")
    theirs.add_tokens(["<image>", "<object>"])
    shown = set(theirs.convert_tokens_to_ids(["<image>", "<object>"]))
    phrase = object_phrase("red mug", Box(10, 20, 50, 60), 640, 480)
    turns = [
        ("<image>\n" + focused_question([phrase], "What is on the mug?"), refusal(["lid", "café"])),
        ("In 2024, what's 12 + 30?\n\n  Be brief.", "42, naïvely.\nYes."),
    ]
    messages = []
    for question, answer in turns:
        messages += [{"role": "user", "content": question}]
        prompt = theirs.apply_chat_template(messages, add_generation_prompt=True, return_dict=True)[
            "input_ids"
        ]
        row = prompt_row(
            own, template, question, history=turns[: len(messages) // 2],
            image=Visual(0, True), objects=[Visual(1, True)], sizes=VisualSizes(1, 1),
        )  # fmt: skip
        assert row.input_ids.tolist() == [VISUAL_TOKEN if i in shown else i for i in prompt]
        messages += [{"role": "assistant", "content": answer}]
    row = conversation_row(
        own, template, turns, image=Visual(0, True), objects=[Visual(1, True)],
        sizes=VisualSizes(1, 1),
    )  # fmt: skip
    learnt = [label for label in row.labels.tolist() if label != IGNORE_INDEX]
    said = own.decode(learnt, skip_special=False)
    assert said == "".join(f"{answer}<|im_end|>" for _, answer in turns)
    assert {own.token_id("<|im_end|>"), own.token_id("<|endoftext|>")} == end_ids(own, template)

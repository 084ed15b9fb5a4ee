"""Rows in a tokenizer's own chat template, compared with `apply_chat_template` of transformers."""

from __future__ import annotations

import functools
import json
import pickle
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
import tiny_tokenizers
import torch
from transformers import AutoTokenizer

from seal.batch import IGNORE_INDEX, VISUAL_TOKEN, Row, Visual
from seal.text.chat_template import choose_template
from seal.text.conversation import (
    PLAIN,
    VQA,
    Template,
    continuation_ids,
    conversation_row,
    conversation_text,
    end_ids,
    prompt_row,
    prompt_text,
)
from seal.text.extend_tokenizer import extend_tokenizer
from seal.text.prompts import LOCATE_ANSWER, locate_question
from seal.text.tokenize import Tokenizer, load_tokenizer
from seal.text.tokens import LOC_TOKEN, SEARCH_TOKENS, VisualSizes

FAMILIES = list(tiny_tokenizers.FAMILIES)
IMAGE, CROP = Visual(0, True), Visual(1, False)
ONE_EACH = VisualSizes(1, 1)
TURNS = [
    ("<image>\nWhat's left of the mug <object> at [0.1, 0.2]?", "The red boat, I'd say."),
    ("红色的杯子在哪里?\n\nAnswer  briefly.", "在桌子的左边。"),
    ("Are there 12 of them?", "Yes.\nThere are 12."),
]


@functools.cache
def tokenizer(family: str) -> Tokenizer:
    """Of the family, with SEAL's tokens behind its own."""
    place = Path(tempfile.mkdtemp(prefix="extended-tokenizer-"))
    return extend_tokenizer(tiny_tokenizers.folder(family), place, SEARCH_TOKENS)


@functools.cache
def reference(family: str) -> Any:
    """The same files in transformers' hands, placeholders being tokens like any other."""
    made = AutoTokenizer.from_pretrained(tokenizer(family).folder)
    made.add_tokens(["<image>", "<object>"])
    made.chat_template = made.chat_template.replace("strftime_now('%Y-%m-%d')", "'2024-07-26'")
    return made


def messages(turns: list[tuple[str, str]], question: str | None = None) -> list[dict[str, str]]:
    pairs = [
        {"role": role, "content": text}
        for turn in turns
        for role, text in zip(("user", "assistant"), turn, strict=True)
    ]
    return pairs if question is None else [*pairs, {"role": "user", "content": question}]


def rendered(family: str, turns: list[tuple[str, str]], question: str | None = None) -> str:
    text: str = reference(family).apply_chat_template(
        messages(turns, question),
        tokenize=False,
        add_generation_prompt=question is not None,
        enable_thinking=False,
        date_string="26 Jul 2024",
    )
    return text


def encoded(family: str, text: str) -> tuple[list[int], list[tuple[int, int]]]:
    """Ids as the row has them, each picture one visual token, and the characters they stand for."""
    found = reference(family)(text, add_special_tokens=False, return_offsets_mapping=True)
    pictures = reference(family).convert_tokens_to_ids(["<image>", "<object>"])
    ids = [VISUAL_TOKEN if i in pictures else i for i in found["input_ids"]]
    return ids, found["offset_mapping"]


def row_of(family: str, turns: list[tuple[str, str]], model: str = "vqa") -> Row:
    own = tokenizer(family)
    first = turns[0][0]
    return conversation_row(
        own,
        choose_template(own, model, "chat"),
        turns,
        image=IMAGE if "<image>" in first else None,
        objects=[CROP] * first.count("<object>"),
        sizes=ONE_EACH,
    )


def learnt(row: Row) -> list[int]:
    return [label for label in row.labels.tolist() if label != IGNORE_INDEX]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_prompt_is_what_the_chat_template_makes_of_it(family: str) -> None:
    own = tokenizer(family)
    template = choose_template(own, "vqa", "chat")
    for question, _ in TURNS:
        row = prompt_row(
            own,
            template,
            question,
            image=IMAGE if "<image>" in question else None,
            objects=[CROP] * question.count("<object>"),
            sizes=ONE_EACH,
        )
        text = rendered(family, [], question)
        assert prompt_text(template, question) == text
        assert row.input_ids.tolist() == encoded(family, text)[0]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("count", [1, 2, 3])
def test_labels_are_the_answers_and_their_ends_and_nothing_else(family: str, count: int) -> None:
    turns = TURNS[:count]
    row = row_of(family, turns)
    text = rendered(family, turns)
    if family == "qwen3":  # leaves out what an earlier answer was generated behind
        before = "<|im_start|>assistant\n"
        parts = text.replace(f"{before}<think>\n\n</think>\n\n", before).split(before)
        text = f"{before}<think>\n\n</think>\n\n".join(parts)
    stop = choose_template(tokenizer(family), "vqa", "chat").stop
    text = text[: text.rindex(stop) + len(stop)]
    ids, places = encoded(family, text)
    wanted = [False] * len(ids)
    at = 0
    for _, answer in turns:
        at = text.index(answer + stop, at)
        start = at - (family == "mistral")  # a space before every answer, part of its first piece
        at += len(answer + stop)
        wanted = [w or start <= a < at for w, (a, _) in zip(wanted, places, strict=True)]
    assert row.input_ids.tolist() == ids
    assert row.labels.tolist() == [
        i if is_learnt else IGNORE_INDEX for i, is_learnt in zip(ids, wanted, strict=True)
    ]


@pytest.mark.parametrize("family", FAMILIES)
def test_options_are_scored_by_what_a_row_would_learn(family: str) -> None:
    own = tokenizer(family)
    template = choose_template(own, "vqa", "chat")
    for question, answer in TURNS[1:]:
        row = row_of(family, [(question, answer)])
        assert learnt(row) == continuation_ids(own, template, answer)
        prompt = prompt_row(own, template, question).input_ids.tolist()
        assert prompt + learnt(row) == row.input_ids.tolist()
        assert learnt(row)[-1] in end_ids(own, template)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_prompt_continues_its_history(family: str) -> None:
    own = tokenizer(family)
    template = choose_template(own, "vqa", "chat")
    whole = row_of(family, TURNS)
    prompt = prompt_row(
        own, template, TURNS[2][0], history=TURNS[:2], image=IMAGE, objects=[CROP], sizes=ONE_EACH
    ).input_ids.tolist()
    assert prompt + continuation_ids(own, template, TURNS[2][1]) == whole.input_ids.tolist()


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("before", [" ", "\n", "\n\n"])
def test_whitespace_around_an_answer_is_not_learnt(family: str, before: str) -> None:
    own = tokenizer(family)
    template = choose_template(own, "vqa", "chat")
    row = row_of(family, [("What?", f"{before}A mug. ")])
    assert torch.equal(row.input_ids, row_of(family, [("What?", "A mug.")]).input_ids)
    assert learnt(row) == continuation_ids(own, template, f"{before}A mug.")


@pytest.mark.parametrize("family", FAMILIES)
def test_a_location_is_found_where_it_is_predicted(family: str) -> None:
    own = tokenizer(family)
    template = choose_template(own, "vsm", "chat")
    question = "<image>\n" + locate_question("mug")
    row = row_of(family, [(question, LOCATE_ANSWER)], "vsm")
    assert row.loc_position is not None
    assert row.input_ids[row.loc_position] == own.token_id(LOC_TOKEN)
    assert own.decode(learnt(row)).strip() == LOCATE_ANSWER  # nothing inserted around the token
    prompt = prompt_row(
        own, template, question, answer_prefix=LOCATE_ANSWER, image=IMAGE, sizes=ONE_EACH
    )
    assert prompt.loc_position == row.loc_position
    ids = prompt.input_ids.tolist()
    assert ids == row.input_ids.tolist()[: len(ids)] and not learnt(prompt)
    start, end = own.token_id("<im_start>"), own.token_id("<im_end>")
    at = ids.index(VISUAL_TOKEN)
    assert (ids[at - 1], ids[at + 1]) == (start, end)


@pytest.mark.parametrize("family", FAMILIES)
def test_alignment_and_the_vicuna_style_work_with_any_tokenizer(family: str) -> None:
    own = tokenizer(family)
    row = conversation_row(own, PLAIN, [("<image>", "A mug.")], image=IMAGE, sizes=ONE_EACH)
    begun = [] if own.bos_id is None else [own.bos_id]
    assert row.input_ids.tolist()[: len(begun) + 1] == [*begun, VISUAL_TOKEN]
    assert own.decode(learnt(row)) == "A mug.\n"
    template = choose_template(own, "vqa", "vicuna")
    assert template.stop == own.eos_token
    row = conversation_row(own, template, [("Is it?", "Yes.")])
    assert learnt(row)[-1] == own.eos_id
    assert own.decode(row.input_ids.tolist()).strip() == (
        f"{VQA.system} USER: Is it? ASSISTANT: Yes."
    )


def test_the_day_of_a_prompt_is_fixed() -> None:
    for family, day in (("llama3", "Today: 26 Jul 2024"), ("mistral_tekken", "It is 2024-07-26.")):
        assert day in prompt_text(choose_template(tokenizer(family), "vqa", "chat"), "Is it?")


@pytest.mark.parametrize("family", FAMILIES)
def test_control_tokens_in_a_question_or_an_answer_are_refused(family: str) -> None:
    own = tokenizer(family)
    for token in (choose_template(own, "vqa", "chat").stop, own.eos_token, "<im_start>"):
        with pytest.raises(ValueError, match="record r7: a question contains"):
            conversation_row(
                own, choose_template(own, "vqa", "chat"), [(f"Is{token}?", "Yes.")], record="r7"
            )
        with pytest.raises(ValueError, match="an answer contains"):
            row_of(family, [("Is it?", f"Yes{token} it is.")])
    with pytest.raises(ValueError, match="an answer is empty"):
        row_of(family, [("Is it?", " \n")])


def test_text_that_the_chat_template_drops_is_refused() -> None:
    own = tokenizer("qwen3")
    with pytest.raises(ValueError, match=r"record r7: the chat template of .* writes"):
        conversation_row(
            own, choose_template(own, "vqa", "chat"), [("Is it?", "So </think> yes.")], record="r7"
        )


def changed(tmp_path: Path, template: str | None, family: str = "qwen2_5") -> Tokenizer:
    shutil.copytree(tiny_tokenizers.folder(family), tmp_path, dirs_exist_ok=True)
    (tmp_path / "chat_template.jinja").unlink()
    if template is not None:
        (tmp_path / "chat_template.jinja").write_text(template)
    return load_tokenizer(tmp_path)


def turns(user: str = "{{ m.content }}", said: str = "{{ m.content }}<|im_end|>") -> str:
    """A short template with these ways to write a question and an answer."""
    return (
        "{% for m in messages %}{% if m.role == 'user' %}<|im_start|>" + user + "\n"
        "{% else %}" + said + "{% endif %}{% endfor %}"
    )


@pytest.mark.parametrize(
    ("template", "message"),
    [
        (None, r"has no chat template .*eval/convert chat_template=FILE .* prompt_style=vicuna"),
        (turns(user="{% for c in m.content %}{{ c.text }}{% endfor %}"), "leaves out the text"),
        (turns(user="{{ m.content }}{{ m.content }}"), "leaves out the text|twice"),
        (turns(user="{{ m.content | upper }}"), "leaves out the text"),
        (turns(user="{{ m.content | replace('red', 'blue') }}"), "writes '.*blue"),
        (turns(said="{{ m.content.split('.')[0] }}<|im_end|>"), "writes"),
        (turns(said="{{ m.content }}END\n"), "does not end an answer with a token"),
        (turns(said="A: {{ m.content }}<|im_end|>"), "begins an answer otherwise"),
        ("{{ messages | length }}" + turns(), "begins otherwise when more turns follow"),
        (
            turns() + "{% if add_generation_prompt %}<think>\n{% endif %}",
            "thoughts, which cannot be turned off",
        ),
        ("{{ raise_exception('no chat') }}", "cannot be used .*no chat"),
        ("{% for m in messages %}", "cannot be used"),
    ],
)
def test_a_chat_template_that_cannot_be_followed_is_refused(
    tmp_path: Path, template: str | None, message: str
) -> None:
    with pytest.raises(ValueError, match=f"(?s){message}") as error:
        choose_template(changed(tmp_path, template), "vqa", "chat")
    assert str(tmp_path) in str(error.value) and "prompt_style=vicuna" in str(error.value)


def test_a_short_template_is_followed(tmp_path: Path) -> None:
    template = choose_template(changed(tmp_path, turns()), "vqa", "chat")
    assert conversation_text(template, [("a?", "b"), ("c?", "d")]) == (
        "<|im_start|>a?\nb<|im_end|><|im_start|>c?\nd<|im_end|>"
    )


def test_a_template_among_the_settings_is_read(tmp_path: Path) -> None:
    changed(tmp_path, None)
    path = tmp_path / "tokenizer_config.json"
    settings = json.loads(path.read_text())
    named = [{"name": "tools", "template": "no"}, {"name": "default", "template": turns()}]
    for told in (turns(), named):
        path.write_text(json.dumps(settings | {"chat_template": told}))
        assert load_tokenizer(tmp_path).chat_template == turns()


def test_an_unknown_style_is_named() -> None:
    with pytest.raises(ValueError, match="prompt_style='alpaca' is none of vicuna, chat"):
        choose_template(tokenizer("qwen3"), "vqa", "alpaca")


@pytest.mark.parametrize("family", FAMILIES)
def test_a_caption_cannot_end_itself(family: str) -> None:
    own = tokenizer(family)
    with pytest.raises(ValueError, match="record r7: an answer contains"):
        conversation_row(
            own, PLAIN, [("<image>", f"A mug{own.eos_token}.")], image=IMAGE, record="r7"
        )


@pytest.mark.parametrize("family", FAMILIES)
def test_another_process_makes_the_same_rows(family: str) -> None:
    own = tokenizer(family)
    sent: tuple[Tokenizer, Template] = pickle.loads(
        pickle.dumps((own, choose_template(own, "vqa", "chat")))
    )
    there = conversation_row(*sent, TURNS[1:])
    assert torch.equal(there.input_ids, row_of(family, TURNS[1:]).input_ids)

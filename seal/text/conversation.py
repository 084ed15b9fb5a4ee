"""Turn a conversation into a `Row`: template, placeholders expanded, labels on the answers alone.

Must agree with the ids and labels of the original training code; where that code lost its labels
in silence (an empty answer, a `</s>` in the text, a cut that leaves nothing), this raises.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from seal.batch import IGNORE_INDEX, VISUAL_TOKEN, Row, Visual
from seal.text.quote import quoted
from seal.text.template import PLAIN, VQA, VSM, Template
from seal.text.tokenize import Tokenizer
from seal.text.tokens import IMAGE_PLACEHOLDER, LOC_TOKEN, OBJECT_PLACEHOLDER, VisualSizes

__all__ = [
    "IMAGE_SLOT",
    "OBJECT_SLOT",
    "PLAIN",
    "VQA",
    "VSM",
    "Template",
    "continuation_ids",
    "conversation_row",
    "conversation_text",
    "encode_slots",
    "end_ids",
    "move_image_to_front",
    "prompt_row",
    "prompt_text",
]


# Placeholders inside a token list, before they are expanded; no id of a vocabulary is negative.
IMAGE_SLOT, OBJECT_SLOT = -1, -2
_DUMMY_SLOT = -3


def conversation_row(
    tokenizer: Tokenizer,
    template: Template,
    turns: Sequence[tuple[str, str]],
    *,
    image: Visual | None = None,
    objects: Sequence[Visual] = (),
    dummies: Sequence[Visual] = (),
    sizes: VisualSizes | None = None,
    max_text_tokens: int | None = None,
    masked_loc: bool = False,
    limit: str = "the maximum length",
    record: str = "",
) -> Row:
    """A row that learns the answers of `turns` and the end of each.

    Args:
        turns: (question, answer) pairs; `<image>` may stand anywhere in a question and is moved
            to its front.
        image: what the one `<image>` shows; None: there is no `<image>`.
        objects: what the `<object>`s show, in order.
        dummies: slots of `object_slots=padded`: not attended, behind the image or, in a row
            without one, at the beginning.
        max_text_tokens: longer rows are cut; a visual run counts as one token, so that none is cut
            in two. A cut that would remove the image, an object, the `[LOC]` of an answer or every
            label is an error; that the end of an answer is cut off is none.
        masked_loc: `chat_loc_slot=as_released`: a `[LOC]` behind the image, not attended.
        limit: the setting behind `max_text_tokens`, named in errors.
        record: named in errors.
    """
    if not turns:
        raise ValueError(f"{_named(record)}the conversation has no turn")
    ids = _beginning(tokenizer, template)
    learnt, start = [False] * len(ids), len(ids)
    said = _checked(template, turns, None, masked_loc, record)
    if template.plain:
        _check_caption(tokenizer, said[0][1], record)
    for index, (question, answer) in enumerate(said):
        prompt = f"{template.opening(index == 0)}{question}{template.closing}"
        answered = f"{template.lead}{answer}{template.stop}"
        prompt_ids, answer_ids = _continued(tokenizer, prompt, answered, record)
        ids += prompt_ids + answer_ids
        learnt += [False] * len(prompt_ids) + [True] * len(answer_ids)
    whole = len(ids) + len(dummies)
    cut = whole if max_text_tokens is None else max_text_tokens
    sizes = sizes or VisualSizes()
    row = _row(ids, learnt, image, objects, dummies, sizes, cut, record, start)
    row = _with_loc(tokenizer, row, masked_loc=masked_loc, record=record)
    wants_loc = LOC_TOKEN in tokenizer and any(LOC_TOKEN in answer for _, answer in turns)
    if lost := _lost(row, len(objects) + (image is not None), wants_loc):
        raise ValueError(
            f"{_named(record)}a cut at {cut} of {whole} text tokens loses {lost}; raise {limit} by "
            f"{whole - cut} or more, or drop the record"
        )
    return row


def _lost(row: Row, num_pictures: int, wants_loc: bool) -> str:
    """What a cut must not take, and took: without it the rest of the row says something else."""
    if wants_loc and row.loc_position is None:
        return f"the {LOC_TOKEN}"
    if not (row.labels != IGNORE_INDEX).any():
        return "every label"
    missing = num_pictures - sum(visual.attended for visual in row.visuals)
    return f"{missing} of the {num_pictures} pictures it shows" if missing else ""


def prompt_row(
    tokenizer: Tokenizer,
    template: Template,
    question: str,
    *,
    history: Sequence[tuple[str, str]] = (),
    answer_prefix: str = "",
    image: Visual | None = None,
    objects: Sequence[Visual] = (),
    sizes: VisualSizes | None = None,
    record: str = "",
) -> Row:
    """A row without labels that ends after `ASSISTANT:`, or after the forced `answer_prefix`."""
    if template.plain:
        raise ValueError("the plain template has no prompt to answer")
    ids = _beginning(tokenizer, template)
    *said, (asked, _) = _checked(template, history, question, False, record)
    for index, (earlier, answer) in enumerate(said):
        ids += encode_slots(tokenizer, _turn_text(template, index == 0, earlier, answer))
    prompt = f"{template.opening(not history)}{asked}{template.closing}"
    if answer_prefix:
        begun = template.lead + template.written(answer_prefix)
        prompt_ids, prefix_ids = _continued(tokenizer, prompt, begun, record)
    else:
        prompt_ids, prefix_ids = encode_slots(tokenizer, prompt), []
    ids += prompt_ids
    forced = [False] * len(ids) + [True] * len(prefix_ids)
    ids += prefix_ids
    sizes = sizes or VisualSizes()
    # Labels tell where the prefix is until its `[LOC]` is found; nothing here is learnt.
    row = _row(ids, forced, image, objects, (), sizes, len(ids), record)
    row = _with_loc(tokenizer, row, masked_loc=False, record=record)
    return replace(row, labels=torch.full_like(row.labels, IGNORE_INDEX))


def continuation_ids(
    tokenizer: Tokenizer, template: Template, answer: str, *, stop: bool = True
) -> list[int]:
    """The ids of `answer` behind `ASSISTANT:`, the end of sequence included.

    What an option is scored by. The same after every prompt, for text before the role mark cannot
    merge with what follows it.
    """
    _check_answer(template, answer, "")
    text = template.lead + template.written(answer) + (template.stop if stop else "")
    return _continued(tokenizer, template.stands_before, text, "")[1]


def end_ids(tokenizer: Tokenizer, template: Template) -> frozenset[int]:
    """Any of these ends an answer."""
    return tokenizer.stop_ids | {*tokenizer.encode(template.stop, bos=False)[-1:]}


def move_image_to_front(question: str) -> str:
    """`<image>` wherever it stood, then a newline and the question."""
    if IMAGE_PLACEHOLDER not in question:
        return question
    rest = question.replace(IMAGE_PLACEHOLDER, "").strip()
    return f"{IMAGE_PLACEHOLDER}\n{rest}".strip()


def conversation_text(template: Template, turns: Sequence[tuple[str, str]]) -> str:
    """The whole conversation as text, placeholders not expanded."""
    return "".join(
        _turn_text(template, index == 0, question, answer)
        for index, (question, answer) in enumerate(_checked(template, turns, None, False, ""))
    )


def prompt_text(template: Template, question: str) -> str:
    """The text a first question becomes, up to where the answer starts."""
    ((asked, _),) = _checked(template, (), question, False, "")
    return f"{template.opening(True)}{asked}{template.closing}"


def _turn_text(template: Template, first: bool, question: str, answer: str) -> str:
    prompt = f"{template.opening(first)}{question}{template.closing}"
    return f"{prompt}{template.lead}{answer}{template.stop}"


def _checked(
    template: Template,
    turns: Sequence[tuple[str, str]],
    asked: str | None,
    masked_loc: bool,
    record: str,
) -> list[tuple[str, str]]:
    """Turns as they are written, images in front; `asked` comes last, with an empty answer."""
    said = []
    for index, (question, answer) in enumerate(turns):
        _check_answer(template, answer, record)
        written = _question(template, question, index == 0, masked_loc, record)
        said.append((written, template.written(answer)))
    last = None
    if asked is not None:
        last = _question(template, asked, not turns, masked_loc, record)
    try:
        template.check(said, last)
    except ValueError as error:
        raise ValueError(f"{_named(record)}{error}") from error
    return said if last is None else [*said, (last, "")]


def _question(template: Template, question: str, first: bool, masked_loc: bool, record: str) -> str:
    """A question as it stands in its row."""
    if template.plain:
        if not first:
            raise ValueError(f"{_named(record)}the plain format has one turn")
        return IMAGE_PLACEHOLDER if IMAGE_PLACEHOLDER in question else ""
    if (mark := template.mark_in(question)) is not None:
        raise ValueError(f"{_named(record)}a question contains {mark!r}: {quoted(question)}")
    question = template.written(move_image_to_front(question))
    slot = LOC_TOKEN if masked_loc else ""
    return question.replace(IMAGE_PLACEHOLDER, template.image + slot)


def _beginning(tokenizer: Tokenizer, template: Template) -> list[int]:
    """What stands before the text of a row."""
    return [] if template.writes_bos or tokenizer.bos_id is None else [tokenizer.bos_id]


def _check_answer(template: Template, answer: str, record: str) -> None:
    if not answer.strip():
        raise ValueError(f"{_named(record)}an answer is empty")
    mark = template.mark_in(answer)
    placeholders = (IMAGE_PLACEHOLDER, OBJECT_PLACEHOLDER)
    mark = mark or next((each for each in placeholders if each in answer), None)
    if mark is not None:
        raise ValueError(f"{_named(record)}an answer contains {mark!r}: {quoted(answer)}")


def _check_caption(tokenizer: Tokenizer, answer: str, record: str) -> None:
    """A caption has no marks of turns to look for, but it may not end itself either."""
    mark = next((mark for mark in sorted(tokenizer.control_tokens) if mark in answer), None)
    if mark is not None:
        raise ValueError(f"{_named(record)}an answer contains {mark!r}: {quoted(answer)}")


def encode_slots(tokenizer: Tokenizer, text: str) -> list[int]:
    """Ids of `text` without BOS; a placeholder is `IMAGE_SLOT` or `OBJECT_SLOT`.

    The original took the first placeholder of a text for the image whatever it said; here the
    text decides.
    """
    return tokenizer.encode_slots(
        text, {IMAGE_PLACEHOLDER: IMAGE_SLOT, OBJECT_PLACEHOLDER: OBJECT_SLOT}
    )


def _continued(
    tokenizer: Tokenizer, prompt: str, text: str, record: str
) -> tuple[list[int], list[int]]:
    """Ids of `prompt` and of what follows it, tokenized together."""
    prompt_ids = encode_slots(tokenizer, prompt)
    ids = encode_slots(tokenizer, prompt + text)
    if ids[: len(prompt_ids)] != prompt_ids:
        raise ValueError(
            f"{_named(record)}labels do not line up: the tokenizer merges the end of "
            f"{prompt[-30:]!r} with the beginning of {text[:30]!r}"
        )
    if tokenizer.unk_id is not None and tokenizer.unk_id in ids[len(prompt_ids) :]:
        unknown = tokenizer.decode([tokenizer.unk_id], skip_special=False)
        if unknown not in text:
            raise ValueError(f"{_named(record)}the vocabulary cannot write {quoted(text)}")
    return prompt_ids, ids[len(prompt_ids) :]


def _row(
    ids: list[int],
    learnt: list[bool],
    image: Visual | None,
    objects: Sequence[Visual],
    dummies: Sequence[Visual],
    sizes: VisualSizes,
    cut: int,
    record: str,
    start: int = 1,
) -> Row:
    """Put the visuals in, cut, and expand every slot to its number of visual tokens.

    start: where dummies stand in a row without an image.
    """
    num_images, num_objects = ids.count(IMAGE_SLOT), ids.count(OBJECT_SLOT)
    if num_images != (image is not None) or num_objects != len(objects):
        raise ValueError(
            f"{_named(record)}the text has {num_images} {IMAGE_PLACEHOLDER} and {num_objects} "
            f"{OBJECT_PLACEHOLDER}, but there are {int(image is not None)} images and "
            f"{len(objects)} targets for them (at most one image)"
        )
    behind = ids.index(IMAGE_SLOT) + 1 if image is not None else start
    ids = ids[:behind] + [_DUMMY_SLOT] * len(dummies) + ids[behind:]
    learnt = learnt[:behind] + [False] * len(dummies) + learnt[behind:]

    shown: dict[int, list[Visual]] = {
        IMAGE_SLOT: [] if image is None else [image],
        OBJECT_SLOT: list(objects),
        _DUMMY_SLOT: list(dummies),
    }
    input_ids: list[int] = []
    labels: list[int] = []
    attended: list[bool] = []
    visuals: list[Visual] = []
    for token, is_learnt in zip(ids[:cut], learnt[:cut], strict=True):
        if token >= 0:
            input_ids.append(token)
            labels.append(token if is_learnt else IGNORE_INDEX)
            attended.append(True)
            continue
        visual = shown[token].pop(0)
        count = visual.length or sizes.count(visual.long)
        visuals.append(replace(visual, length=count))
        input_ids += [VISUAL_TOKEN] * count
        labels += [IGNORE_INDEX] * count
        attended += [visual.attended] * count
    return Row(
        torch.tensor(input_ids, dtype=torch.int64),
        torch.tensor(labels, dtype=torch.int64),
        tuple(visuals),
        None if all(attended) else torch.tensor(attended, dtype=torch.bool),
    )


def _with_loc(tokenizer: Tokenizer, row: Row, *, masked_loc: bool, record: str) -> Row:
    """Note where the one `[LOC]` of the answer stands; take a masked one out of attention."""
    if LOC_TOKEN not in tokenizer:
        return row
    found = row.input_ids == tokenizer.token_id(LOC_TOKEN)
    answered = row.labels != IGNORE_INDEX
    mask = row.attention_mask
    if masked_loc:
        mask = torch.ones_like(found) if mask is None else mask
        mask = mask & ~(found & ~answered)
    positions = (found & answered).nonzero().flatten().tolist()
    if len(positions) > 1:
        raise ValueError(f"{_named(record)}{len(positions)} {LOC_TOKEN} in one conversation")
    position = positions[0] if positions else None
    return replace(row, attention_mask=mask, loc_position=position)


def _named(record: str) -> str:
    return f"record {record}: " if record else ""

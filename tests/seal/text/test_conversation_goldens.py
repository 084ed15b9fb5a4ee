"""Conversations become the ids, labels and positions of the original, golden by golden."""

from __future__ import annotations

import re
from typing import Any

import pytest
from golden_files import counted, each_golden, golden_cases, golden_json, golden_path, parse_turns
from record_sets import messages

from seal.batch import IGNORE_INDEX, VISUAL_TOKEN, Row, Visual
from seal.data.chat import expanded_turns
from seal.data.record import Record, RecordTarget
from seal.geometry import Box
from seal.text.conversation import (
    IMAGE_SLOT,
    OBJECT_SLOT,
    PLAIN,
    VQA,
    VSM,
    continuation_ids,
    conversation_row,
    conversation_text,
    encode_slots,
    move_image_to_front,
    prompt_row,
    prompt_text,
)
from seal.text.tokenize import Tokenizer, load_tokenizer
from seal.text.tokens import VisualSizes

IMAGE, CROP = Visual(0, True), Visual(1, False)
ONE_EACH = VisualSizes(1, 1)  # the goldens' placeholders are not expanded
TURNS = [("<image>\nWhere is the cup?", "On the table."), ("Sure?", "Yes.")]


def vqa_tokenizer() -> Tokenizer:
    return load_tokenizer(golden_path("tokenizer"))


def vsm_tokenizer() -> Tokenizer:
    return load_tokenizer(golden_path("tokenizer_vsm"))


def turns_of(conversations: list[dict[str, str]]) -> list[tuple[str, str]]:
    heard = conversations if conversations[0]["from"] == "human" else conversations[1:]
    values = [message["value"] for message in heard]
    return list(zip(values[::2], values[1::2], strict=True))


def ids_and_labels(row: Row) -> tuple[list[int], list[int]]:
    return row.input_ids.tolist(), row.labels.tolist()


def same_placeholder(ids: list[int]) -> list[int]:
    """The original tells images (-200) and objects (-300) apart; ours does by `Visual`."""
    return [VISUAL_TOKEN if i in (-200, -300) else i for i in ids]


@pytest.mark.goldens("conversation")
def test_prompts_equal_the_original_templates() -> None:
    """Those of both models and of alignment; no released model was trained on the others."""
    templates = golden_json("conversation")["templates"]
    ours = {"v1": VQA, "vicuna_v1": VQA, "llava_v1": VSM, "plain": PLAIN}
    of_ours = [(ours[key.split(":")[1]], key) for key in templates if key.split(":")[1] in ours]
    assert {template.name for template, _ in of_ours} == {"vqa", "vsm", "plain"}
    for template, key in counted(of_ours):
        golden = templates[key]
        one = golden["prompt_one"]
        assert template.system == golden["system"]
        assert golden["roles"] == [template.user.rstrip(":"), template.assistant.rstrip(":")]
        assert golden["prompt_empty"] == one  # an answer that is "" is one that is to come
        if template is PLAIN:  # the question between image and end is not trained on
            assert one.startswith(prompt_text(template, one)) and one.endswith(template.stop)
            continue
        assert (golden["sep"], golden["sep2"]) == (" ", template.stop)
        question = one.removeprefix(f"{template.system} {template.user} ")
        question = question.removesuffix(f" {template.assistant}")
        turns = parse_turns(golden["prompt_two"])
        # The search model wraps its image at tokenization; the template's text does not show it.
        asked = [prompt_text(template, question), conversation_text(template, turns)]
        unwrapped = [text.replace(VSM.image, "<image>") for text in asked]
        assert unwrapped == [one, golden["prompt_two"]]


@pytest.mark.goldens("conversation")
@pytest.mark.parametrize(
    "case", golden_cases("conversation", "placeholder_tokenization"), ids=lambda c: repr(c["text"])
)
def test_text_around_placeholders_tokenizes_as_the_original(case: dict[str, Any]) -> None:
    tokenizer, text = vqa_tokenizer(), case["text"]
    ours = encode_slots(tokenizer, text)
    slots = [VISUAL_TOKEN if i < 0 else i for i in ours]
    # The original took the first placeholder for the image whatever it said (not kept).
    assert [tokenizer.bos_id, *slots] == same_placeholder(case["image_object_token"])
    kinds = {IMAGE_SLOT: "<image>", OBJECT_SLOT: "<object>"}
    ends = [(text.find(k), k) for k in kinds.values() if k in text]
    if ends:
        assert kinds[next(i for i in ours if i < 0)] == min(ends)[1]
    if "<image>" not in text:
        assert slots == same_placeholder(case["object_token"])
    if "<object>" not in text:
        assert [tokenizer.bos_id, *slots] == same_placeholder(case["image_token"])
        expected = same_placeholder(case["vsm_image_token"])
        ours = encode_slots(vsm_tokenizer(), text)
        assert [tokenizer.bos_id, *(VISUAL_TOKEN if i < 0 else i for i in ours)] == expected


def expand_objects(conversations: list[dict[str, str]]) -> tuple[list[tuple[str, str]], int]:
    turns = turns_of(conversations)
    return turns, sum(question.count("<object>") for question, _ in turns)


@pytest.mark.goldens("conversation")
@pytest.mark.parametrize("name", golden_cases("conversation", "vqa_preprocess_v1"))
def test_ids_and_labels_equal_the_vqa_preprocessing(name: str) -> None:
    case = golden_json("conversation")["vqa_preprocess_v1"][name]
    turns, num_objects = expand_objects(case["after_preprocess_multimodal"])
    has_image = any("<image>" in question for question, _ in turns)

    def build() -> Row:
        return conversation_row(
            vqa_tokenizer(),
            VQA,
            turns,
            image=IMAGE if has_image else None,
            objects=[CROP] * num_objects,
            sizes=ONE_EACH,
            # With an image, the original cuts only when it collates.
            max_text_tokens=None if has_image else case["model_max_length"],
            record="r7",
        )

    unusable = [a for _, a in turns if not a.strip() or "</s>" in a or "ASSISTANT: " in a]
    # A genuine <unk> voids the labels of a long text there: a mask is a mask here.
    repaired = any("<unk>" in question for question, _ in turns)
    if unusable or (case["n_supervised"] == 0 and not repaired):
        with pytest.raises(ValueError, match="record r7"):
            build()
        return
    ids, labels = ids_and_labels(build())
    assert ids == same_placeholder(case["input_ids"])
    if case["n_supervised"]:
        assert labels == case["labels"]
        assert len(learnt(labels)) == case["n_supervised"]
        said = vqa_tokenizer().decode(learnt(labels), skip_special=False)
        assert said == case["supervised_text"]
    else:
        assert learnt(labels) == answer_ids(vqa_tokenizer(), turns)


def learnt(labels: list[int]) -> list[int]:
    return [label for label in labels if label != IGNORE_INDEX]


def answer_ids(tokenizer: Tokenizer, turns: list[tuple[str, str]]) -> list[int]:
    return [i for _, answer in turns for i in continuation_ids(tokenizer, VQA, answer)]


@pytest.mark.goldens("conversation")
def test_ids_and_labels_equal_the_plain_preprocessing() -> None:
    for case in each_golden("conversation", "vqa_preprocess_plain"):
        row = conversation_row(
            vqa_tokenizer(), PLAIN, [(case["human"], case["gpt"])], image=IMAGE, sizes=ONE_EACH
        )
        assert ids_and_labels(row) == (same_placeholder(case["input_ids"]), case["labels"])


@pytest.mark.goldens("conversation")
def test_objects_are_written_out_as_in_the_original() -> None:
    side = 1000  # a square of 1000 pixels writes a box of whole pixels with three decimals
    cases = golden_json("conversation")["vqa_preprocess_v1"].values()
    # No record has an empty answer.
    for case in counted(c for c in cases if all(m["value"] for m in c["conversations"])):
        targets = []
        for text in case["object_str_list"] or ():
            name, place = re.fullmatch(r"(.*) <object> at location \[(.*)\]", text).groups()
            corners = [side * float(x) for x in place.split(",")]
            targets.append(RecordTarget(name, Box(*corners)))
        record = Record(
            id="r",
            source="test",
            license="none",
            image="r.png" if case["has_image"] else None,
            width=side if case["has_image"] else 0,
            height=side if case["has_image"] else 0,
            conversations=messages(turns_of(case["conversations"])),
            targets=tuple(targets),
        )
        ours = [(move_image_to_front(q), a) for q, a in expanded_turns(record)]
        assert ours == turns_of(case["after_preprocess_multimodal"])


@pytest.mark.goldens("conversation")
def test_a_chat_row_of_the_search_mixture_has_its_loc_behind_the_image() -> None:
    golden = golden_json("conversation")["vsm_vqa_preprocess_multimodal"]
    tokenizer = vsm_tokenizer()
    asked, wanted = turns_of(golden["inp"]), turns_of(golden["out"])
    row = conversation_row(tokenizer, VSM, asked, image=IMAGE, sizes=ONE_EACH, masked_loc=True)
    shown = [question.replace("<image>", VSM.image) for question, _ in wanted]
    written = [
        f"{VSM.user} {q} {VSM.assistant} {a}{VSM.stop}"
        for q, (_, a) in zip(shown, wanted, strict=True)
    ]
    ids = encode_slots(tokenizer, f"{VSM.system} {''.join(written)}")
    assert row.input_ids.tolist() == [
        tokenizer.bos_id,
        *(i if i >= 0 else VISUAL_TOKEN for i in ids),
    ]
    assert row.loc_position is None and row.attention_mask is not None
    masked = row.input_ids[~row.attention_mask].tolist()
    assert masked == [tokenizer.token_id("[LOC]")]


@pytest.mark.goldens("conversation")
@pytest.mark.parametrize("name", golden_cases("conversation", "vsm_collate"))
def test_ids_labels_and_masks_equal_the_search_model_collate(name: str) -> None:
    case = golden_json("conversation")["vsm_collate"][name]
    tokenizer, visual_tokens = vsm_tokenizer(), 256  # the collate has this number written in it
    loc = tokenizer.token_id("[LOC]")
    limit = None if case["inference"] else case["model_max_length"] - visual_tokens + 1
    lengths = []
    for index, text in enumerate(counted(case["conversations"])):
        turns = parse_turns(text)
        chat = "<image>[LOC]" in text
        question, answer = turns[0]

        def build(turns: list[tuple[str, str]] = turns, chat: bool = chat) -> Row:
            return conversation_row(
                tokenizer,
                VSM,
                turns,
                image=IMAGE,
                sizes=ONE_EACH,
                max_text_tokens=limit,
                masked_loc=chat,
                record="r7",
            )

        turns[0] = (question.replace("[LOC]", ""), answer)
        # What lost its [LOC] or its labels in silence there is an error here.
        if (
            "crash" in case
            or loc not in case["input_ids"][index]
            or not learnt(case["labels"][index])
        ):
            with pytest.raises(ValueError, match="record r7"):
                build()
            continue
        row = build()
        length = len(row.input_ids)
        lengths.append(length)
        assert (row.input_ids == loc).sum() == case["n_loc_per_row"][index]
        if not chat:
            spoken = case["conversation_list_after"][index]
            # A space before a question is dropped; the tokenizer drops it anyway (oddity 6).
            assert conversation_text(VSM, turns) == re.sub(r"(?<=\n) +", "", spoken)
        mask = row.attention_mask
        attended = [True] * length if mask is None else mask.tolist()
        pad = len(case["input_ids"][index]) - length
        ids, labels = ids_and_labels(row)
        assert ids + [tokenizer.pad_id] * pad == case["input_ids"][index]
        assert labels + [IGNORE_INDEX] * pad == case["labels"][index]
        assert attended + [False] * pad == [bool(m) for m in case["attention_masks"][index]]
        assert row.loc_position == (None if chat else ids.index(loc))
    if len(lengths) == len(case["conversations"]):
        assert [len(lengths), max(lengths)] == case["shape"]


@pytest.mark.goldens("vqa_options")
def test_options_and_prompts_have_the_ids_of_the_original() -> None:
    tokenizer = vqa_tokenizer()
    for case in each_golden("vqa_options", "cases"):
        if case["conv"] != "v1":
            continue
        for option, ids in zip(case["options"], case["option_token_ids"], strict=True):
            assert continuation_ids(tokenizer, VQA, option) == ids
        row = prompt_row(
            tokenizer,
            VQA,
            "<image>\n" + case["question"],
            image=IMAGE,
            objects=[CROP] * case["question"].count("<object>"),
            sizes=ONE_EACH,
        )
        expected = same_placeholder(case["free_form"]["prompt_ids"])
        assert row.input_ids.tolist() == expected
        assert (row.labels == IGNORE_INDEX).all()


@pytest.mark.goldens("conversation")
def test_the_image_moves_to_the_front_as_in_the_original() -> None:
    golden = golden_json("conversation")
    wrapped = golden["preprocess_multimodal_im_start_end"][0]["value"]
    rest = wrapped.split("\n", 1)[1]
    for asked in (f"{rest}\n<image>", f"<image> {rest}", f" {rest} <image> "):
        assert move_image_to_front(asked).replace("<image>", VSM.image) == wrapped
    for case in golden["vqa_preprocess_v1"].values():
        before = [message["value"] for message in case["conversations"]]
        after = [message["value"] for message in case["after_preprocess_multimodal"]]
        for old, new in zip(before, after, strict=True):
            if "<object>" not in old:
                assert move_image_to_front(old) == new

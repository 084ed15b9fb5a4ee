from __future__ import annotations

import re
from typing import Any

import pytest
import torch
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
from seal.text.prompts import LOCATE_ANSWER, LOCATE_PREFIX, locate_question
from seal.text.tokenize import Tokenizer, load_tokenizer
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
    ids, labels = ids_and_labels(row)
    assert learnt(labels) == answer_ids(tokenizer, turns)
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

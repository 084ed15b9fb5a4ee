from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from golden_files import SAMPLES, needs_samples
from llava_files import NAME, TALK, entry, talk, write_llava
from record_sets import HEIGHT, WIDTH, draw_image, tiny_tokenizer

from seal.building.formats.image_lookup import CORRUPT, MISSING
from seal.building.vqa_mixture.llava import LlavaBuildConfig, build_llava
from seal.data.chat import ChatConfig
from seal.data.grounding import GroundingConfig
from seal.data.record_set import ASSISTANT, HUMAN, RecordSet
from seal.text.tokens import VisualSizes


def build(path: Path, **settings: Any) -> RecordSet:
    values = {
        "annotations": str(path),
        "images": str(path.parent / "photos"),
        "out": str(path.parent / "out"),
    }
    return build_llava(LlavaBuildConfig(**(values | {"max_dropped": 1.0} | settings)))


def counts_of(records: RecordSet) -> dict[str, int]:
    standing = {"items read", "records written"}
    return {k: v for k, v in records.description["counts"].items() if k not in standing}


def test_an_entry_is_a_chat_record(tmp_path: Path) -> None:
    record = build(write_llava(tmp_path / "a.json", [entry()]))[0]
    assert [m.value for m in record.conversations] == TALK
    assert [m.speaker for m in record.conversations] == [HUMAN, ASSISTANT] * 2
    assert (record.id, record.source) == ("llava-0-000000033471", "llava")
    assert (record.image, record.width, record.height) == (NAME, WIDTH, HEIGHT)
    assert record.license == "CC BY-NC 4.0" and record.meta == {"id": "000000033471"}


def test_ids_may_be_numbers_missing_or_shared_but_an_entry_counts_once(tmp_path: Path) -> None:
    entries = [
        entry(),
        entry("<image>\nWhere?", "There."),
        entry(id=33471),
        entry("<image>\nWho?", "I.", id=7),
        entry("<image>\nWhen?", "Now.", id=...),
    ]
    records = build(write_llava(tmp_path / "a.json", entries))
    assert [record.id for record in records] == [
        "llava-0-000000033471",
        "llava-1-000000033471",
        "llava-2-7",
        "llava-3",
    ]
    assert records[3].meta == {"id": None}
    assert counts_of(records) == {"entries that occur twice": 1}


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (["What?\n<image>", "A bus.", "Sure?", "Yes."], None),
        (["<image> What?", "A bus.", "Sure?", "Yes."], None),
        (["What?", "A bus.", "<image>\nSure?", "Yes."], None),
        (["What?", "A bus.", "Sure?", "Yes."], "no <image>, made one"),
        (["<image>\nWhat?<image>", "A bus.", "Sure?", "Yes."], "more than one <image>, made one"),
        (["<image>\nWhat?", "A bus.", "Sure?<image>", "Yes."], "more than one <image>, made one"),
        ([" <image>\nWhat?\n", "A bus. ", "Sure?", "\nYes."], None),
    ],
)
def test_the_image_comes_before_the_first_question(
    tmp_path: Path, said: list[str], reason: str | None
) -> None:
    records = build(write_llava(tmp_path / "a.json", [entry(*said)]))
    assert [m.value for m in records[0].conversations] == [
        "<image>\nWhat?",
        "A bus.",
        "Sure?",
        "Yes.",
    ]
    assert counts_of(records) == ({} if reason is None else {reason: 1})


def test_ends_that_are_no_turn_are_dropped(tmp_path: Path) -> None:
    odd = [*TALK, "And then?"]
    early = entry(conversations=talk("Hello! <b>", *TALK, first="gpt"))
    empty = [*TALK[:2], "Hm?", "  ", "", "Nothing.", *TALK[2:]]
    alone = ["<image>", "A bus.", "Where?", "There."]
    entries = [entry(*odd), early, entry(*empty), entry(*alone)]
    records = build(write_llava(tmp_path / "a.json", entries))
    for record in list(records)[:3]:
        assert [m.value for m in record.conversations] == TALK
    assert [m.value for m in records[3].conversations] == ["<image>\nWhere?", "There."]
    assert counts_of(records) == {
        "question without an answer, dropped": 1,
        "answer before the first question, dropped": 1,
        "turns with an empty side, dropped": 2,
    }


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (entry(conversations=[]), "no question with an answer"),
        (entry("<image>\nWhat?"), "no question with an answer"),
        (entry("<image>\nWhat?", ""), "no question with an answer"),
        (entry("<image>\nWhat?", "A bus.</s>"), "</s> in the text"),
        (entry("<image>\nSay ASSISTANT: no", "No."), "ASSISTANT: in the text"),
        (entry("<image>\nFocus <object>", "No."), "<object> in the text"),
        (entry("<image>\nWhere?", "Sure, [LOC]."), "[LOC] in the text"),
        (entry("<im_start><image><im_end>\nWhere?", "There."), "<im_start> in the text"),
        (entry("<image>\nWhat?", "An <image>."), "<image> in an answer"),
        (entry("What is <image>?", "A mark.", image=...), "<image> without an image"),
        (entry("<image>\nWhat?", "Half \ud83d."), "half of a surrogate pair in the text"),
        (entry("<image>\n" + "a" * 800, "No."), "first question longer than max_question"),
        (entry(image=["a.jpg", "b.jpg"]), "several images"),
        (entry(image="other.jpg"), MISSING),
        (entry(image="../a.json"), MISSING),
        (
            entry(conversations=[{"from": "system", "value": "Be good."}, *talk(*TALK)]),
            "system turn",
        ),
        (
            entry(conversations=[{"from": "tool", "value": "3"}, *talk(*TALK)]),
            "speaker who is neither human nor gpt",
        ),
        (entry("<video>\nWhat?", "A cat.", image=..., video="a.mp4"), "entry with video"),
        (entry("<audio>\nWhat?", "A cat.", image=...), "entry with audio"),
        (entry("What?\n<speech>", "A cat.", image=...), "entry with speech"),
        (entry(image=..., images=["a.jpg", "b.jpg"]), "several images"),
        (
            entry(conversations=[*talk(*TALK), *talk("Again.", first="gpt")]),
            "speakers do not alternate",
        ),
    ],
)
def test_what_training_could_not_read_is_dropped_and_counted(
    tmp_path: Path, bad: dict[str, Any], reason: str
) -> None:
    records = build(write_llava(tmp_path / "a.json", [entry(), bad]))
    assert len(records) == 1 and counts_of(records)[reason] == 1


def test_entries_without_an_image_are_text(tmp_path: Path) -> None:
    texts = [entry("Who?", "I.", image=...), entry("How?", "So.", image=None)]
    texts += [entry("Why?", "As.", image=""), entry("When?", "Now.", image=[])]
    path = write_llava(tmp_path / "a.json", [entry(), *texts])
    records = build(path)
    assert [record.image for record in records] == [NAME, None, None, None, None]
    assert records[1].conversations[0].value == "Who?" and records[1].width == 0
    shown = build(path, text_only=False, out=str(tmp_path / "b"))
    assert len(shown) == 1 and counts_of(shown) == {"no image": 4}


@pytest.mark.parametrize(
    ("named", "lies"),
    [
        (NAME, f"train2017/{NAME}"),
        (NAME, f"train2014/COCO_train2014_{NAME}"),
        (f"coco/train2017/{NAME}", NAME),
        (f"coco/train2017/{NAME}", f"coco/train2017/{NAME}"),
        (f"COCO_val2014_{NAME}", f"train2017/{NAME}"),
        ("gqa/images/5.jpg", "gqa/images/5.jpg"),
        ([NAME], NAME),
    ],
)
def test_photos_are_found_in_the_usual_layouts(tmp_path: Path, named: Any, lies: str) -> None:
    assert build(write_llava(tmp_path / "a.json", [entry(image=named)], lies))[0].image == lies


def test_photos_that_do_not_decode_are_counted(tmp_path: Path) -> None:
    path = write_llava(tmp_path / "a.json", [entry(), entry(image="b.jpg")], NAME, "b.jpg")
    photo = tmp_path / "photos" / "b.jpg"
    photo.write_bytes(photo.read_bytes()[:300])
    records = build(path, max_corrupt=0.5)
    assert len(records) == 1 and counts_of(records) == {CORRUPT: 1}
    with pytest.raises(ValueError, match=r"1 of 2 images in .* do not decode"):
        build(path, out=str(tmp_path / "b"))


def test_the_set_does_not_depend_on_the_workers(tmp_path: Path) -> None:
    entries = [entry(f"<image>\nWhat {i}?", "This.", id=i) for i in range(20)]
    path = write_llava(tmp_path / "a.json", entries)
    alone, shared = build(path), build(path, workers=2, out=str(tmp_path / "b"))
    assert [r.to_json() for r in alone] == [r.to_json() for r in shared]
    assert len(build(path, limit=3, out=str(tmp_path / "c"))) == 3


def test_both_mixtures_read_the_records(tmp_path: Path) -> None:
    entries = [entry(), entry("Who?", "I.", image=...), entry("Why? <image>", "So.", id=7)]
    records = build(write_llava(tmp_path / "a.json", entries))
    tokenizer, sizes = tiny_tokenizer(tmp_path / "tokenizer"), VisualSizes(16, 4)
    chat = ChatConfig().build(records, tokenizer, image_size=28, sizes=sizes)
    search = GroundingConfig().build(
        records, tokenizer, image_size=28, detector_size=32, sizes=sizes
    )
    for data in (chat, search):
        for index, record in enumerate(records):
            sample = data[index]
            assert len(sample.rows) == 1
            assert len(sample.images) == (record.image is not None)
            assert (sample.rows[0].labels != -100).any()


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([entry(), 5], r"byte \d+: an entry has no 'conversations'"),
        ([entry(), {"id": "1"}], r"byte \d+: an entry has no 'conversations'"),
        ([entry(conversations=[{"value": "a"}])], r"entry at byte 1: no key 'from'"),
        ([entry(conversations=[{"from": "human"}])], r"entry at byte 1: no key 'value'"),
        (
            [entry(conversations=[{"from": "human", "value": None}])],
            r"entry at byte 1: conversations\[0\]: 'value' must be text, got None",
        ),
        (
            [entry("<image>\nHow many?", 3)],
            r"entry at byte 1: conversations\[1\]: 'value' must be text, got 3",
        ),
        ([entry(conversations=["Hello"])], r"entry at byte 1: conversations\[0\] is 'Hello'"),
        ([entry(conversations=[{"from": [], "value": ""}])], r".*'from' must be text, got \[\]"),
        ([entry(conversations="Hello")], r"entry at byte 1: conversations must be a list"),
        ([entry(image=5)], r"entry at byte 1: image must be text, got 5"),
        ({"data": []}, r"byte 0: an entry has no 'conversations'; its form is "),
    ],
)
def test_a_broken_entry_names_file_and_byte(tmp_path: Path, entries: Any, message: str) -> None:
    path = write_llava(tmp_path / "a.json", entries)
    with pytest.raises(ValueError, match=r"a\.json: " + message):
        build(path)


def test_lines_messages_and_a_byte_order_mark_make_the_same_records(tmp_path: Path) -> None:
    entries = [entry(id=i) for i in range(2)] + [entry("Who?", "I.", image=...)]
    path = write_llava(tmp_path / "a.json", entries)
    expected = [record.to_json() for record in build(path)]
    lines = "\n".join(json.dumps(e) for e in entries)
    names = {"human": "user", "gpt": "assistant"}
    said = [
        {"id": e.get("id"), "images": [e["image"]] if "image" in e else None}
        | {
            "messages": [
                {"role": names[turn["from"]], "content": turn["value"]}
                for turn in e["conversations"]
            ]
        }
        for e in entries
    ]
    for place, text in enumerate((lines, json.dumps(said), "\ufeff" + path.read_text())):
        path.write_text(text, encoding="utf-8")
        found = build(path, out=str(tmp_path / f"again{place}"))
        assert [record.to_json() for record in found] == expected


def test_an_image_of_null_or_minus_one_is_none(tmp_path: Path) -> None:
    talks = [entry("Who?", f"{i}.", image=image) for i, image in enumerate((None, -1, [], ""))]
    records = build(write_llava(tmp_path / "a.json", talks))
    assert [record.image for record in records] == [None] * 4


def test_wrong_settings_are_errors(tmp_path: Path) -> None:
    path = write_llava(tmp_path / "a.json", [entry()])
    with pytest.raises(ValueError, match="nowhere is not a folder"):
        build(path, images=str(tmp_path / "nowhere"))
    with pytest.raises(ValueError, match=r"annotations=.*b\.json is not a file"):
        build(tmp_path / "b.json")
    with pytest.raises(ValueError, match="max_question=0"):
        build(path, max_question=0)
    path.write_text(path.read_text()[:-20])
    with pytest.raises(ValueError, match=r"a\.json: byte \d+: .*complete"):
        build(path)


@needs_samples
def test_a_real_entry_becomes_a_record(tmp_path: Path) -> None:
    path = SAMPLES / "llava_instruct" / "llava_instruct_1record.json"
    entries = json.loads(path.read_text())
    draw_image(tmp_path / "train2017" / entries[0]["image"])
    records = build(path, images=str(tmp_path), out=str(tmp_path / "out"))
    said = [m.value for m in records[0].conversations]
    assert said == [turn["value"] for turn in entries[0]["conversations"]] and len(said) == 6
    assert records[0].image == "train2017/000000033471.jpg" and counts_of(records) == {}

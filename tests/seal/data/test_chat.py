from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_tokenizers
import torch
from golden_files import GOLDENS, batch_files, golden_json, golden_path, golden_tensors
from golden_models import golden_vqa
from record_sets import (
    TURNS,
    chat_record,
    draw_image,
    messages,
    text_record,
    tiny_tokenizer,
    write_set,
)

from seal.batch import IGNORE_INDEX, KEPT_POLICY, VISUAL_TOKEN, Sample, Visual
from seal.data.chat import ChatConfig, ChatDataset, expanded_turns
from seal.data.collate import collate
from seal.data.interchange import read_authors
from seal.data.record_set import Record, RecordSet
from seal.geometry import Box
from seal.images import clip_pixels, context_crop, open_image, pad_to_square
from seal.images.tiles import TilesConfig
from seal.models.parts.pixels import normalized
from seal.text.chat_template import choose_template
from seal.text.conversation import conversation_text
from seal.text.tokenize import Tokenizer, load_tokenizer
from seal.text.tokens import VisualSizes

SIZES = VisualSizes(6, 2)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    return tiny_tokenizer(tmp_path_factory.mktemp("tokenizer"))


def dataset(
    folder: Path, tokenizer: Tokenizer, records: list[Record], **config: Any
) -> ChatDataset:
    built = ChatConfig(**config)
    return built.build(write_set(folder, records), tokenizer, image_size=14, sizes=SIZES)


def test_a_target_is_shown_as_its_name_its_crop_and_its_place(
    tmp_path: Path, tokenizer: Tokenizer
) -> None:
    record = chat_record("r", 2)
    assert expanded_turns(record)[0][0] == (
        "<image>\nFocus on: thing0 <object> at location [0.083,0.250,0.417,0.667]; "
        "thing1 <object> at location [0.100,0.250,0.433,0.667].\nWhere is it?"
    )
    data = dataset(tmp_path, tokenizer, [record])
    sample = data[0]
    image = open_image(tmp_path / "images" / "r.png")
    whole = clip_pixels(pad_to_square(image, "center")[0], 14)
    first, *crops = (normalized(pixels[None])[0].numpy() for pixels in sample.images)
    assert (first == whole).all()  # bit for bit
    for target, crop in zip(record.targets, crops, strict=True):
        assert (crop == clip_pixels(context_crop(image, target.box), 14)).all()
    # Two crops in training: the image long, the crops short.
    assert sample.rows[0].visuals == (Visual(0, True), Visual(1, False), Visual(2, False))
    assert (sample.rows[0].input_ids == VISUAL_TOKEN).sum() == 6 + 2 + 2


@pytest.mark.parametrize("less", [1, 3])
def test_a_row_is_cut_so_that_its_text_and_pictures_stay_within_the_positions(
    tmp_path: Path, tokenizer: Tokenizer, less: int
) -> None:
    record = chat_record("r", 2)
    whole = dataset(tmp_path, tokenizer, [record])[0].rows[0]
    most = len(whole.input_ids) - less
    cut = dataset(tmp_path / "cut", tokenizer, [record], max_positions=most)[0].rows[0]
    assert len(cut.input_ids) == most and cut.visuals == whole.visuals
    assert torch.equal(cut.input_ids, whole.input_ids[:most])
    loose = dataset(tmp_path / "loose", tokenizer, [record], max_positions=most + less)[0].rows[0]
    assert torch.equal(loose.input_ids, whole.input_ids)
    with pytest.raises(ValueError, match=r"data\.chat\.max_positions"):
        dataset(tmp_path / "none", tokenizer, [record], max_positions=12)[0]


def test_pictures_are_squared_with_the_color_of_the_tower(
    tmp_path: Path, tokenizer: Tokenizer
) -> None:
    data = ChatConfig(object_slots="padded").build(
        write_set(tmp_path, [chat_record("r", 1)]), tokenizer, image_size=28, sizes=SIZES,
        background=(1, 2, 3),
    )  # fmt: skip
    whole, _, blank = data[0].images
    assert whole[:, 0, 0].tolist() == blank[:, 0, 0].tolist() == [1, 2, 3]


def test_records_are_rows_of_the_tokenizers_own_template(tmp_path: Path) -> None:
    own = load_tokenizer(tiny_tokenizers.folder("qwen3"))
    record = text_record("r0")
    data = ChatConfig().build(
        write_set(tmp_path, [record]), own, image_size=14, sizes=SIZES, prompt_style="chat"
    )
    (row,) = data[0].rows
    assert own.decode(row.input_ids.tolist(), skip_special=False) == conversation_text(
        choose_template(own, "vqa", "chat"), record.turns
    )
    assert data.length(0, np.random.default_rng(0)) == len(row.input_ids)


def test_objects_of_later_turns_show_later_targets() -> None:
    turns = [("<image> <object>?", "a"), ("<object>?", "b")]
    record = dataclasses.replace(chat_record("r", 2), conversations=messages(turns))
    questions = [question for question, _ in expanded_turns(record)]
    assert "thing0" in questions[0] and "thing1" in questions[1]


def test_the_length_is_known_without_the_image(tmp_path: Path, tokenizer: Tokenizer) -> None:
    data = dataset(tmp_path, tokenizer, [chat_record("r", 1), text_record()])
    lengths = [len(data[i].rows[0].input_ids) for i in range(2)]
    (tmp_path / "images" / "r.png").unlink()
    assert [data.length(i, np.random.default_rng(0)) for i in range(2)] == lengths
    with pytest.raises(ValueError, match=r"records-00000-of-00001.jsonl:1: .*r.png.* not exist"):
        data[0]


@pytest.mark.parametrize("targets", [0, 1, 3])
def test_a_kept_policy_adds_its_own_row_to_those_at_levels(
    tmp_path: Path, tokenizer: Tokenizer, targets: int
) -> None:
    records = write_set(tmp_path, [chat_record("r", targets), text_record("t")])
    sizes, levels = VisualSizes(16, 2), (1, 2, 4, 8, 16)
    build = partial(ChatDataset, records, tokenizer, image_size=16, sizes=sizes, levels=levels)
    data, without = (
        build(ChatConfig(token_policy="router", kept_policy=kept), rows="granularity")
        for kept in ("consistent", None)
    )
    *at_levels, kept = data[0].rows
    assert [row.level for row in at_levels] == list(levels) and kept.level == KEPT_POLICY
    for row, other in zip(at_levels, without[0].rows, strict=True):
        assert row.input_ids.equal(other.input_ids) and row.visuals == other.visuals
    (expected,) = build(ChatConfig(token_policy="consistent"), levels=())[0].rows
    assert kept.visuals == expected.visuals and kept.labels.equal(expected.labels)
    assert kept.input_ids.equal(expected.input_ids)
    assert KEPT_POLICY not in [row.level for row in data[1].rows]  # it shows no picture
    rng = np.random.default_rng(0)
    assert data.length(0, rng) > without.length(0, rng)
    assert data.length(1, rng) == without.length(1, rng)


@pytest.mark.parametrize(
    ("config", "model", "said"),
    [
        ({"image_projector": "short"}, {"rows": "granularity"}, "image_projector=short: the res"),
        ({"image_projector": "short"}, {"tiles": TilesConfig()}, "image_projector=short: the res"),
        ({"kept_policy": "consistent"}, {"rows": "router"}, "kept_policy=consistent is of stage="),
        ({"kept_policy": "consistent"}, {"rows": "one"}, "kept_policy=consistent is of stage="),
        (
            {"kept_policy": "consistent"}, {"rows": "granularity", "tiles": TilesConfig()},
            "without tiles: set it to null",
        ),
        (
            {"kept_policy": "consistent"}, {"rows": "granularity", "sizes": VisualSizes(16, 0)},
            "with a resampler",
        ),
    ],
)  # fmt: skip
def test_what_a_resampler_cannot_show_is_refused_before_a_record_is_read(
    tmp_path: Path, tokenizer: Tokenizer,
    config: dict[str, Any], model: dict[str, Any], said: str,
) -> None:  # fmt: skip
    records = write_set(tmp_path, [chat_record("r")])
    model = {"sizes": VisualSizes(16, 2), "image_size": 28, "levels": (4, 16)} | model
    with pytest.raises(ValueError, match=said):
        ChatConfig(token_policy="router", **config).build(records, tokenizer, **model)


@pytest.mark.parametrize("projector", ["long", "short"])
def test_alignment_shows_every_caption_through_one_projector(
    tmp_path: Path, tokenizer: Tokenizer, projector: str
) -> None:
    config = {"template": "plain", "image_projector": projector}
    row = dataset(tmp_path, tokenizer, [chat_record("r")], **config)[0].rows[0]
    assert row.visuals == (Visual(0, projector == "long"),)
    learnt = row.labels[row.labels != IGNORE_INDEX].tolist()
    assert tokenizer.decode(learnt) == "On the table.\n"
    assert len(row.labels) == 1 + SIZES.count(projector == "long") + len(learnt)


@pytest.mark.parametrize("num_targets", [0, 1, 3])
def test_padded_rows_have_three_object_slots(
    tmp_path: Path, tokenizer: Tokenizer, num_targets: int
) -> None:
    data = dataset(tmp_path, tokenizer, [chat_record("r", num_targets)], object_slots="padded")
    sample = data[0]
    dummies = [visual for visual in sample.rows[0].visuals if not visual.attended]
    assert len(dummies) == 3 - num_targets
    assert not any(visual.long for visual in dummies)
    shown = [sample.images[visual.image] for visual in dummies]
    assert all(bool((normalized(blank[None]).abs() < 0.02).all()) for blank in shown)  # gray


def test_blank_slots_of_a_batch_are_one_image(tmp_path: Path, tokenizer: Tokenizer) -> None:
    records = [chat_record("a", 1), text_record("b"), chat_record("c")]
    data = dataset(tmp_path, tokenizer, records, object_slots="padded")
    batch = collate([data[i] for i in range(3)], pad_id=0)
    assert len(batch.pixel_values) == 2 + 1 + 1  # two images, a crop, the blank one


def test_four_targets_do_not_fit_the_padded_slots(tmp_path: Path, tokenizer: Tokenizer) -> None:
    records = [chat_record("r", 4)]
    with pytest.raises(ValueError, match=r"jsonl:1: record 'r': 4 targets"):
        dataset(tmp_path / "a", tokenizer, records, object_slots="padded")[0]
    assert len(dataset(tmp_path / "b", tokenizer, records)[0].images) == 5


def test_an_image_of_another_size_is_an_error(tmp_path: Path, tokenizer: Tokenizer) -> None:
    data = dataset(tmp_path, tokenizer, [chat_record("r")])
    draw_image(tmp_path / "images" / "r.png", 30, 30)
    with pytest.raises(ValueError, match=r"jsonl:1: record 'r': .* 30 x 30 .* 60 x 40"):
        data[0]


def test_a_corrupt_image_is_an_error_that_names_record_and_file(
    tmp_path: Path, tokenizer: Tokenizer
) -> None:
    data = dataset(tmp_path, tokenizer, [chat_record("r")])
    path = tmp_path / "images" / "r.png"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ValueError, match=r"jsonl:1: .*r.png"):
        data[0]


def test_a_row_that_loses_its_labels_names_file_and_record(
    tmp_path: Path, tokenizer: Tokenizer
) -> None:
    with pytest.raises(ValueError, match=r"jsonl:1: record 'r': a cut at 9 "):
        dataset(tmp_path, tokenizer, [chat_record("r")], max_text_tokens=9)[0]


def test_a_cut_never_drops_a_crop_that_a_later_turn_shows(
    tmp_path: Path, tokenizer: Tokenizer
) -> None:
    """The first answer would be left to learn from, and the crop's picture without a place."""
    turns = [TURNS[0], ("And on <object>?", "Yes.")]
    record = chat_record("r", 1, conversations=messages(turns))
    whole = dataset(tmp_path / "whole", tokenizer, [record])[0].rows[0]
    first = next(i for i, label in enumerate(whole.labels) if label != IGNORE_INDEX)
    limit = first - SIZES.count(whole.visuals[0].long) + 3  # two words of the first answer
    data = dataset(tmp_path / "cut", tokenizer, [record], max_text_tokens=limit)
    lost = (
        r"record 'r': .* loses 1 of the 2 pictures it shows; raise data\.chat\.max_text_tokens by"
    )
    with pytest.raises(ValueError, match=lost):
        data[0]


@pytest.mark.parametrize(
    "wrong",
    [
        {"template": "vsm"},
        {"token_policy": "none"},
        {"image_projector": "both"},
        {"object_slots": "three"},
        {"kept_policy": "consistent"},
        {"kept_policy": "router", "token_policy": "router"},
        {"max_text_tokens": 0},
        {"crop_scale": 0.0},
    ],
)
def test_a_wrong_config_names_the_field(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        ChatConfig(**wrong)


# The golden batch: six records of the authors' files through data set and collator.


def golden_samples(tmp_path: Path, limit: int) -> list[Callable[[], Sample]]:
    golden = golden_json("vqa_cases")["d_batch"]
    records: list[Record] = []
    for place, name in enumerate(batch_files()):
        path = golden_path(name)
        for record in read_authors(path, GOLDENS, source=path.stem, license="none"):
            records.append(dataclasses.replace(record, id=f"{place}-{record.id}"))
    folder = tmp_path / "set"
    write_set(folder, records)
    opened = RecordSet.open(folder, GOLDENS)
    config, model = ChatConfig(object_slots="padded", max_text_tokens=limit), golden_vqa().config
    data = config.build(
        opened,
        load_tokenizer(golden_path("tokenizer")),
        image_size=model.vision.image_size,
        sizes=VisualSizes(model.vision.num_tokens, model.resampler.num_latents),
    )
    return [partial(data.__getitem__, index) for index in golden["dataset_indices"]]


@pytest.mark.goldens("d_batch")
def test_six_samples_equal_the_original_batch(tmp_path: Path) -> None:
    golden, tensors = golden_json("vqa_cases")["d_batch"], golden_tensors("vqa_cases")
    samples = [build() for build in golden_samples(tmp_path, golden["model_max_length"])]
    batch = collate(samples, pad_id=0, positions=ChatConfig(object_slots="padded").positions)

    mask = tensors["d_batch.merged_attention_mask"].bool()
    assert torch.equal(batch.attention_mask, mask)
    assert torch.equal(batch.labels, tensors["d_batch.merged_labels"])
    length = batch.input_ids.shape[1]
    assert torch.equal(batch.position_ids[0], torch.arange(length))
    for index, sample in enumerate(samples):
        own = sample.rows[0].input_ids
        text = own[own != VISUAL_TOKEN].tolist()
        raw = tensors[f"d_batch.inst{index}.input_ids"]
        assert text == raw[raw >= 0].tolist()
        labels = sample.rows[0].labels
        theirs = tensors[f"d_batch.inst{index}.labels"]
        assert labels[labels != IGNORE_INDEX].tolist() == theirs[theirs != IGNORE_INDEX].tolist()

    # Which picture stands in which slot, and through which projector.
    images_long = tensors["d_batch.images_long"].flatten().tolist()
    objects_long = tensors["d_batch.objects_long"].flatten().reshape(len(samples), -1).tolist()
    long = [flag for i, o in zip(images_long, objects_long, strict=True) for flag in (i, *o)]
    shown = [(s, visual) for s in samples for visual in s.rows[0].visuals]
    assert [visual.long for _, visual in shown] == long
    pool = torch.cat([tensors["pool.images_u8"], tensors["d_batch.extra_u8"]])
    per_row = np.array(golden["object_index"]).reshape(len(samples), -1)
    slots = np.column_stack([golden["image_index"], per_row]).reshape(-1)
    for (sample, visual), slot in zip(shown, slots, strict=True):
        assert visual.attended == (slot >= 0)  # of the others nobody sees anything
        if visual.attended:
            assert torch.equal(sample.images[visual.image], pool[slot])


@pytest.mark.goldens("d_batch")
def test_rows_cut_short_keep_the_labels_of_the_original_or_are_errors(tmp_path: Path) -> None:
    golden, tensors = golden_json("vqa_cases")["d_batch_truncated"], golden_tensors("vqa_cases")
    labels = tensors["d_batch_truncated.labels"]
    for build, kept in zip(
        golden_samples(tmp_path, golden["model_max_length"]), labels, strict=True
    ):
        kept = kept[kept != IGNORE_INDEX]
        if len(kept) == 0:  # the original lost them in silence
            with pytest.raises(ValueError, match="loses every label"):
                build()
            continue
        ours = build().rows[0].labels
        assert torch.equal(ours[ours != IGNORE_INDEX], kept)


def test_the_box_of_a_target_does_not_move_when_it_is_read(
    tmp_path: Path, tokenizer: Tokenizer
) -> None:
    data = dataset(tmp_path, tokenizer, [chat_record("r", 1)])
    first, second = data[0], data[0]
    assert torch.equal(first.rows[0].input_ids, second.rows[0].input_ids)
    assert data.records[0].targets[0].box == Box(5, 5, 25, 30)

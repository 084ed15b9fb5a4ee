from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from record_sets import (
    HEIGHT,
    TURNS,
    WIDTH,
    chat_record,
    messages,
    search_record,
    text_record,
    tiny_tokenizer,
    write_set,
)

from seal.batch import IGNORE_INDEX, VISUAL_TOKEN
from seal.data.collate import collate
from seal.data.grounding import GroundingConfig, GroundingDataset, boxes_cxcywh
from seal.data.length_index import LengthIndex
from seal.data.masks import mask_to_rle
from seal.data.record_set import Expression, Record
from seal.geometry import Box
from seal.images import clip_pixels, open_image, owl_pixels, pad_to_square
from seal.models.parts.pixels import normalized
from seal.text.tokenize import Tokenizer
from seal.text.tokens import VisualSizes
from seal.text.train_tokenizer import train_tokenizer

SIZES = VisualSizes(6, 2)
CUP = Box(6, 4, 18, 12)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    return tiny_tokenizer(tmp_path_factory.mktemp("tokenizer"))


def dataset(
    folder: Path, tokenizer: Tokenizer, *records: Record, **config: Any
) -> GroundingDataset:
    return GroundingConfig(**config).build(
        write_set(folder, records), tokenizer, image_size=14, detector_size=24, sizes=SIZES
    )


def many(n: int) -> Record:
    return search_record("many", *(Expression(f"thing {i}", (CUP,)) for i in range(n)))


def test_the_picture_is_squared_with_the_color_of_the_tower(
    tmp_path: Path, tokenizer: Tokenizer
) -> None:
    data = GroundingConfig().build(
        write_set(tmp_path, [many(1)]), tokenizer, image_size=28, detector_size=24, sizes=SIZES,
        background=(1, 2, 3),
    )  # fmt: skip
    (picture,) = data[0].images
    assert picture[:, -1, -1].tolist() == [1, 2, 3]


def test_each_expression_is_a_row_with_its_target(tmp_path: Path, tokenizer: Tokenizer) -> None:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[4:12, 6:18] = 1
    record = search_record(
        "s",
        Expression("cup", (CUP,), mask_to_rle(mask)),
        Expression("kite", ()),
        Expression("the thing", None),
    )
    sample = dataset(tmp_path, tokenizer, record)[0]
    cup, kite, thing = sample.targets
    assert cup.boxes is not None and cup.mask is not None
    torch.testing.assert_close(cup.boxes, torch.tensor([[0.2, 0.2, 0.2, 0.2]]))
    assert torch.equal(cup.mask.unpack(), torch.from_numpy(mask))
    assert kite.boxes is not None and kite.boxes.shape == (0, 4) and kite.mask is None
    assert thing.boxes is None and thing.mask is None
    for row, name in zip(sample.rows, ("cup", "kite", "the thing"), strict=True):
        text = tokenizer.decode([i for i in row.input_ids.tolist() if i >= 0])
        assert f"Please locate the {name} in this image." in text
        assert row.loc_position is not None
        assert row.input_ids[row.loc_position] == tokenizer.token_id("[LOC]")


def test_pixels_are_prepared_for_each_tower(tmp_path: Path, tokenizer: Tokenizer) -> None:
    sample = dataset(tmp_path, tokenizer, search_record("s"))[0]
    image = open_image(tmp_path / "images" / "s.png")
    square = pad_to_square(image, "top_left")[0]
    assert sample.images[0].dtype == torch.uint8 and sample.detector_image is not None
    clip, owl = (normalized(p[None])[0] for p in (sample.images[0], sample.detector_image))
    assert (clip.numpy() == clip_pixels(square, 14)).all()  # bit for bit
    assert (owl.numpy() == owl_pixels(image, 24)).all()


def test_the_image_of_several_expressions_is_encoded_once(
    tmp_path: Path, tokenizer: Tokenizer
) -> None:
    data = dataset(tmp_path, tokenizer, many(3), search_record("s"))
    batch = collate([data[0], data[1]], pad_id=tokenizer.pad_id)
    assert len(batch.pixel_values) == 2 and batch.long_images.tolist() == [0, 1]
    assert batch.detector_pixels is not None and len(batch.detector_pixels) == 2
    assert batch.expression_image is not None
    assert batch.expression_image.tolist() == [0, 0, 0, 1]


def test_expressions_are_drawn_by_the_item_alone(tmp_path: Path, tokenizer: Tokenizer) -> None:
    data = dataset(tmp_path, tokenizer, many(9))
    draws = [data.sample(0, np.random.default_rng(seed)) for seed in (1, 1, 2, 3, 4)]
    assert all(len(draw.rows) == 3 for draw in draws)
    ids = [torch.cat([row.input_ids for row in draw.rows]).tolist() for draw in draws]
    assert ids[0] == ids[1]
    assert len({tuple(i) for i in ids}) > 1
    assert data[0].rows[0].input_ids.tolist() == data[0].rows[0].input_ids.tolist()


def test_all_expressions_are_read_when_asked(tmp_path: Path, tokenizer: Tokenizer) -> None:
    assert len(dataset(tmp_path, tokenizer, many(9), max_expressions=0)[0].rows) == 9


def test_chat_stands_beside_expressions_and_alone(tmp_path: Path, tokenizer: Tokenizer) -> None:
    both = search_record("both", conversations=messages(TURNS))
    data = dataset(tmp_path, tokenizer, both, chat_record("chat"), text_record())
    samples = [data[i] for i in range(3)]
    assert [len(s.rows) for s in samples] == [2, 1, 1]
    assert [len(s.targets) for s in samples] == [1, 0, 0]
    assert samples[1].detector_image is None and len(samples[1].images) == 1
    assert samples[2].images == ()
    batch = collate(samples, pad_id=tokenizer.pad_id)
    assert batch.loc_positions is not None
    assert batch.loc_positions.tolist() == [samples[0].rows[0].loc_position - 1]


def test_the_released_chat_row_carries_a_masked_loc(tmp_path: Path, tokenizer: Tokenizer) -> None:
    record = chat_record("chat")
    plain = dataset(tmp_path / "a", tokenizer, record)[0].rows[0]
    released = dataset(tmp_path / "b", tokenizer, record, chat_loc_slot="as_released")[0].rows[0]
    assert plain.attention_mask is None and released.attention_mask is not None
    kept = released.attention_mask
    assert (~kept).sum() == 1
    assert released.input_ids[~kept].tolist() == [tokenizer.token_id("[LOC]")]
    assert torch.equal(released.input_ids[kept], plain.input_ids)
    assert released.loc_position is None
    assert GroundingConfig(chat_loc_slot="as_released").positions == "all"


def test_the_maximum_length_counts_visual_positions(tmp_path: Path, tokenizer: Tokenizer) -> None:
    record = chat_record("chat", conversations=messages([(TURNS[0][0], "yes " * 80)]))
    row = dataset(tmp_path, tokenizer, record, max_length=150)[0].rows[0]
    assert len(row.input_ids) == 150
    assert (row.labels != IGNORE_INDEX).any()


def test_a_row_that_would_lose_its_loc_names_file_and_record(
    tmp_path: Path, tokenizer: Tokenizer
) -> None:
    data = dataset(tmp_path, tokenizer, search_record("s"), max_length=30)
    lost = r"jsonl:1: record 's': .* loses the \[LOC\]; raise data\.grounding\.max_length by"
    with pytest.raises(ValueError, match=lost):
        data[0]


def test_rows_at_any_maximum_length_keep_picture_and_loc_or_are_refused(
    tmp_path: Path, tokenizer: Tokenizer
) -> None:
    """Also the rows of one image, which differ behind their picture alone."""
    expressions = [Expression("cup " * n + "cup", (CUP,)) for n in (0, 3, 9)]
    record = search_record("s", *expressions, conversations=messages(TURNS))
    wholes = dataset(tmp_path / "whole", tokenizer, record)[0].rows
    longest = max(len(row.input_ids) for row in wholes)
    refused = 0
    for limit in range(SIZES.long + 1, longest + 2):
        data = dataset(tmp_path / str(limit), tokenizer, record, max_length=limit)
        locs = [row.loc_position for row in wholes if row.loc_position is not None]
        if max(locs) >= limit:
            refused += 1
            with pytest.raises(ValueError, match=r"\[LOC\]|every label"):
                data[0]
            continue
        for row, whole in zip(data[0].rows, wholes, strict=True):
            assert len(row.input_ids) == min(limit, len(whole.input_ids))
            assert torch.equal(row.input_ids, whole.input_ids[:limit])
            assert (row.input_ids == VISUAL_TOKEN).sum() == SIZES.long
            assert (row.visuals, row.loc_position) == (whole.visuals, whole.loc_position)
    assert 0 < refused < longest - SIZES.long


def test_targets_of_a_vqa_record_have_no_place_here(tmp_path: Path, tokenizer: Tokenizer) -> None:
    data = dataset(tmp_path, tokenizer, chat_record("c", 1))
    with pytest.raises(ValueError, match="shown no crops"):
        data[0]


def test_the_length_is_that_of_the_packed_tree(tmp_path: Path, tokenizer: Tokenizer) -> None:
    """Whatever is drawn; of expressions, a conversation beside them, a conversation or text alone;
    with an index and without one."""
    both = search_record("s", conversations=messages(TURNS))
    data = dataset(tmp_path, tokenizer, both, many(9), chat_record("chat"), text_record())
    for index in (None, LengthIndex.measure(data)):
        data.index = index
        for number in range(4):
            for seed in range(3):
                sample = data.sample(number, np.random.default_rng(seed))
                (document,) = collate([sample], pad_id=0, pack=True).documents
                assert data.length(number, np.random.default_rng(seed)) == document.length


def test_small_boxes_are_hidden_from_the_box_head_only(
    tmp_path: Path, tokenizer: Tokenizer
) -> None:
    mask = mask_to_rle(np.ones((HEIGHT, WIDTH), np.uint8))
    # On the 24 x 24 detector input the first box is 4.8 pixels long, the second 4.
    boxes = (CUP, Box(0, 0, 10, 5))
    record = search_record("s", Expression("cup", boxes, mask), Expression("any", None, mask))
    data = dataset(tmp_path, tokenizer, record, min_box_pixels=4.5)
    cup, anything = data[0].targets
    assert cup.boxes is not None and len(cup.boxes) == 1 and cup.mask is not None
    assert anything.boxes is None


def test_masks_are_grown_to_some_pixels_of_the_logits(tmp_path: Path, tokenizer: Tokenizer) -> None:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[10, 20] = mask[39, 59] = 1
    tiny = (Box(20, 10, 21, 11), Box(59, 39, 60, 40))
    record = search_record("s", Expression("dot", tiny, mask_to_rle(mask)))
    config = {"min_mask_pixels": 2, "mask_size": 10}  # 2 of 10 mask pixels: 12 x 8 image pixels
    packed = dataset(tmp_path, tokenizer, record, **config)[0].targets[0].mask
    assert packed is not None
    grown = packed.unpack()
    assert grown[6:14, 14:26].sum() == grown[:20, :40].sum() > 80
    assert grown[36:, 54:].all()  # cut at the border
    empty = search_record("e", Expression("dot", tiny, mask_to_rle(0 * mask)))
    ungrown = dataset(tmp_path / "e", tokenizer, empty, **config)[0].targets[0].mask
    assert ungrown is not None and not ungrown.area


def test_a_mask_without_boxes_is_one_object(tmp_path: Path, tokenizer: Tokenizer) -> None:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[10, 20:22] = 1
    record = search_record("s", Expression("stuff", None, mask_to_rle(mask)))
    config = {"min_mask_pixels": 2, "mask_size": 10}
    grown = dataset(tmp_path, tokenizer, record, **config)[0].targets[0].mask
    assert grown is not None and grown.area == 12 * 8


@given(
    st.lists(
        st.tuples(*[st.floats(0, 50)] * 2, *[st.floats(0.5, 12)] * 2).map(
            lambda v: Box.from_xywh(*v)
        )
    )
)
def test_normalized_boxes_lie_inside_the_image(boxes: list[Box]) -> None:
    normalized = boxes_cxcywh(tuple(boxes), 60, 55)
    assert normalized.shape == (len(boxes), 4)
    corners = torch.cat(
        [normalized[:, :2] - normalized[:, 2:] / 2, normalized[:, :2] + normalized[:, 2:] / 2]
    )
    assert ((corners >= -1e-6) & (corners <= 1 + 1e-6)).all()
    for box, (cx, cy, w, h) in zip(boxes, normalized.tolist(), strict=True):
        if box.x1 <= 60 and box.y1 <= 55:
            assert (cx * 60, cy * 55) == pytest.approx(
                ((box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2), abs=1e-4
            )
            assert (w * 60, h * 55) == pytest.approx((box.width, box.height), abs=1e-4)


@pytest.mark.parametrize(
    "wrong",
    [
        {"chat_loc_slot": "maybe"},
        {"max_expressions": -1},
        {"min_box_pixels": -1.0},
        {"min_mask_pixels": -1},
        {"max_length": 0},
        {"mask_size": 0},
    ],
)
def test_a_wrong_config_names_the_field(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        GroundingConfig(**wrong)


def test_a_tokenizer_without_loc_and_a_length_without_text_are_refused(
    tmp_path: Path, tokenizer: Tokenizer
) -> None:
    with pytest.raises(ValueError, match="max_length=6 leaves no text"):
        dataset(tmp_path / "a", tokenizer, search_record("s"), max_length=6)
    plain = train_tokenizer(["some text here, some more"] * 3, 275, tmp_path / "t")
    with pytest.raises(ValueError, match=r"needs \[LOC\]"):
        dataset(tmp_path / "b", plain, search_record("s"))


def test_the_table_of_queries_serves_the_expressions_it_names(
    tmp_path: Path, tokenizer: Tokenizer
) -> None:
    record = search_record("s", Expression("cup", (CUP,)), Expression("kite", ()))
    vector = torch.arange(3.0)
    built = GroundingConfig().build(
        write_set(tmp_path, [record]),
        tokenizer,
        image_size=14,
        detector_size=24,
        sizes=SIZES,
        queries={"cup": vector},
    )
    cup, kite = built[0].targets
    assert cup.query is vector
    assert kite.query is None

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from seal.batch import IGNORE_INDEX, VISUAL_TOKEN, Row, Sample, Target, Visual
from seal.data.collate import collate

PAD = 99


def row(length: int, *visuals: Visual, loc: int | None = None, masked: tuple[int, ...] = ()) -> Row:
    ids = torch.arange(1, length + 1)
    mask = torch.ones(length, dtype=torch.bool)
    mask[list(masked)] = False
    return Row(ids, ids.clone(), visuals, mask if masked else None, loc)


def shown(*visuals: Visual) -> Row:
    """A row with two embeddings of what is shown long and one of what is shown short."""
    ids, runs = [1], []
    for visual in visuals:
        runs.append(replace(visual, length=2 if visual.long else 1))
        ids += [VISUAL_TOKEN] * runs[-1].length + [2]
    return Row(torch.tensor(ids), torch.tensor(ids), tuple(runs))


def picture(value: float) -> Tensor:
    return torch.full((3, 2, 2), value)


def test_rows_are_padded_on_the_right() -> None:
    batch = collate([Sample("a", (row(2),)), Sample("b", (row(4),))], pad_id=PAD)
    assert batch.ids == ["a", "b"]
    assert batch.input_ids.tolist() == [[1, 2, PAD, PAD], [1, 2, 3, 4]]
    assert batch.labels.tolist() == [[1, 2, IGNORE_INDEX, IGNORE_INDEX], [1, 2, 3, 4]]
    assert batch.attention_mask.tolist() == [[True, True, False, False], [True] * 4]
    assert batch.position_ids.tolist() == [[0, 1, 0, 0], [0, 1, 2, 3]]


def test_rows_are_padded_on_the_left() -> None:
    target = Target(torch.zeros(0, 4), None)
    short = Sample("a", (row(2, loc=1),), (), picture(0), (target,))
    batch = collate([short, Sample("b", (row(4),))], pad_id=PAD, side="left")
    assert batch.input_ids.tolist()[0] == [PAD, PAD, 1, 2]
    assert batch.labels.tolist()[0] == [IGNORE_INDEX, IGNORE_INDEX, 1, 2]
    assert batch.attention_mask.tolist()[0] == [False, False, True, True]
    assert batch.position_ids.tolist()[0] == [0, 0, 0, 1]
    assert batch.loc_positions is not None and batch.loc_positions.tolist() == [2]


def test_masked_slots_are_counted_only_where_the_original_did() -> None:
    sample = Sample("a", (row(5, masked=(1, 2)),))
    attended = collate([sample], pad_id=PAD)
    assert attended.position_ids.tolist() == [[0, 0, 0, 1, 2]]
    assert attended.attention_mask.tolist() == [[True, False, False, True, True]]
    assert collate([sample], pad_id=PAD, positions="all").position_ids.tolist() == [[0, 1, 2, 3, 4]]


def test_an_image_that_several_rows_show_is_encoded_once() -> None:
    first, second, other = picture(1), picture(2), picture(3)
    rows = (shown(Visual(0, True)), shown(Visual(1, False), Visual(0, True)))
    batch = collate(
        [
            Sample("a", rows, (first, second)),
            Sample("b", (row(2),)),
            Sample("c", (shown(Visual(1, True), Visual(0, False)),), (other, second)),
        ],
        pad_id=PAD,
    )
    assert batch.pixel_values[:, 0, 0, 0].tolist() == [1, 2, 3]
    assert batch.long_images.tolist() == [0, 1]
    assert batch.short_images.tolist() == [1, 2]
    # Two embeddings of each long image, one of each short one behind them.
    assert batch.visual_sources.tolist() == [0, 1, 4, 0, 1, 2, 3, 5]
    assert (batch.long_levels, batch.short_length) == ((2,), 1)
    assert batch.ids == ["a", "a", "b", "c"]


def test_a_picture_that_was_cut_off_is_not_encoded() -> None:
    batch = collate([Sample("a", (row(2),), (picture(1),))], pad_id=PAD)
    assert batch.pixel_values.shape[0] == 0 and batch.visual_positions.shape == (0,)
    assert batch.long_images.shape == batch.short_images.shape == (0,)


def test_every_loc_knows_its_row_position_image_and_target() -> None:
    targets = [Target(torch.rand(n, 4), None) for n in range(3)]
    batch = collate(
        [
            Sample("a", (row(3, loc=2), row(5, loc=1)), (), picture(1), tuple(targets[:2])),
            Sample("b", (row(2),)),
            Sample("c", (row(4), row(4, loc=3)), (), picture(2), (targets[2],)),
        ],
        pad_id=PAD,
    )
    # Rows of five, and the position before each [LOC].
    assert batch.loc_positions is not None and batch.loc_positions.tolist() == [1, 5, 22]
    assert batch.expression_image is not None and batch.expression_image.tolist() == [0, 0, 1]
    assert batch.detector_pixels is not None
    assert batch.detector_pixels[:, 0, 0, 0].tolist() == [1, 2]
    assert batch.targets == targets


def test_a_batch_without_expressions_has_no_detector_pixels() -> None:
    batch = collate([Sample("a", (row(3),))], pad_id=PAD)
    assert batch.detector_pixels is None and batch.loc_positions is None and batch.targets == []


@pytest.mark.parametrize(
    ("sample", "message"),
    [
        (Sample("r7", (row(3, loc=1),), (), picture(0)), "1 rows with .* 0 targets"),
        (
            Sample("r7", (row(3, loc=1),), (), None, (Target(None, None),)),
            "without detector pixels",
        ),
    ],
)
def test_expressions_that_do_not_add_up_name_the_sample(sample: Sample, message: str) -> None:
    with pytest.raises(ValueError, match=f"sample r7: .*{message}"):
        collate([sample], pad_id=PAD)


def test_an_empty_batch_and_unknown_rules_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one row"):
        collate([], pad_id=PAD)
    with pytest.raises(ValueError, match="side='up'"):
        collate([Sample("a", (row(2),))], pad_id=PAD, side="up")
    with pytest.raises(ValueError, match="positions='none'"):
        collate([Sample("a", (row(2),))], pad_id=PAD, positions="none")


def test_visual_tokens_stay_what_they_are() -> None:
    ids = torch.tensor([1, VISUAL_TOKEN, 2])
    sample = Sample("a", (Row(ids, ids, (Visual(0, True),)),), (picture(1),))
    assert collate([sample], pad_id=PAD).input_ids.tolist() == [[1, VISUAL_TOKEN, 2]]

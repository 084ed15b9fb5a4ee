"""A row of a batch is what it is alone: tokens, positions and pixels, whoever is beside it."""

from __future__ import annotations

import pytest
import torch
from PIL import Image
from tiny_families import FAMILIES, folder, missing
from tiny_more_families import MORE

from seal.inference.hf.encode import encode, prompt_text, user
from seal.inference.hf.load import load_hf


def conversations():
    sizes = (90, 60), (40, 90), (70, 70)
    photos = [Image.effect_noise(size, 80).convert("RGB") for size in sizes]
    image = [{"type": "image", "image": photo} for photo in photos]
    text = [{"type": "text", "text": said} for said in ("Is it red?", "What?", "")]
    return [
        user([image[0], text[0]]),
        user([text[1]]),
        user([image[0], text[1], image[1], text[0], image[2], text[2]]),
        user([image[2], text[0]]),
    ]


SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in MORE]


@pytest.fixture(scope="module", params=[*FAMILIES, *SLOW])
def hf(request):
    if reason := missing(request.param):
        pytest.skip(reason)
    return load_hf(folder(request.param), device="cpu")


def test_each_row_of_a_batch_is_the_row_alone_behind_its_padding(hf):
    asked = conversations()
    batch = encode(hf, asked)
    pixels = 0
    for index, conversation in enumerate(asked):
        alone, start = encode(hf, [conversation]), batch.offset(index)
        assert not batch.mask[index, :start].any() and batch.mask[index, start:].all()
        assert batch.next_position[index] == alone.next_position[0]
        for key, value in batch.inputs.items():
            if key == "position_ids":
                assert torch.equal(value[..., index, start:], alone.inputs[key][..., 0, :])
            elif value.shape[0] == len(asked) and key in alone.rows[0].tokens:
                assert torch.equal(value[index, start:], alone.inputs[key][0])
        assert set(batch.owned[index]) == set(alone.owned[0])
        for key, part in batch.owned[index].items():
            mine, other = batch.inputs[key][part], alone.inputs[key]
            shown = tuple(slice(0, extent) for extent in other.shape)
            assert torch.equal(mine[shown], other)
            assert mine.count_nonzero() == other.count_nonzero()  # the rest is padding
        pixels += alone.num_pixels
    assert batch.num_pixels == pixels and batch.num_tokens == batch.mask.sum()
    # Each input of pixels is divided among the rows, with nothing left over.
    for key in {key for owned in batch.owned for key in owned}:
        parts = [owned[key] for owned in batch.owned if key in owned]
        ends = [0, *(part.stop for part in parts)]
        assert [part.start for part in parts] == ends[:-1] and ends[-1] == len(batch.inputs[key])


def test_the_beginning_of_sequence_stands_once_where_the_template_writes_it():
    hf = load_hf(folder("gemma3"), device="cpu")
    asked = conversations()[0]
    assert prompt_text(hf, asked).startswith(hf.tokenizer.bos_token)
    ids = encode(hf, [asked]).inputs["input_ids"][0].tolist()
    assert ids[0] == hf.tokenizer.bos_token_id and hf.tokenizer.bos_token_id not in ids[1:]


def test_an_instruction_longer_than_the_q_former_reads_is_cut_there_alone():
    hf = load_hf(folder("instructblip"), device="cpu")
    photo = {"type": "image", "image": Image.new("RGB", (60, 40))}
    long = user([photo, {"type": "text", "text": "a boat on the water " * 40}])
    inputs = encode(hf, [long]).inputs
    assert inputs["qformer_input_ids"].shape[1] == 64 < inputs["input_ids"].shape[1]

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from golden_files import golden_cases, golden_json, golden_path
from hypothesis import given, settings
from hypothesis import strategies as st

from seal.text.tokenize import Tokenizer, load_tokenizer
from seal.text.train_tokenizer import train_tokenizer

TEXTS = [
    "where is the red cup?",
    "Please locate the blue dog in this image.",
    "Sure, it is 0.125 left of the bench.",
]
ADDED = ("[LOC]", "<im_start>", "<im_end>")


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    return train_tokenizer(TEXTS * 3, 300, tmp_path_factory.mktemp("tokenizer"), ADDED)


@pytest.mark.goldens("tokenizer")
@pytest.mark.parametrize(
    "sample", golden_cases("tokenizer/tokenizer_golden", "samples"), ids=lambda s: repr(s["text"])
)
def test_ids_and_decodes_equal_the_slow_tokenizer(sample: dict[str, Any]) -> None:
    vqa, vsm = (
        load_tokenizer(golden_path("tokenizer")),
        load_tokenizer(golden_path("tokenizer_vsm")),
    )
    text = sample["text"]
    assert vqa.encode(text) == sample["vqa_ids"]
    assert vsm.encode(text) == sample["vsm_ids"]
    assert vsm.encode(text, bos=False) == sample["vsm_ids_no_special"]
    assert vqa.decode(sample["vqa_ids"], skip_special=False) == sample["vqa_decode"]
    assert vsm.decode(sample["vsm_ids"]) == sample["vsm_decode_skip"]


@pytest.mark.goldens("tokenizer")
def test_sizes_and_special_ids_equal_the_slow_tokenizer() -> None:
    golden = golden_json("tokenizer/tokenizer_golden")
    vqa, vsm = (
        load_tokenizer(golden_path("tokenizer")),
        load_tokenizer(golden_path("tokenizer_vsm")),
    )
    assert (vqa.vocab_size, vsm.vocab_size) == (golden["len_vqa"], golden["len_vsm"])
    for tokenizer in (vqa, vsm):
        ids = (tokenizer.unk_id, tokenizer.bos_id, tokenizer.eos_id, tokenizer.pad_id)
        assert ids == (golden["unk_id"], golden["bos_id"], golden["eos_id"], golden["unk_id"])
    for token, index in golden["added_vsm"].items():
        assert vsm.token_id(token) == index
        assert token not in vqa


def test_whitespace_goes_around_added_tokens_only(tokenizer: Tokenizer) -> None:
    assert tokenizer.encode("cup \n [LOC] \n cup") == tokenizer.encode("cup[LOC]cup")
    assert tokenizer.encode("cup </s> cup") != tokenizer.encode("cup</s>cup")


def test_text_after_an_added_token_starts_anew(tokenizer: Tokenizer) -> None:
    loc = tokenizer.token_id("[LOC]")
    expected = [*tokenizer.encode("red"), loc, *tokenizer.encode("cup", bos=False)]
    assert tokenizer.encode("red [LOC] cup") == expected


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\u2581<")))
def test_text_survives_a_round_trip(tokenizer: Tokenizer, text: str) -> None:
    if not any(token in text for token in ADDED):
        assert tokenizer.decode(tokenizer.encode(text)) == text


def test_training_is_deterministic(tokenizer: Tokenizer, tmp_path: Path) -> None:
    again = train_tokenizer(TEXTS * 3, 300, tmp_path, ADDED)
    for name in ("tokenizer.model", "tokenizer_config.json", "added_tokens.json"):
        assert (again.folder / name).read_bytes() == (tokenizer.folder / name).read_bytes()


def test_transformers_opens_a_trained_tokenizer(tokenizer: Tokenizer) -> None:
    from transformers import AutoTokenizer

    theirs = AutoTokenizer.from_pretrained(tokenizer.folder)
    text = TEXTS[1]
    assert theirs(text).input_ids == tokenizer.encode(text)
    assert theirs.convert_tokens_to_ids("[LOC]") == tokenizer.token_id("[LOC]")
    assert theirs.pad_token_id == tokenizer.pad_id


def test_a_vocabulary_larger_than_the_texts_allow_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="9000 pieces cannot be trained"):
        train_tokenizer(TEXTS, 9000, tmp_path)


@pytest.mark.parametrize("size", [0, 259])
def test_a_vocabulary_without_room_for_text_is_refused(size: int, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"vocab_size={size}"):
        train_tokenizer(TEXTS, size, tmp_path)


def test_a_token_added_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="twice"):
        train_tokenizer(TEXTS, 300, tmp_path, ["[LOC]", "[LOC]"])


def test_a_folder_without_a_model_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=rf"{tmp_path.name} has no tokenizer.model"):
        load_tokenizer(tmp_path)


def test_broken_added_tokens_are_an_error_that_names_the_file(
    tokenizer: Tokenizer, tmp_path: Path
) -> None:
    shutil.copytree(tokenizer.folder, tmp_path, dirs_exist_ok=True)
    (tmp_path / "added_tokens.json").write_text('{"[LOC]": ')
    with pytest.raises(ValueError, match=r"added_tokens.json is not JSON"):
        load_tokenizer(tmp_path)
    (tmp_path / "added_tokens.json").write_text('{"[LOC]": 305}')
    with pytest.raises(ValueError, match="must have the ids 300"):
        load_tokenizer(tmp_path)


def test_unknown_tokens_and_ids_are_refused(tokenizer: Tokenizer) -> None:
    with pytest.raises(ValueError, match=r"no token '<nope>'"):
        tokenizer.token_id("<nope>")
    with pytest.raises(ValueError, match="id 303 is outside"):
        tokenizer.decode([303])
    assert tokenizer.token_id("<unk>") == tokenizer.unk_id

"""Folders of `tokenizer.json`: what is read, what is refused, and what is added behind them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import tiny_tokenizers
from transformers import AutoTokenizer

from seal.text.extend_tokenizer import extend_tokenizer
from seal.text.json_tokenizer import JsonTokenizer
from seal.text.sentencepiece_tokenizer import SentencePieceTokenizer
from seal.text.tokenize import TOKENIZER_FILES, load_tokenizer
from seal.text.tokens import IMAGE_END_TOKEN, IMAGE_START_TOKEN, LOC_TOKEN, SEARCH_TOKENS
from seal.text.train_tokenizer import train_tokenizer

FAMILIES = list(tiny_tokenizers.FAMILIES)
TEXTS = (
    "The red boat's 12 oars.", "  two  spaces\n\nand\tlines\n", "红色的杯子 naïve", "<|im_end|>a",
    " [INST] x </s>", "Sure, it is.",
)  # fmt: skip


def copied(tmp_path: Path, family: str = "qwen2_5") -> Path:
    return shutil.copytree(tiny_tokenizers.folder(family), tmp_path / "tokenizer")


def sentencepiece(folder: Path) -> SentencePieceTokenizer:
    made = train_tokenizer(["a red boat on blue water"] * 4, 275, folder)
    assert isinstance(made, SentencePieceTokenizer)
    return made


@pytest.mark.parametrize("family", FAMILIES)
def test_ids_and_texts_are_those_of_transformers(family: str) -> None:
    own = load_tokenizer(tiny_tokenizers.folder(family))
    theirs = AutoTokenizer.from_pretrained(tiny_tokenizers.folder(family))
    for text in TEXTS:
        ids = own.encode(text, bos=False)
        assert ids == theirs(text, add_special_tokens=False)["input_ids"]
        assert own.encode(text) == theirs(text)["input_ids"]
        for skip in (False, True):
            assert own.decode(ids, skip_special=skip) == theirs.decode(
                ids, skip_special_tokens=skip
            )
    assert own.vocab_size == len(theirs)
    assert own.eos_id == theirs.eos_token_id and own.eos_id in own.stop_ids
    assert own.control_tokens >= set(theirs.all_special_tokens)


def test_only_what_can_stand_for_unknown_text_is_told() -> None:
    told = {f: load_tokenizer(tiny_tokenizers.folder(f)).unk_id for f in FAMILIES}
    assert [family for family, unk_id in told.items() if unk_id is not None] == ["mistral"]


def test_every_end_of_a_family_is_known() -> None:
    own = load_tokenizer(tiny_tokenizers.folder("llama3"))
    assert own.stop_ids == {own.token_id("<|eot_id|>"), own.token_id("<|end_of_text|>")}
    own = load_tokenizer(tiny_tokenizers.folder("smollm2"))
    assert own.stop_ids == {own.token_id("<|im_end|>"), own.token_id("<|endoftext|>")}
    assert own.bos_id is None  # `<|im_start|>` is named so, but no text begins with it


def test_a_placeholder_is_no_text() -> None:
    own = load_tokenizer(tiny_tokenizers.folder("qwen3"))
    assert own.encode_slots("a<image>b", {"<image>": -1}).count(-1) == 1
    with pytest.raises(ValueError, match="without pictures contains <image>"):
        own.encode("a<image>b")
    with pytest.raises(ValueError, match="contains <object>"):
        own.encode_slots("a<image>b<object>", {"<image>": -1})


def test_the_files_say_which_kind_a_folder_holds(tmp_path: Path) -> None:
    both = copied(tmp_path)
    assert isinstance(load_tokenizer(both), JsonTokenizer)
    sentencepiece(tmp_path / "pieces")
    shutil.copy(tmp_path / "pieces" / "tokenizer.model", both)
    assert isinstance(load_tokenizer(both), JsonTokenizer)  # its chat template needs it
    (both / "chat_template.jinja").unlink()
    assert isinstance(load_tokenizer(both), SentencePieceTokenizer)
    (both / "tokenizer.model").unlink()
    (both / "tokenizer.json").unlink()
    with pytest.raises(ValueError, match=r"has no tokenizer\.model and no tokenizer\.json"):
        load_tokenizer(both)


def test_what_is_damaged_is_named(tmp_path: Path) -> None:
    folder = copied(tmp_path)
    config = folder / "tokenizer_config.json"
    for content, message in (
        ("{", r"tokenizer_config\.json is not JSON"),
        ("{}", "eos_token is None, which is no token of tokenizer.json"),
        ('{"eos_token": "<end>"}', "eos_token is '<end>', which is no token"),
    ):
        config.write_text(content)
        with pytest.raises(ValueError, match=message):
            load_tokenizer(folder)
    (folder / "tokenizer.json").write_text("version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(ValueError, match=r"tokenizer\.json is no tokenizer.*Git LFS"):
        load_tokenizer(folder)
    with pytest.raises(ValueError, match="no token 'boat boat'"):
        load_tokenizer(tiny_tokenizers.folder("qwen3")).token_id("boat boat")


def test_settings_say_whether_a_text_begins_with_a_token(tmp_path: Path) -> None:
    folder = copied(tmp_path, "llama3")
    path = folder / "tokenizer_config.json"
    settings = json.loads(path.read_text())
    begins = load_tokenizer(folder)
    assert begins.bos_id == begins.token_id("<|begin_of_text|>")
    path.write_text(json.dumps(settings | {"add_bos_token": False}))
    assert load_tokenizer(folder).bos_id is None
    assert load_tokenizer(folder).encode("a") == begins.encode("a")[1:]


def test_special_tokens_may_be_told_in_a_file_of_their_own(tmp_path: Path) -> None:
    folder = copied(tmp_path)
    (folder / "tokenizer_config.json").unlink()
    told = {"eos_token": {"content": "<|im_end|>", "special": True}}
    (folder / "special_tokens_map.json").write_text(json.dumps(told))
    assert load_tokenizer(folder).eos_token == "<|im_end|>"


@pytest.mark.parametrize("family", FAMILIES)
def test_tokens_are_added_behind_the_vocabulary(family: str, tmp_path: Path) -> None:
    source = tiny_tokenizers.folder(family)
    plain, own = load_tokenizer(source), extend_tokenizer(source, tmp_path, SEARCH_TOKENS)
    assert [own.token_id(token) for token in SEARCH_TOKENS] == list(
        range(plain.vocab_size, plain.vocab_size + 4)
    )
    assert own.vocab_size == plain.vocab_size + 4
    assert own.stop_ids == plain.stop_ids and own.bos_id == plain.bos_id
    for text in TEXTS:
        assert own.encode(text) == plain.encode(text)
    ids = own.encode(f"Sure, {LOC_TOKEN}.", bos=False)
    assert ids.count(own.token_id(LOC_TOKEN)) == 1
    assert own.decode(ids).strip() == f"Sure, {LOC_TOKEN}."
    for name in TOKENIZER_FILES:
        if (source / name).exists() and name != "tokenizer.json":
            assert (tmp_path / name).read_bytes() == (source / name).read_bytes()
    again = extend_tokenizer(tmp_path, tmp_path / "again", SEARCH_TOKENS)
    assert again.added_tokens == own.added_tokens


def test_sentencepiece_gets_the_released_ids(tmp_path: Path) -> None:
    plain = sentencepiece(tmp_path / "plain")
    own = extend_tokenizer(plain.folder, tmp_path / "own", SEARCH_TOKENS)
    known = [own.token_id(t) for t in (IMAGE_START_TOKEN, IMAGE_END_TOKEN, LOC_TOKEN)]
    assert known == [plain.vocab_size + i for i in (1, 2, 3)]  # behind `<im_patch>`
    with pytest.raises(ValueError, match=r"has no tokenizer\.json, whose control tokens"):
        extend_tokenizer(plain.folder, tmp_path / "chat", chat_template=tmp_path / "x.jinja")


def test_a_chat_template_is_put_into_the_folder(tmp_path: Path) -> None:
    folder = copied(tmp_path)
    (folder / "chat_template.jinja").unlink()
    template = tmp_path / "mine.jinja"
    with pytest.raises(ValueError, match=r"chat_template=.*mine\.jinja cannot be read"):
        extend_tokenizer(folder, tmp_path / "none", chat_template=template)
    template.write_text(tiny_tokenizers.CHATML_TURNS)
    own = extend_tokenizer(folder, tmp_path / "own", chat_template=template)
    assert own.chat_template == tiny_tokenizers.CHATML_TURNS
    template.write_bytes(b"\xff")
    with pytest.raises(ValueError, match=r"chat_template=.*mine\.jinja: not UTF-8"):
        extend_tokenizer(folder, tmp_path / "none", chat_template=template)


def test_a_chat_template_does_not_lose_the_tokens_that_sentencepiece_had(tmp_path: Path) -> None:
    folder = copied(tmp_path)
    template = (folder / "chat_template.jinja").rename(tmp_path / "mine.jinja")
    pieces = sentencepiece(tmp_path / "pieces")
    shutil.copy(pieces.folder / "tokenizer.model", folder)
    (folder / "added_tokens.json").write_text(json.dumps({LOC_TOKEN: pieces.vocab_size}))
    assert LOC_TOKEN in load_tokenizer(folder)
    own = extend_tokenizer(folder, tmp_path / "own", [LOC_TOKEN], chat_template=template)
    assert isinstance(own, JsonTokenizer) and LOC_TOKEN in own


def test_a_byte_order_mark_is_no_part_of_a_chat_template(tmp_path: Path) -> None:
    folder = copied(tmp_path)
    path = folder / "chat_template.jinja"
    told = path.read_text()
    path.write_text(told, encoding="utf-8-sig")
    assert load_tokenizer(folder).chat_template == told
    path.write_bytes(b"\xff")
    with pytest.raises(ValueError, match=r"chat_template\.jinja: not UTF-8"):
        load_tokenizer(folder)

"""Text to ids and back: what every tokenizer does, and which one a folder holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol

from seal.text.json_tokenizer import load_json_tokenizer
from seal.text.sentencepiece_tokenizer import load_sentencepiece_tokenizer
from seal.text.tokenizer_files import (
    JSON_FILE,
    MODEL_FILE,
    TOKENIZER_FILES,
    chat_template_in,
)

__all__ = ["JSON_FILE", "MODEL_FILE", "TOKENIZER_FILES", "Tokenizer", "load_tokenizer"]


class Tokenizer(Protocol):
    """Text to ids and back."""

    @property
    def folder(self) -> Path:
        """Where its files lie."""

    @property
    def bos_id(self) -> int | None:
        """What every text begins with; None: nothing."""

    @property
    def eos_id(self) -> int:
        """The end of sequence."""

    @property
    def stop_ids(self) -> frozenset[int]:
        """Whatever ends an answer: the end of sequence, of text, of a turn."""

    @property
    def unk_id(self) -> int | None:
        """What stands for text the vocabulary cannot write; None: it can write every text."""

    @property
    def pad_id(self) -> int:
        """Fills rows up; only masks tell it from text."""

    @property
    def vocab_size(self) -> int:
        """One more than the largest id, added tokens included."""

    @property
    def eos_token(self) -> str:
        """The end of sequence as text."""

    @property
    def added_tokens(self) -> dict[str, int]:
        """Tokens that stand for themselves wherever they are in a text, and their ids."""

    @property
    def control_tokens(self) -> frozenset[str]:
        """Added tokens that a model reads as a mark; no text of a person may hold them."""

    @property
    def chat_template(self) -> str | None:
        """How the model's maker writes turns (Jinja); None: not told."""

    def __hash__(self) -> int: ...

    def __contains__(self, token: str) -> bool: ...

    def token_id(self, token: str) -> int:
        """The id of an added token or of a piece of the vocabulary; ValueError: there is none."""

    def encode(self, text: str, bos: bool = True) -> list[int]:
        """The ids of `text`; placeholders of visual tokens mean nothing here."""

    def encode_slots(self, text: str, slots: Mapping[str, int]) -> list[int]:
        """The ids of `text` without BOS, each key of `slots` in it the id given for it."""

    def decode(self, ids: Iterable[int], *, skip_special: bool = True) -> str:
        """The text of `ids`; control tokens are left out on demand, SEAL's own never are."""

    def render(self, messages: list[dict[str, str]], *, answer_next: bool) -> str:
        """What the chat template writes; `answer_next`: up to where an answer would begin."""


def load_tokenizer(folder: str | Path) -> Tokenizer:
    """The tokenizer in `folder`.

    A folder with both kinds of files is read by sentencepiece, as LLaMA and Vicuna were trained,
    unless it has a chat template: that is written in the control tokens of `tokenizer.json`.
    """
    folder = Path(folder)
    pieces, plain = (folder / MODEL_FILE).is_file(), (folder / JSON_FILE).is_file()
    if not pieces and not plain:
        raise ValueError(
            f"{folder} has no {MODEL_FILE} and no {JSON_FILE}: a tokenizer folder holds one of "
            "them, tokenizer_config.json and what else its tokenizer was published with"
        )
    if plain and (not pieces or chat_template_in(folder) is not None):
        return load_json_tokenizer(folder)
    return load_sentencepiece_tokenizer(folder)

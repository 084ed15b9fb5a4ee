"""Tokenize as the slow LLaMA tokenizer of transformers 4.31 did (legacy): released weights need it.

Straight on sentencepiece, because later libraries changed what follows an added token: here the
text on either side of one loses its whitespace and every stretch of text starts with a new dummy
prefix. `<s> </s> <unk>` split the text as well but leave whitespace alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from sentencepiece import SentencePieceProcessor

from seal.files.kind import foreign_kind
from seal.text.tokenizer_files import ADDED_FILE, CONFIG_FILE, MODEL_FILE, read_object


class SentencePieceTokenizer:
    """Text to ids and back. `folder` is where its files lie."""

    chat_template: str | None = None  # LLaMA and Vicuna have none of their own

    def __init__(self, folder: Path, added: dict[str, int]) -> None:
        """`added`: tokens beyond the sentencepiece vocabulary and their ids."""
        self.folder = folder
        self._pieces = _load_pieces(folder / MODEL_FILE)
        self.bos_id: int = self._pieces.bos_id()
        self.eos_id: int = self._pieces.eos_id()
        self.stop_ids = frozenset({self.eos_id})
        self.unk_id: int = self._pieces.unk_id()
        self.pad_id: int = self.unk_id  # released: padding is <unk>; only masks tell it apart
        self._special = {
            self._pieces.id_to_piece(i): i for i in (self.bos_id, self.eos_id, self.unk_id)
        }
        base = self._pieces.get_piece_size()
        self._added = {token: i for token, i in added.items() if i >= base}
        taken = set(self._added.values())
        if len(taken) != len(self._added) or taken != set(range(base, base + len(taken))):
            raise ValueError(
                f"{folder}: added tokens must have the ids {base}, {base + 1}, ... behind the "
                f"sentencepiece vocabulary, got {self._added}"
            )
        self._added_by_id = {i: token for token, i in self._added.items()}
        self._special_by_id = {i: token for token, i in self._special.items()}
        known = sorted((*self._special, *self._added), key=len, reverse=True)
        self._splitter = re.compile("(" + "|".join(map(re.escape, known)) + ")")

    @property
    def vocab_size(self) -> int:
        """Ids in use, added tokens included."""
        return self._pieces.get_piece_size() + len(self._added)

    @property
    def eos_token(self) -> str:
        """The end of sequence as text."""
        return self._special_by_id[self.eos_id]

    @property
    def added_tokens(self) -> dict[str, int]:
        """Tokens beyond the sentencepiece vocabulary."""
        return dict(self._added)

    @property
    def control_tokens(self) -> frozenset[str]:
        """`<s> </s> <unk>`."""
        return frozenset(self._special)

    def render(self, messages: list[dict[str, str]], *, answer_next: bool) -> str:
        """There is no chat template here."""
        raise ValueError(f"{self.folder} has no chat template: use prompt_style=vicuna")

    def __contains__(self, token: str) -> bool:
        return token in self._added or token in self._special

    def token_id(self, token: str) -> int:
        """The id of a special or added token, or of a piece of the vocabulary."""
        if token in self._added:
            return self._added[token]
        piece: int = self._pieces.piece_to_id(token)
        if piece == self.unk_id and token not in self._special:
            raise ValueError(
                f"{self.folder}: no token {token!r}; added tokens are {sorted(self._added)}"
            )
        return piece

    def encode(self, text: str, bos: bool = True) -> list[int]:
        """The ids of `text`; placeholders of visual tokens mean nothing here."""
        ids = [self.bos_id] if bos else []
        parts = self._splitter.split(text)  # text at even, tokens at odd positions
        for index, part in enumerate(parts):
            if index % 2:
                ids.append(self._added[part] if part in self._added else self._special[part])
                continue
            if index > 0 and parts[index - 1] in self._added:
                part = part.lstrip()
            if index + 1 < len(parts) and parts[index + 1] in self._added:
                part = part.rstrip()
            if part:
                ids.extend(self._pieces.encode(part))
        return ids

    def encode_slots(self, text: str, slots: Mapping[str, int]) -> list[int]:
        """The ids of `text` without BOS, each key of `slots` in it the id given for it.

        Each of them starts a new stretch of text, with its own dummy prefix.
        """
        if not slots:
            return self.encode(text, bos=False)
        ids: list[int] = []
        for part in re.split("(" + "|".join(map(re.escape, slots)) + ")", text):
            ids.extend([slots[part]] if part in slots else self.encode(part, bos=False))
        return ids

    def decode(self, ids: Iterable[int], *, skip_special: bool = True) -> str:
        """The text of `ids`; added tokens stand between single spaces and are never skipped."""
        runs: list[str] = []
        pending: list[int] = []
        for i in map(int, ids):
            if i in self._added_by_id:
                if pending:
                    runs.append(self._decode_run(pending))
                runs.append(self._added_by_id[i])
                pending = []
            elif not 0 <= i < self._pieces.get_piece_size():
                raise ValueError(f"id {i} is outside the vocabulary of {self.vocab_size}")
            elif not (skip_special and i in self._special_by_id):
                pending.append(i)
        if pending:
            runs.append(self._decode_run(pending))
        return " ".join(runs)

    def _decode_run(self, ids: Sequence[int]) -> str:
        """Text without added tokens; a space goes before what follows text up to a special."""
        text = ""
        stretch: list[int] = []
        for i in ids:
            if i not in self._special_by_id:
                stretch.append(i)
                continue
            if stretch:
                text += " " + self._pieces.decode(stretch)
                stretch = []
            text += self._special_by_id[i]
        return text + self._pieces.decode(stretch) if stretch else text


def load_sentencepiece_tokenizer(folder: Path) -> SentencePieceTokenizer:
    """The tokenizer in `folder`, whatever its config says about legacy behavior."""
    added: dict[str, int] = {}
    config, file = read_object(folder / CONFIG_FILE), folder / ADDED_FILE
    told = config.get("added_tokens_decoder", {})
    try:
        for index, token in told.items():
            added[token["content"]] = int(index)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{folder / 'tokenizer_config.json'}: added_tokens_decoder is not an object of ids and "
            "tokens with their content; fetch the file again"
        ) from error
    for token, number in read_object(file).items():
        if type(number) is not int:
            raise ValueError(f"{file}: {token} has the id {str(number)[:40]!r}, not a whole number")
        added[token] = number
    return SentencePieceTokenizer(folder, added)


def _load_pieces(path: Path) -> SentencePieceProcessor:
    try:
        with path.open("rb") as file:
            content = file.read()
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror or error}") from error
    if not content:
        raise ValueError(f"{path} is empty; fetch it again")
    try:
        return SentencePieceProcessor(model_proto=content)
    except RuntimeError as error:  # nothing more is told by the library
        why = foreign_kind(path) or " ".join(str(error).split())
        raise ValueError(
            f"{path} is no sentencepiece model, or a damaged one: {why}; fetch it again"
        ) from error

"""Tokenize as `tokenizer.json` says: byte-level BPE and the rest, by the library `tokenizers`.

Llama 3, Qwen, SmolLM2, Mistral. No code comes with such a file; its added tokens are found in a
text first, and what stands between them is split and merged by its rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tokenizers import AddedToken
from tokenizers import Tokenizer as Backend

from seal.files.kind import foreign_kind
from seal.text.quote import quoted
from seal.text.render_chat import render_chat
from seal.text.tokenizer_files import CONFIG_FILE, JSON_FILE, chat_template_in, read_object
from seal.text.tokens import (
    IMAGE_END_TOKEN,
    IMAGE_PLACEHOLDER,
    IMAGE_START_TOKEN,
    LOC_TOKEN,
    OBJECT_PLACEHOLDER,
)

# Never left out of what a model said, whatever the file calls them.
_OURS = frozenset({LOC_TOKEN, IMAGE_START_TOKEN, IMAGE_END_TOKEN})
# Ends of texts and turns in the families that exist; a tokenizer names but one as its eos_token.
_ENDS = (
    "<|endoftext|>", "<|im_end|>", "<|end_of_text|>", "<|eot_id|>", "<|eom_id|>", "<end_of_turn>",
    "<|end|>", "</s>",
)  # fmt: skip
_ROLES = ("bos_token", "eos_token", "unk_token", "pad_token")


class JsonTokenizer:
    """Text to ids and back. `folder` is where its files lie."""

    def __init__(
        self, folder: Path, backend: Backend, config: dict[str, Any], chat_template: str | None
    ) -> None:
        """`config`: of `tokenizer_config.json`: which tokens have which part."""
        self.folder = folder
        self.chat_template = chat_template
        self._backend = backend
        self._names = {role: _content(config.get(role)) for role in _ROLES}
        self._added = {
            token.content: i for i, token in sorted(backend.get_added_tokens_decoder().items())
        }
        ids = {
            role: None if name is None else backend.token_to_id(name)
            for role, name in self._names.items()
        }
        eos, name = ids["eos_token"], self._names["eos_token"]
        if eos is None or name is None:
            raise ValueError(
                f"{folder / CONFIG_FILE}: eos_token is {name!r}, which is no token of {JSON_FILE}; "
                "name the one that ends an answer"
            )
        self.eos_id: int = eos
        self.eos_token: str = name
        self.bos_id = self._first_id(ids["bos_token"], config.get("add_bos_token"))
        unknown = getattr(backend.model, "unk_token", None)  # byte-level BPE writes everything
        self.unk_id: int | None = None if unknown is None else backend.token_to_id(unknown)
        self.pad_id: int = eos if ids["pad_token"] is None else ids["pad_token"]
        self.stop_ids = frozenset({eos, *(self._added[end] for end in _ENDS if end in self._added)})
        special = {t.content for t in backend.get_added_tokens_decoder().values() if t.special}
        special |= {name for name in self._names.values() if name in self._added}
        self.control_tokens = frozenset(special - _OURS)
        self._skipped = frozenset(self._added[token] for token in self.control_tokens)
        self.vocab_size: int = 1 + max(backend.get_vocab(with_added_tokens=True).values())
        # Known to the library alone, and last of all: they split a text, but have no ids of ours.
        marks = (IMAGE_PLACEHOLDER, OBJECT_PLACEHOLDER)
        backend.add_tokens([AddedToken(mark, normalized=False) for mark in marks])
        self._placeholders = {mark: backend.token_to_id(mark) for mark in marks}

    @property
    def added_tokens(self) -> dict[str, int]:
        """Tokens that stand for themselves wherever they are in a text, and their ids."""
        return dict(self._added)

    def __contains__(self, token: str) -> bool:
        return token in self._added

    def token_id(self, token: str) -> int:
        """The id of an added token or of a piece of the vocabulary."""
        found: int | None = self._backend.token_to_id(token)
        if found is None:
            raise ValueError(
                f"{self.folder}: no token {token!r}; added tokens are {sorted(self._added)[:20]}"
            )
        return found

    def encode(self, text: str, bos: bool = True) -> list[int]:
        """The ids of `text`, in which no placeholder of visual tokens may stand."""
        ids = self.encode_slots(text, {})
        return [self.bos_id, *ids] if bos and self.bos_id is not None else ids

    def encode_slots(self, text: str, slots: Mapping[str, int]) -> list[int]:
        """The ids of `text` without BOS, each placeholder in it the id that `slots` has for it.

        In one piece: some tokenizers write the very beginning of a text otherwise.
        """
        ids: list[int] = self._backend.encode(text, add_special_tokens=False).ids
        own = {self._placeholders[mark]: slot for mark, slot in slots.items()}
        for mark, i in self._placeholders.items():
            if i in ids and i not in own:
                raise ValueError(f"a text without pictures contains {mark}: {quoted(text)}")
        return [own.get(i, i) for i in ids]

    def decode(self, ids: Iterable[int], *, skip_special: bool = True) -> str:
        """The text of `ids`, nothing inserted; control tokens are left out on demand.

        Ids behind the vocabulary, for which some models keep rows in reserve, stand for nothing.
        """
        left_out = self._skipped if skip_special else frozenset()
        kept = [i for i in map(int, ids) if 0 <= i < self.vocab_size and i not in left_out]
        text: str = self._backend.decode(kept, skip_special_tokens=False)
        return text

    def render(self, messages: list[dict[str, str]], *, answer_next: bool) -> str:
        """What the chat template writes, thoughts off and on a fixed day.

        Raises:
            ValueError: there is no chat template, or it refuses the messages.
        """
        if self.chat_template is None:
            raise ValueError(f"{self.folder} has no chat template")
        names = {role: name for role, name in self._names.items() if name is not None}
        try:
            return render_chat(self.chat_template, messages, answer_next=answer_next, names=names)
        except ValueError as error:
            raise ValueError(f"{self.folder}: {error}") from error

    def _first_id(self, bos: int | None, wanted: object) -> int | None:
        """What the file puts in front of every text, if that is the beginning of sequence."""
        if isinstance(wanted, bool):
            return bos if wanted else None
        framed: list[int] = self._backend.encode("", add_special_tokens=True).ids
        return bos if bos in framed[:1] else None


def load_json_tokenizer(folder: Path) -> JsonTokenizer:
    """The tokenizer in `folder`.

    Raises:
        ValueError: `tokenizer.json` is damaged, or nothing ends an answer.
    """
    path = folder / JSON_FILE
    try:
        backend = Backend.from_file(str(path))
    except Exception as error:  # the library raises nothing more special
        why = foreign_kind(path) or " ".join(str(error).split())
        raise ValueError(
            f"{path} is no tokenizer, or a damaged one: {why}; fetch it again"
        ) from error
    backend.no_truncation()
    backend.no_padding()
    config = read_object(folder / "special_tokens_map.json") | read_object(folder / CONFIG_FILE)
    return JsonTokenizer(folder, backend, config, chat_template_in(folder))


def _content(token: object) -> str | None:
    """A token of the settings: its text, or an object with it."""
    if isinstance(token, dict):
        token = token.get("content")
    return token if isinstance(token, str) else None

"""Any image-text model of Hugging Face behind the answer protocol."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from PIL.Image import Image
from torch import Tensor

from seal.inference.answers.first_tokens import first_ids
from seal.inference.answers.layouts import LAYOUTS, user_turn
from seal.inference.answers.protocol import Account, Cost, Generation
from seal.inference.hf.answer_tokens import AnswerTokens
from seal.inference.hf.encode import Encoded, Row, collate, encode_row, prompt_text, user
from seal.inference.hf.load import load_hf
from seal.inference.hf.model import HFModel
from seal.inference.hf.run import (
    Prefix,
    continue_greedily,
    extend,
    followed,
    padded,
    read,
    read_whole,
)
from seal.text.quote import quoted
from seal.working_memory import VisualWorkingMemory

KEPT_ROWS = 16  # prepared prompts: whether one fits is asked before it is read


class HFAnswerModel:
    """An `AnswerModel` on a model of `AutoModelForImageTextToText`.

    Options are scored by the mean cross-entropy of their own tokens: what a template writes behind
    an answer is the same for all of them, and is left out.
    """

    reads_marks_as_letters = True  # `encode` writes control tokens in a question apart

    def __init__(self, hf: HFModel, *, layout: str = "interleaved", max_batch: int = 16) -> None:
        """`layout`: one of `layouts.LAYOUTS`; `max_batch`: rows in one pass."""
        if layout not in LAYOUTS:
            raise ValueError(f"layout={layout!r} is none of {', '.join(LAYOUTS)}")
        if max_batch < 1:
            raise ValueError(f"max_batch={max_batch} is not a positive number of rows")
        self.hf = hf
        self.layout = layout
        self.max_batch = max_batch
        self.account = Account()
        self.counts_visual_tokens = hf.known_image_token_id is not None
        self._answer_ids = AnswerTokens(hf)
        self._rows: OrderedDict[tuple[Any, ...], tuple[Image | None, Row]] = OrderedDict()

    @classmethod
    def from_pretrained(
        cls,
        name: str | Path,
        *,
        layout: str = "interleaved",
        max_batch: int = 16,
        **options: Any,
    ) -> HFAnswerModel:
        """The model `name` (folder or hub id); options as of `load_hf`."""
        if layout not in LAYOUTS:  # before anything is read
            raise ValueError(f"layout={layout!r} is none of {', '.join(LAYOUTS)}")
        return cls(load_hf(name, **options), layout=layout, max_batch=max_batch)

    @property
    def cost(self) -> Cost:
        return self.account.total

    def settings(self) -> dict[str, Any]:
        """What belongs beside every result of this model."""
        return {**self.hf.settings(), "layout": self.layout}

    @torch.inference_mode()
    def loglikelihood(
        self, requests: Sequence[tuple[VisualWorkingMemory, Sequence[str]]]
    ) -> list[list[float]]:
        """Mean cross-entropy of each option's own tokens; lowest is best."""
        for memory, options in requests:
            self._require_room(memory, self._longest(options))
        losses: list[list[float]] = []
        for start in range(0, len(requests), self.max_batch):
            losses += self._score(requests[start : start + self.max_batch])
        return losses

    @torch.inference_mode()
    def next_word(
        self, requests: Sequence[tuple[VisualWorkingMemory, Sequence[str]]]
    ) -> list[list[float]]:
        losses: list[list[float]] = []
        for start in range(0, len(requests), self.max_batch):
            part = requests[start : start + self.max_batch]
            for memory, _ in part:
                self._require_room(memory, 1 + len(self._answer_ids.lead))
            rows, ids = [], []
            for memory, words in part:
                lead = self._shared_lead(words)
                firsts = {word: self._answer_ids(word)[len(lead)] for word in words}
                ids.append(first_ids(words, firsts.__getitem__))
                rows.append(followed(self.row(memory), lead))
            _, logits = self._read(collate(self.hf, rows), [memory for memory, _ in part])
            for row, wanted in zip(logits.log_softmax(-1), ids, strict=True):
                losses.append([-float(row[i]) for i in wanted])
        self._require_finite([loss for row in losses for loss in row])
        return losses

    @torch.inference_mode()
    def generate(
        self, requests: Sequence[VisualWorkingMemory], *, max_new_tokens: int = 200
    ) -> list[Generation]:
        for memory in requests:
            self._require_room(memory, max_new_tokens)
        answers = []
        for start in range(0, len(requests), self.max_batch):
            part = requests[start : start + self.max_batch]
            prefix, logits = self._read(self.batch(part), part)
            self._require_finite([float(logits.sum())])
            made = continue_greedily(self.hf, prefix, logits, max_new_tokens)
            for memory, ids in zip(part, made, strict=True):
                self.account.charge(memory, Cost(tokens_written=len(ids)))
                text = self.hf.tokenizer.decode(ids, skip_special_tokens=True).strip()
                finished = bool(ids) and ids[-1] in self.hf.end_ids
                answers.append(Generation(text, len(ids), finished))
        return answers

    def fits(
        self,
        memory: VisualWorkingMemory,
        options: Sequence[str] = (),
        *,
        max_new_tokens: int = 200,
    ) -> bool:
        answer = self._longest(options) if options else max_new_tokens
        return len(self.row(memory)) + answer <= self.hf.context

    def forget(self, image: Image) -> None:
        """Drop what is known about an image."""
        for key in [key for key, (kept, _) in self._rows.items() if kept is image]:
            del self._rows[key]

    def prompt(self, memory: VisualWorkingMemory) -> str:
        """The whole prompt as text, placeholders not expanded."""
        return prompt_text(self.hf, user(user_turn(memory, self.layout)))

    def batch(self, memories: Sequence[VisualWorkingMemory]) -> Encoded:
        """Prompts as the model's inputs, padded on the left."""
        return collate(self.hf, [self.row(memory) for memory in memories])

    def row(self, memory: VisualWorkingMemory) -> Row:
        """One prompt as the model's inputs, without padding."""
        controls = memory.crops_black, memory.places_told
        key = (id(memory.image), memory.question, memory.targets, *controls)
        if key not in self._rows:  # the image is kept alive: its `id` is in the key
            prepared = encode_row(self.hf, user(user_turn(memory, self.layout)))
            self._rows[key] = memory.image, prepared
        self._rows.move_to_end(key)
        while len(self._rows) > KEPT_ROWS:
            self._rows.popitem(last=False)
        return self._rows[key][1]

    def _read(
        self, encoded: Encoded, memories: Sequence[VisualWorkingMemory]
    ) -> tuple[Prefix, Tensor]:
        for memory, row in zip(memories, encoded.rows, strict=True):
            self.account.charge(memory, _reading(row) + Cost(calls=1))
        return read(self.hf, encoded)

    def _longest(self, options: Sequence[str]) -> int:
        return max((len(self._answer_ids(option)) for option in options), default=0)

    def _shared_lead(self, words: Sequence[str]) -> list[int]:
        """Tokens that stand before each of the words and are none of theirs, as a lone space."""
        lead = self._answer_ids.lead
        rows = [self._answer_ids(word) for word in words]
        return lead if all(len(r) > len(lead) and r[: len(lead)] == lead for r in rows) else []

    def _require_room(self, memory: VisualWorkingMemory, answer: int) -> None:
        """Beyond its context a language model goes on, but what it says means nothing."""
        length = len(self.row(memory))
        if length + answer > self.hf.context:
            raise ValueError(
                f"{quoted(memory.question)} with {memory.num_crops} crops is {length} tokens and "
                f"the answer up to {answer}: more than max_position_embeddings={self.hf.context} "
                f"of {self.hf.name}; show it fewer crops, lower max_pixels, or put a shorter "
                "question"
            )

    def _score(
        self, requests: Sequence[tuple[VisualWorkingMemory, Sequence[str]]]
    ) -> list[list[float]]:
        """Every prompt is read once; its options share what was read.

        Options are scored in alphabetical order whatever order they come in, and equal ones once:
        neither place nor rounding can decide between them.
        """
        memories = [memory for memory, _ in requests]
        encoded = self.batch(memories)
        prefix, logits = self._read(encoded, memories)
        pairs = [
            (i, option) for i, (_, options) in enumerate(requests) for option in sorted({*options})
        ]
        losses: dict[tuple[int, str], float] = {}
        for start in range(0, len(pairs), self.max_batch):
            part = pairs[start : start + self.max_batch]
            ids = [self._answer_ids(option) for _, option in part]
            for (i, _), row in zip(part, ids, strict=True):
                self.account.charge(memories[i], Cost(options_scored=1, tokens_read=len(row)))
                if not prefix.is_shared:  # its prompt is read with it
                    self.account.charge(memories[i], _reading(encoded.rows[i]))
            if prefix.is_shared:
                means = self._behind(prefix, logits, [i for i, _ in part], ids)
            else:
                means = self._anew([encoded.rows[i] for i, _ in part], ids)
            losses.update(zip(part, means, strict=True))
        self._require_finite(losses.values())
        return [
            [losses[i, option] for option in options] for i, (_, options) in enumerate(requests)
        ]

    def _behind(
        self, prefix: Prefix, logits: Tensor, owners: Sequence[int], rows: list[list[int]]
    ) -> list[float]:
        """Losses of answers behind prompts that were read; logits: (B, V) of their first token."""
        ids, mask = padded(rows, self.hf)  # (K, L)
        owner = torch.tensor(owners, device=ids.device)
        scores = logits[owner][:, None]  # (K, 1, V): predicts the first token
        if ids.shape[1] > 1:
            rest = extend(self.hf, prefix.rows(owner), ids[:, :-1], mask[:, :-1])
            scores = torch.cat([scores, rest.float()], dim=1)  # (K, L, V)
        return _means(scores, ids, mask)

    def _anew(self, prompts: Sequence[Row], rows: list[list[int]]) -> list[float]:
        """Losses of answers, each read with its prompt."""
        scores = read_whole(self.hf, prompts, rows)  # (K, L, V), padded on the left
        ids, mask = padded([row[::-1] for row in rows], self.hf)
        return _means(scores.float(), ids.flip(1), mask.flip(1))

    def _require_finite(self, losses: Any) -> None:
        # Not a number is neither less nor more than another: it would pass for a tie.
        if not all(map(math.isfinite, losses)):
            raise FloatingPointError(
                f"{self.hf.name} gives losses that are not finite in {self.hf.dtype}; load it with "
                "dtype=bfloat16 or float32"
            )


def _reading(row: Row) -> Cost:
    return Cost(
        tokens_read=len(row),
        images=len(row.pictures),
        pixels=row.num_pixels,
        visual_tokens=row.num_visual,
    )


def _means(logits: Tensor, ids: Tensor, mask: Tensor) -> list[float]:
    """(K, L, V), (K, L), (K, L) -> mean cross-entropy of the K rows."""
    each = torch.zeros(mask.shape, device=logits.device)
    each[mask] = F.cross_entropy(logits[mask], ids[mask], reduction="none")
    means: list[float] = (each.sum(1) / mask.sum(1)).tolist()
    return means

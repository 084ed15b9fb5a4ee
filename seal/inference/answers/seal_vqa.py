"""The VQA LLM behind the answer protocol: from a visual working memory to options or words."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence
from copy import copy
from typing import Any

import torch
import torch.nn.functional as F
from PIL.Image import Image
from torch import Tensor

from seal.batch import VISUAL_TOKEN, Batch, Row, Sample, Visual
from seal.data.collate import collate
from seal.images import black, context_crop, pad_to_square, tower_pixels
from seal.inference.answers.first_tokens import first_ids
from seal.inference.answers.memory_question import memory_question
from seal.inference.answers.protocol import Account, Cost, Generation
from seal.inference.answers.showing import ROUTER, Granularity, Showing
from seal.inference.prefix import Prefix, extend, pad_right, read_prefix
from seal.models.vqa import VQAModel, VQAModelConfig
from seal.text.chat_template import choose_template
from seal.text.conversation import continuation_ids, end_ids, prompt_row, prompt_text
from seal.text.quote import quoted
from seal.text.tokenize import Tokenizer
from seal.text.tokens import choose_tokens
from seal.working_memory import VisualWorkingMemory

# How the whole image is shown when options are scored without a search: squared as everywhere, or
# cut to its middle as the original did there (oddity 22).
NO_SEARCH_IMAGES = ("padded", "as_released")
KEPT_PICTURES = 64  # whole images, prepared: a question shows its image in the first pass and later


def shown_by(config: VQAModelConfig, token_policy: str | None, granularity: Granularity) -> Showing:
    """How a model shows pictures, by what is asked for and by what it was trained for."""
    if granularity is not None:
        return Showing(ROUTER, granularity)
    return Showing(token_policy or config.token_policy)


def require_shown(config: VQAModelConfig, showing: Showing, model: str) -> None:
    """See `Showing.require`."""
    levels = config.granularity
    showing.require(
        levels=() if levels is None else levels.levels,
        router=config.router is not None,
        resampler=config.resampler is not None,
        model=model,
    )


class NetworkAnswerModel:
    """An `AnswerModel` on a trained VQA LLM."""

    names_missing = True  # taught to refuse, and to list what it lacks: what to search for
    counts_visual_tokens = True

    def __init__(
        self,
        model: VQAModel,
        tokenizer: Tokenizer,
        *,
        token_policy: str | None = None,
        granularity: Granularity = None,
        no_search_image: str = "padded",
        max_batch: int = 16,
    ) -> None:
        """`token_policy=None` is the model's own; `max_batch`: rows in one pass.

        `granularity`: see `Showing`; what it says, it says whatever the policy is.

        Raises:
            ValueError: the model cannot show pictures so.
        """
        if no_search_image not in NO_SEARCH_IMAGES:
            raise ValueError(
                f"no_search_image={no_search_image!r}; known: {', '.join(NO_SEARCH_IMAGES)}"
            )
        self.model = model.eval()
        self.tokenizer = tokenizer
        self.template = choose_template(tokenizer, "vqa", model.config.prompt_style)
        self._end_ids = end_ids(tokenizer, self.template)
        self.showing = shown_by(model.config, token_policy, granularity)
        self.no_search_image = no_search_image
        self.max_batch = max_batch
        self.sizes = model.config.visual_sizes
        self.account = Account()
        require_shown(model.config, self.showing, "the answer model")
        self._pictures: OrderedDict[tuple[int, bool], tuple[Image, Tensor]] = OrderedDict()

    @property
    def token_policy(self) -> str:
        """Which projector serves what."""
        return self.showing.token_policy

    @property
    def cost(self) -> Cost:
        return self.account.total

    def shown_as(self, word: str) -> NetworkAnswerModel:
        """The same model with pictures shown as `word` says (see `Showing`).

        Both keep one account, and one memory of pictures.
        """
        showing = Showing.read(word)
        require_shown(self.model.config, showing, "the answer model")
        view = copy(self)
        view.showing = showing
        return view

    @torch.inference_mode()
    def loglikelihood(
        self, requests: Sequence[tuple[VisualWorkingMemory, Sequence[str]]]
    ) -> list[list[float]]:
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
                self._require_room(memory, 1)
            memories = [memory for memory, _ in part]
            batch = self.batch(memories)
            self._count_read(memories, batch)
            _, last = read_prefix(
                self.model, self.model.embed(batch), batch.attention_mask, batch.position_ids
            )
            log_probs = self.model.llm.lm_head(last).float().log_softmax(-1)
            for row, (_, words) in zip(log_probs, part, strict=True):
                ids = first_ids(words, self._first_id)
                losses.append([-float(row[i]) for i in ids])
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
            batch = self.batch(part)
            self._count_read(part, batch)
            made = self.model.generate(batch, max_new_tokens, end_ids=self._end_ids)
            for memory, ids in zip(part, made, strict=True):
                finished = len(ids) < max_new_tokens
                self.account.charge(memory, Cost(tokens_written=len(ids) + finished))
                text = self.tokenizer.decode(ids).strip()
                answers.append(Generation(text, len(ids) + finished, finished))
        return answers

    def fits(
        self,
        memory: VisualWorkingMemory,
        options: Sequence[str] = (),
        *,
        max_new_tokens: int = 200,
    ) -> bool:
        answer = self._longest(options) if options else max_new_tokens
        return len(self.row(memory).input_ids) + answer <= self._context

    def settings(self) -> dict[str, Any]:
        """See `AnswerModel`."""
        return {
            "kind": "seal",
            "dtype": str(self.model.dtype).removeprefix("torch."),
            "token_policy": self.token_policy,
            "no_search_image": self.no_search_image,
        }

    def forget(self, image: Image) -> None:
        """Drop what is known about an image."""
        for cut in (False, True):
            self._pictures.pop((id(image), cut), None)

    def prompt(self, memory: VisualWorkingMemory) -> str:
        """The whole prompt as text, placeholders not expanded."""
        return prompt_text(self.template, memory_question(memory))

    def batch(self, memories: Sequence[VisualWorkingMemory], *, scoring: bool = False) -> Batch:
        """Left-padded prompts; `scoring`: options follow, to which `no_search_image` applies."""
        samples = [self._sample(str(i), m, scoring) for i, m in enumerate(memories)]
        return collate(samples, pad_id=self.tokenizer.pad_id, side="left").to(self.model.device)

    def row(self, memory: VisualWorkingMemory) -> Row:
        """The prompt as tokens."""
        image_long, objects_long = choose_tokens(self.token_policy, memory.num_crops)
        return prompt_row(
            self.tokenizer,
            self.template,
            memory_question(memory),
            image=Visual(0, image_long) if memory.image is not None else None,
            objects=[Visual(1 + i, objects_long) for i in range(memory.num_crops)],
            sizes=self.sizes,
        )

    @property
    def _context(self) -> int:
        """Positions the language model was trained to tell apart."""
        return self.model.config.llm.max_position_embeddings

    def _count_read(self, memories: Sequence[VisualWorkingMemory], batch: Batch) -> None:
        side = self.model.config.vision.image_size
        visual = (batch.input_ids == VISUAL_TOKEN) & batch.attention_mask
        counted = torch.stack([batch.attention_mask.sum(1), visual.sum(1)], dim=1).tolist()
        for memory, (tokens, of_images) in zip(memories, counted, strict=True):
            shown = (memory.image is not None) + memory.num_crops
            read = Cost(
                calls=1,
                tokens_read=tokens,
                images=shown,
                pixels=shown * side**2,
                visual_tokens=of_images,
            )
            self.account.charge(memory, read)

    def _first_id(self, word: str) -> int:
        return continuation_ids(self.tokenizer, self.template, word, stop=False)[0]

    def _longest(self, options: Sequence[str]) -> int:
        lengths = (
            len(continuation_ids(self.tokenizer, self.template, option)) for option in options
        )
        return max(lengths, default=0)

    def _require_room(self, memory: VisualWorkingMemory, answer: int) -> None:
        """Beyond its context a language model goes on, but what it says means nothing."""
        length = len(self.row(memory).input_ids)
        if length + answer > self._context:
            raise ValueError(
                f"{quoted(memory.question)} with {memory.num_crops} crops is {length} tokens and "
                f"the answer up to {answer}: more than max_position_embeddings={self._context} of "
                "the VQA LLM; show it fewer crops or put a shorter question"
            )

    def _sample(self, name: str, memory: VisualWorkingMemory, scoring: bool) -> Sample:
        row = self.row(memory)
        if memory.image is None:
            return Sample(name, (row,))
        cut = scoring and not memory.targets and self.no_search_image == "as_released"
        vision = self.model.config.vision
        pictures = [self._whole(memory.image, cut)]
        for target in memory.targets:
            for box in target.boxes:
                crop = context_crop(memory.image, box)
                if memory.crops_black:
                    crop = black(crop)
                pixels = tower_pixels(crop, vision.image_size, vision.normalization)
                pictures.append(torch.from_numpy(pixels))
        return Sample(name, (row,), tuple(pictures))

    def _whole(self, image: Image, cut: bool) -> Tensor:
        """(3, S, S): the whole image; one tensor while it is remembered, so batches encode it
        once however many rows show it."""
        key = id(image), cut
        if key not in self._pictures:
            vision = self.model.config.vision
            size, colors = vision.image_size, vision.normalization
            if cut:
                pixels = tower_pixels(image, size, colors, "center_crop")
            else:
                square, _ = pad_to_square(image, "center", colors.background)
                pixels = tower_pixels(square, size, colors)
            self._pictures[key] = image, torch.from_numpy(pixels)  # kept alive: `id` is the key
        self._pictures.move_to_end(key)
        while len(self._pictures) > KEPT_PICTURES:
            self._pictures.popitem(last=False)
        return self._pictures[key][1]

    def _score(
        self, requests: Sequence[tuple[VisualWorkingMemory, Sequence[str]]]
    ) -> list[list[float]]:
        """Every prompt is read once; its options share what was read.

        Options are scored in alphabetical order whatever order they come in, and equal ones once:
        neither place nor rounding can decide between them.
        """
        memories = [memory for memory, _ in requests]
        batch = self.batch(memories, scoring=True)
        self._count_read(memories, batch)
        prefix, last = read_prefix(
            self.model, self.model.embed(batch), batch.attention_mask, batch.position_ids
        )
        pairs = [
            (i, option) for i, (_, options) in enumerate(requests) for option in sorted({*options})
        ]
        losses: dict[tuple[int, str], float] = {}
        for start in range(0, len(pairs), self.max_batch):
            part = pairs[start : start + self.max_batch]
            rows = [continuation_ids(self.tokenizer, self.template, option) for _, option in part]
            for (i, _), row in zip(part, rows, strict=True):
                self.account.charge(memories[i], Cost(options_scored=1, tokens_read=len(row)))
            means = self._score_options(prefix, last, [i for i, _ in part], rows)
            losses.update(zip(part, means, strict=True))
        return [
            [losses[i, option] for option in options] for i, (_, options) in enumerate(requests)
        ]

    def _score_options(
        self, prefix: Prefix, last: Tensor, owners: Sequence[int], rows: list[list[int]]
    ) -> list[float]:
        """Mean cross-entropy of options' tokens, each behind the row of `prefix` that owns it."""
        ids, mask = pad_right(rows, last.device)  # (B, L)
        owner = torch.tensor(owners, device=last.device)
        states = last[owner][:, None]  # (B, 1, D): predicts the first token
        if ids.shape[1] > 1:
            rest = extend(self.model, prefix.rows(owner), ids[:, :-1], mask[:, :-1])
            states = torch.cat([states, rest], dim=1)  # (B, L, D)
        logits = self.model.llm.lm_head(states[mask]).float()  # (K, vocabulary)
        each = torch.zeros(mask.shape, device=last.device)
        each[mask] = F.cross_entropy(logits, ids[mask], reduction="none")
        means: list[float] = (each.sum(1) / mask.sum(1)).tolist()
        # Not a number is neither less nor more than another: it would pass for a tie.
        if not all(map(math.isfinite, means)):
            raise FloatingPointError(
                f"the VQA LLM gives losses that are not finite in {self.model.dtype}; load it "
                "with dtype=bfloat16 or float32"
            )
        return means

"""The VQA LLM behind the answer protocol: from a visual working memory to options or words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from copy import copy
from typing import Any

import torch
import torch.nn.functional as F
from PIL.Image import Image
from torch import Tensor

from seal.batch import VISUAL_TOKEN, Batch, Row, Sample, Visual
from seal.data.collate import collate
from seal.data.levels import at_level
from seal.inference.answers.first_tokens import first_ids
from seal.inference.answers.level_choice import LevelChoice
from seal.inference.answers.memory_pictures import MemoryPictures, Picture
from seal.inference.answers.memory_question import memory_question
from seal.inference.answers.protocol import Account, Cost, Generation
from seal.inference.answers.showing import AUTO, ROUTER, Granularity, Showing
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
        tiles=config.tiles is not None,
        model=model,
    )


class NetworkAnswerModel:
    """An `AnswerModel` on a trained VQA LLM."""

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
        # SEAL's were taught to refuse, and to list what they lack: what to search for. A model
        # without a resampler, as AVG-LLaVA, answers whatever it is asked.
        self.names_missing = model.config.resampler is not None
        self.account = Account()
        require_shown(model.config, self.showing, "the answer model")
        self._pictures = MemoryPictures(model)
        self._chosen = LevelChoice(self._pictures, self._words)

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
        self._choose([memory for memory, _ in requests])
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
        self._choose([memory for memory, _ in requests])
        losses: list[list[float]] = []
        for start in range(0, len(requests), self.max_batch):
            part = requests[start : start + self.max_batch]
            for memory, _ in part:
                self._require_room(memory, 1)
            batch, features = self._put([memory for memory, _ in part])
            embeddings = self.model.embed(batch, features)
            _, last = read_prefix(self.model, embeddings, batch.attention_mask, batch.position_ids)
            log_probs = self.model.llm.lm_head(last).float().log_softmax(-1)
            for row, (_, words) in zip(log_probs, part, strict=True):
                ids = first_ids(words, self._first_id)
                losses.append([-float(row[i]) for i in ids])
        return losses

    @torch.inference_mode()
    def generate(
        self, requests: Sequence[VisualWorkingMemory], *, max_new_tokens: int = 200
    ) -> list[Generation]:
        self._choose(requests)
        for memory in requests:
            self._require_room(memory, max_new_tokens)
        answers = []
        for start in range(0, len(requests), self.max_batch):
            part = requests[start : start + self.max_batch]
            batch, features = self._put(part)
            made = self.model.generate(
                batch, max_new_tokens, features=features, end_ids=self._end_ids
            )
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
            # Of the released two projectors alone; see `_sample`.
            "no_search_image": "padded" if self.token_policy == ROUTER else self.no_search_image,
            **({"granularity": self.granularity} if self._has_levels else {}),
        }

    def forget(self, image: Image) -> None:
        """Drop what is known about an image."""
        self._pictures.forget(image)
        self._chosen.forget(image)

    def prompt(self, memory: VisualWorkingMemory) -> str:
        """The whole prompt as text, placeholders not expanded."""
        return prompt_text(self.template, memory_question(memory))

    def batch(self, memories: Sequence[VisualWorkingMemory], *, scoring: bool = False) -> Batch:
        """Left-padded prompts; `scoring`: options follow, to which `no_search_image` applies."""
        self._choose(memories)
        made = [self._sample(str(i), m, scoring) for i, m in enumerate(memories)]
        return self._collated([sample for sample, _ in made])

    def row(self, memory: VisualWorkingMemory) -> Row:
        """The prompt as tokens."""
        visuals = self._visuals(memory)
        if levels := self.levels_of(memory):
            visuals = list(map(at_level, visuals, levels))
        return self._prompt_row(memory, visuals)

    def levels_of(self, memory: VisualWorkingMemory) -> tuple[int, ...]:
        """The level at which the whole image is read, then that of each crop; () of a model
        without levels, and where the token policy knows none."""
        if not self._has_levels:
            return ()
        if isinstance(self.granularity, int):
            return (self.granularity,) * ((memory.image is not None) + memory.num_crops)
        (levels,) = self._chosen.of([memory])
        return levels

    @property
    def granularity(self) -> Granularity:
        """`auto` or a level; None of a model without levels."""
        config = self.model.config
        if self.showing.granularity is not None or config.granularity is None:
            return self.showing.granularity
        return AUTO if config.router is not None else config.granularity.levels[-1]

    @property
    def finest_level(self) -> int | None:
        """Where pictures are read at levels."""
        config = self.model.config.granularity
        return config.levels[-1] if config is not None and self._has_levels else None

    @property
    def _has_levels(self) -> bool:
        return self.token_policy == ROUTER and self.model.config.granularity is not None

    def _choose(self, memories: Sequence[VisualWorkingMemory]) -> None:
        """Of all together, so that they share passes; `levels_of` remembers."""
        if self._has_levels and self.granularity == AUTO:
            self._chosen.of(memories)

    def _words(self, memory: VisualWorkingMemory) -> Tensor:
        """What a router chooses by; the same at whatever level pictures are shown."""
        return self._prompt_row(memory, self._visuals(memory)).text_ids

    def _visuals(self, memory: VisualWorkingMemory) -> list[Visual]:
        image_long, objects_long = choose_tokens(self.token_policy, memory.num_crops)
        return self._pictures.visuals(memory, image_long=image_long, objects_long=objects_long)

    def _prompt_row(self, memory: VisualWorkingMemory, visuals: Sequence[Visual]) -> Row:
        return prompt_row(
            self.tokenizer,
            self.template,
            memory_question(memory),
            image=visuals[0] if visuals else None,
            objects=visuals[1:],
            sizes=self.sizes,
        )

    @property
    def _context(self) -> int:
        """Positions the language model was trained to tell apart."""
        return self.model.config.llm.max_position_embeddings

    def _put(
        self, memories: Sequence[VisualWorkingMemory], *, scoring: bool = False
    ) -> tuple[Batch, Tensor | None]:
        """Prompts that are about to be read, which are charged to whoever asks; and what the tower
        makes of their pictures, where that is kept."""
        made = [self._sample(str(i), m, scoring) for i, m in enumerate(memories)]
        batch = self._collated([sample for sample, _ in made])
        visual = (batch.input_ids == VISUAL_TOKEN) & batch.attention_mask
        counted = torch.stack([batch.attention_mask.sum(1), visual.sum(1)], dim=1).tolist()
        side = self.model.config.vision.image_size
        for memory, (sample, pictures), (tokens, of_images) in zip(
            memories, made, counted, strict=True
        ):
            read = Cost(
                calls=1,
                tokens_read=tokens,
                images=len(pictures),
                pixels=len(sample.images) * side**2,
                visual_tokens=of_images,
            )
            self.account.charge(memory, read)
        shown = [picture for _, pictures in made for picture in pictures]
        if not shown or self.token_policy != ROUTER:
            return batch, None
        return batch, self._pictures.features(shown)

    def _collated(self, samples: Sequence[Sample]) -> Batch:
        batch = collate(samples, pad_id=self.tokenizer.pad_id, side="left")
        return batch.to(self.model.device)

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
            coarser = ", name a coarser level (granularity=)" if self._has_levels else ""
            raise ValueError(
                f"{quoted(memory.question)} with {memory.num_crops} crops is {length} tokens and "
                f"the answer up to {answer}: more than max_position_embeddings={self._context} of "
                f"the VQA LLM; show it fewer crops{coarser} or put a shorter question"
            )

    def _sample(
        self, name: str, memory: VisualWorkingMemory, scoring: bool
    ) -> tuple[Sample, list[Picture]]:
        # What the original did is known of its own two projectors alone.
        keeps = self.token_policy == ROUTER
        released = scoring and not memory.targets and self.no_search_image == "as_released"
        pictures = self._pictures.of(memory, cut=released and not keeps, keep_crops=keeps)
        tiles = tuple(tile for picture in pictures for tile in picture.tiles)
        return Sample(name, (self.row(memory),), tiles), pictures

    def _score(
        self, requests: Sequence[tuple[VisualWorkingMemory, Sequence[str]]]
    ) -> list[list[float]]:
        """Every prompt is read once; its options share what was read.

        Options are scored in alphabetical order whatever order they come in, and equal ones once:
        neither place nor rounding can decide between them.
        """
        memories = [memory for memory, _ in requests]
        batch, features = self._put(memories, scoring=True)
        embeddings = self.model.embed(batch, features)
        prefix, last = read_prefix(self.model, embeddings, batch.attention_mask, batch.position_ids)
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

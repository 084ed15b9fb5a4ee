"""The search model behind the search's protocol: batched, no decoding where none is needed.

The answer to "Please locate ..." is constant, so reading it up to its `[LOC]` gives the query.
The image comes first in every prompt, so all questions about a crop, of any kind and target, share
the keys and values of what precedes them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import torch
from PIL.Image import Image
from torch import Tensor

from seal.batch import VISUAL_TOKEN, Row, Sample, Visual
from seal.data.collate import collate
from seal.images import detector_frame
from seal.inference.guides.config import KINDS
from seal.inference.guides.crops import Crop, CropCache
from seal.inference.guides.device_heat import DeviceHeat, Maps
from seal.inference.prefix import Prefix, continue_greedily, extend, pad_right, read_prefix
from seal.models.vsm import VSM
from seal.ops.boxes import box_cxcywh_to_xyxy
from seal.search.config import SearchConfig
from seal.search.protocol import Cue, Detections, Heat, Query, QueryKind
from seal.text.chat_template import choose_template
from seal.text.conversation import continuation_ids, end_ids, prompt_row
from seal.text.phrases import extract_phrase
from seal.text.prompts import (
    LOCATE_ANSWER,
    cue_prefix,
    cue_question,
    locate_question,
    without_article,
)
from seal.text.tokenize import Tokenizer
from seal.text.tokens import IMAGE_PLACEHOLDER, VisualSizes

MAX_CUE_TOKENS = 100
Answer = TypeVar("Answer")


@dataclass(slots=True)
class Cost:
    """What a search model has done so far."""

    queries: dict[str, int] = field(default_factory=dict)  # by kind
    crops_encoded: int = 0  # by the detector; the vision tower sees no more
    prompts_read: int = 0  # passes of the language model over a crop and what precedes it
    questions_read: int = 0  # short passes behind them
    tokens_generated: int = 0


class NetworkSearchModel:
    """A `SearchModel` on a trained VSM; its detections come with the target's heat."""

    name = "seal"
    kinds: frozenset[QueryKind] = KINDS["seal"]

    def __init__(
        self,
        model: VSM,
        tokenizer: Tokenizer,
        *,
        max_batch: int = 16,
        cache_mb: int = 4096,
        threads: int | None = None,
    ) -> None:
        """`max_batch`: queries in one pass; `cache_mb`: what is kept of crops, on the device.

        A 7B model needs about 160 MB a crop to share everything between detection and cues, 4 MB
        to share what the towers see; the former goes first.
        """
        self.model = model.eval()
        self.tokenizer = tokenizer
        self.template = choose_template(tokenizer, "vsm", model.config.prompt_style)
        self._end_ids = end_ids(tokenizer, self.template)
        self.max_batch = max_batch
        self.sizes = VisualSizes(long=model.config.vision.num_tokens)
        self.max_cue_tokens = MAX_CUE_TOKENS  # at which an answer is cut that has no end before
        self.cost = Cost()
        self._crops = CropCache(model, max_bytes=cache_mb << 20, threads=threads)
        self._maps = Maps()
        self._shared = self._shared_row()
        self._period_ids: frozenset[int] | None = None

    def detect(self, queries: Sequence[Query]) -> list[Detections]:
        return self._in_parts("detect", queries, self._detect)

    def contextual_cue(self, queries: Sequence[Query]) -> list[Cue]:
        return self._in_parts("contextual_cue", queries, self._cue)

    def cue_heatmap(self, queries: Sequence[Query]) -> list[Heat]:
        return self._in_parts("cue_heatmap", queries, self._heat)

    def search_config(self) -> SearchConfig:
        """The published search, down to the smallest region this model was made to look at."""
        config = self.model.config
        return SearchConfig(
            min_size=config.search_min_size, min_size_scale=config.search_min_size_scale
        )

    def settings(self) -> dict[str, Any]:
        """How the model is used; which one it is, the `weights` of a result say."""
        dtype = str(self.model.dtype).removeprefix("torch.")
        return {"dtype": dtype, "max_cue_tokens": self.max_cue_tokens}

    def forget(self, image: Image) -> None:
        """Drop what is known about an image."""
        self._crops.forget(image)

    @torch.inference_mode()
    def check_constant_answer(self, query: Query) -> str | None:
        """What greedy decoding answers instead of `Sure, [LOC].`, which `detect` relies on.

        None: it is the constant answer, as it should be once a checkpoint.
        """
        crops = self._read([query])
        ids, mask, _ = self._questions([(locate_question(_name(query)), "")])
        (said,) = continue_greedily(
            self.model, _prefixes(crops), ids, mask, max_new_tokens=16, end_ids=self._end_ids
        )
        text = self.tokenizer.decode(said)
        # Added tokens are decoded between spaces.
        return None if "".join(text.split()) == "".join(LOCATE_ANSWER.split()) else text

    @torch.inference_mode()
    def _in_parts(
        self,
        kind: QueryKind,
        queries: Sequence[Query],
        answer: Callable[[Sequence[Query], list[Crop]], list[Answer]],
    ) -> list[Answer]:
        self.cost.queries[kind] = self.cost.queries.get(kind, 0) + len(queries)
        answers: list[Answer] = []
        for start in range(0, len(queries), self.max_batch):
            part = queries[start : start + self.max_batch]
            crops = self._read(part)
            answers += answer(part, crops)
            self._crops.trim(crops)
        self.cost.crops_encoded = self._crops.num_encoded["detector"]
        return answers

    def _detect(self, queries: Sequence[Query], crops: list[Crop]) -> list[Detections]:
        states, features, index = self._states(queries, crops)
        logits, boxes = self.model.decode_boxes(features, states, index)
        heats = self._heats(queries, self.model.decode_masks(features, states, index))
        frames = boxes.new_tensor([self._frame(q) * 2 for q in queries], dtype=torch.float32)
        boxes_xyxy = box_cxcywh_to_xyxy(boxes.float()) * frames[:, None]  # (E, Q, 4) patch pixels
        scores = logits.float().sigmoid()  # (E, Q)
        if self.model.config.detector.fit == "pad":
            boxes_xyxy, scores = _without_padding(boxes_xyxy, scores, queries)
        both = torch.cat([boxes_xyxy, scores[..., None]], dim=-1).cpu().numpy()  # one transfer
        self._check_finite(both)
        return [
            Detections(each[:, :4].copy(), each[:, 4].copy(), heat)  # not views of the batch
            for each, heat in zip(both, heats, strict=True)
        ]

    def _heat(self, queries: Sequence[Query], crops: list[Crop]) -> list[Heat]:
        states, features, index = self._states(queries, crops)
        return list(self._heats(queries, self.model.decode_masks(features, states, index)))

    def _heats(self, queries: Sequence[Query], masks: Tensor) -> list[DeviceHeat]:
        """masks: (E, h, w) logits."""
        # Copies: a view would keep the logits of the whole batch as long as any one of them.
        return [
            DeviceHeat(mask.clone(), *query.patch.size, maps=self._maps, extent=self._extent(query))
            for mask, query in zip(masks, queries, strict=True)
        ]

    def _frame(self, query: Query) -> tuple[int, int]:
        """What the detector's square shows, in pixels of the patch."""
        return detector_frame(*query.patch.size, self.model.config.detector.fit)

    def _extent(self, query: Query) -> tuple[float, float]:
        """How much of that is the patch."""
        (width, height), (across, down) = query.patch.size, self._frame(query)
        return width / across, height / down

    def _cue(self, queries: Sequence[Query], crops: list[Crop]) -> list[Cue]:
        asked = [(cue_question(_name(query)), cue_prefix(_name(query))) for query in queries]
        ids, mask, _ = self._questions(asked)
        decoded = continue_greedily(
            self.model,
            _prefixes(crops),
            ids,
            mask,
            max_new_tokens=self.max_cue_tokens,
            stop_ids=self._periods(),
            end_ids=self._end_ids,
        )
        self.cost.tokens_generated += sum(map(len, decoded))
        cues = []
        for query, (_, begun), said in zip(queries, asked, decoded, strict=True):
            # Decoded together: a continuation may go on with the last word of the prefix.
            begun_ids = continuation_ids(self.tokenizer, self.template, begun, stop=False)
            answer = self.tokenizer.decode(begun_ids + said).strip()
            phrase, extractor = extract_phrase(answer, _name(query))
            cues.append(Cue(answer, phrase, extractor))
        return cues

    def _states(self, queries: Sequence[Query], crops: list[Crop]) -> tuple[Tensor, Tensor, Tensor]:
        """(E, D) query states, (M, G, G, C) features of the distinct crops, (E,) which is whose."""
        self._crops.need_detector(crops)
        ids, mask, last = self._questions(
            [(locate_question(_name(query)), LOCATE_ANSWER) for query in queries]
        )
        hidden = extend(self.model, _prefixes(crops), ids, mask)
        distinct = {id(crop): crop for crop in crops}
        place = {key: i for i, key in enumerate(distinct)}
        index = torch.tensor([place[id(crop)] for crop in crops], device=hidden.device)
        features = [crop.detector for crop in distinct.values() if crop.detector is not None]
        rows = torch.arange(len(queries), device=hidden.device)
        return hidden[rows, last], torch.stack(features), index  # the last one predicts `[LOC]`

    def _read(self, queries: Sequence[Query]) -> list[Crop]:
        """The crops of the queries, with what every prompt about them begins with read."""
        crops = self._crops.get([query.patch for query in queries])
        new = list({id(crop): crop for crop in crops if crop.prefix is None}.values())
        if not new:
            return crops
        self._crops.need_vision(new)
        # Features stand in for pixels: collate lines up whatever the rows show.
        samples = [
            Sample(str(i), (self._shared,), (crop.vision,))
            for i, crop in enumerate(new)
            if crop.vision is not None
        ]
        batch = collate(samples, pad_id=self.tokenizer.pad_id).to(self.model.device)
        embeddings = self.model.embed(batch, batch.pixel_values)
        prefix, _ = read_prefix(self.model, embeddings, batch.attention_mask, batch.position_ids)
        self.cost.prompts_read += len(new)
        for crop, own in zip(new, prefix.split(), strict=True):
            crop.prefix = own
        return crops

    def _questions(self, asked: Sequence[tuple[str, str]]) -> tuple[Tensor, Tensor, Tensor]:
        """(question, forced beginning of the answer) pairs -> what follows the image in a prompt.

        ids and mask (E, L), and (E,) the last real position of each.
        """
        self.cost.questions_read += len(asked)
        rows = [self._row(*each).input_ids.tolist() for each in asked]
        shared = self._shared.input_ids.tolist()
        assert all(row[: len(shared)] == shared for row in rows)
        ids, mask = pad_right([row[len(shared) :] for row in rows], self.model.device)
        return ids, mask, mask.sum(1) - 1

    def _row(self, question: str, answer_prefix: str) -> Row:
        """The prompt and the beginning of its answer, which ends before a `[LOC]`."""
        row = prompt_row(
            self.tokenizer,
            self.template,
            f"{IMAGE_PLACEHOLDER}\n{question}",
            answer_prefix=answer_prefix,
            image=Visual(0, long=True),
            sizes=self.sizes,
        )
        # `Sure,` alone would not do: some tokenizers have a piece for the space behind it.
        return Row(row.input_ids[: row.loc_position], row.labels[: row.loc_position], row.visuals)

    def _shared_row(self) -> Row:
        """What every prompt begins with: everything up to the image's last token."""
        row = self._row("", "")
        count = int((row.input_ids == VISUAL_TOKEN).nonzero().max()) + 1
        return Row(row.input_ids[:count], row.labels[:count], row.visuals)

    def _periods(self) -> frozenset[int]:
        """Tokens that end a sentence; found once, for it means a look at the whole vocabulary."""
        if self._period_ids is None:
            self._period_ids = sentence_ends(self.tokenizer)
        return self._period_ids

    def _check_finite(self, numbers: np.ndarray) -> None:
        if not np.isfinite(numbers).all():
            raise FloatingPointError(
                f"the search model gives numbers that are not finite in {self.model.dtype}; load "
                "it with dtype=bfloat16 or float32"
            )


def sentence_ends(tokenizer: Tokenizer) -> frozenset[int]:
    """Tokens that end with a period."""
    ids = range(tokenizer.vocab_size)
    return frozenset(i for i in ids if tokenizer.decode([i]).endswith("."))


def _without_padding(
    boxes_xyxy: Tensor, scores: Tensor, queries: Sequence[Query]
) -> tuple[Tensor, Tensor]:
    """Boxes cut at the border of the patch; what has its center beyond it has no score.

    boxes_xyxy: (E, Q, 4) patch pixels, scores: (E, Q) -> the same.
    """
    sizes = boxes_xyxy.new_tensor([query.patch.size for query in queries])[:, None]  # (E, 1, 2)
    low, high = boxes_xyxy.split(2, dim=-1)
    outside = ((low + high) / 2 >= sizes).any(-1)
    cut = torch.cat([torch.minimum(low, sizes), torch.minimum(high, sizes)], dim=-1)
    return cut, scores.masked_fill(outside, 0.0)


def _prefixes(crops: Sequence[Crop]) -> Prefix:
    return Prefix.stack([crop.prefix for crop in crops if crop.prefix is not None])


def _name(query: Query) -> str:
    # People say "the red boat": here, not in the sentences, which are as the models learned them.
    return without_article(query.text)

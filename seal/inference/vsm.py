"""The search model behind the search's protocol: batched, no decoding where none is needed.

The answer to "Please locate ..." is constant, so one prefill of the prompt and `Sure,` gives the
query; a crop is encoded once a tower, whatever is asked about it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from PIL.Image import Image
from torch import Tensor

from seal.batch import Batch, Row, Sample, Visual
from seal.data.collate import collate
from seal.geometry import Box
from seal.images import clip_pixels, owl_pixels, pad_to_square
from seal.inference.heat import DeviceHeat
from seal.models.vsm import VSM
from seal.ops.boxes import box_cxcywh_to_xyxy
from seal.search.protocol import Cue, Detections, Heat, Patch, Query
from seal.text.conversation import VSM as TEMPLATE
from seal.text.conversation import prompt_row
from seal.text.phrases import extract_phrase
from seal.text.prompts import (
    LOCATE_ANSWER,
    LOCATE_PREFIX,
    cue_prefix,
    cue_question,
    locate_question,
)
from seal.text.tokenize import Tokenizer
from seal.text.tokens import IMAGE_PLACEHOLDER, VisualSizes

MAX_CUE_TOKENS = 100


@dataclass(slots=True)
class Cost:
    """What a search model has done so far."""

    encoded_crops: int = 0
    prefills: int = 0  # prompts, of any kind
    generated_tokens: int = 0
    by_kind: dict[str, int] = field(default_factory=dict)  # queries


@dataclass(frozen=True, slots=True)
class _Seen:
    """One crop through both towers."""

    image: Image  # kept alive: the cache goes by its identity
    clip: Tensor  # (T, C)
    detector: Tensor  # (G, G, C)


class NetworkSearchModel:
    """A `SearchModel` on a trained VSM."""

    def __init__(
        self, model: VSM, tokenizer: Tokenizer, *, max_batch: int = 32, cache_crops: int = 512
    ) -> None:
        """`max_batch`: prompts in one forward; `cache_crops`: how many are kept encoded."""
        self.model = model.eval()
        self.tokenizer = tokenizer
        self.max_batch = max_batch
        self.cache_crops = max(cache_crops, max_batch)
        self.sizes = VisualSizes(long=model.config.clip.num_tokens)
        self.cost = Cost()
        self._cache: OrderedDict[tuple[int, Box], _Seen] = OrderedDict()

    @torch.inference_mode()
    def detect(self, queries: Sequence[Query]) -> list[Detections]:
        return [found for part in self._parts("detect", queries) for found in self._detect(part)]

    @torch.inference_mode()
    def contextual_cue(self, queries: Sequence[Query]) -> list[Cue]:
        return [cue for part in self._parts("contextual_cue", queries) for cue in self._cue(part)]

    @torch.inference_mode()
    def cue_heatmap(self, queries: Sequence[Query]) -> list[Heat]:
        return [heat for part in self._parts("cue_heatmap", queries) for heat in self._heat(part)]

    @torch.inference_mode()
    def check_constant_answer(self, query: Query) -> bool:
        """Whether greedy decoding answers `Sure, [LOC].`, which `detect` takes for granted."""
        batch, features = self._batch([query], [self._row(locate_question(query.text), "")])
        (ids,) = self.model.generate(batch, 16, features=features)
        return self.tokenizer.decode(ids).split() == LOCATE_ANSWER.split()

    def _parts(self, kind: str, queries: Sequence[Query]) -> list[Sequence[Query]]:
        self.cost.by_kind[kind] = self.cost.by_kind.get(kind, 0) + len(queries)
        step = self.max_batch
        return [queries[i : i + step] for i in range(0, len(queries), step)]

    def _detect(self, queries: Sequence[Query]) -> list[Detections]:
        states, features = self._states(queries)
        logits, boxes = self.model.decode_boxes(features, states)
        masks = self.model.decode_masks(features, states)
        scores = logits.float().sigmoid().cpu().numpy()  # (E, Q)
        boxes_xyxy = box_cxcywh_to_xyxy(boxes.float())  # (E, Q, 4) in [0, 1]
        found = []
        for i, query in enumerate(queries):
            width, height = _size(query.patch)
            scale = boxes_xyxy.new_tensor([width, height, width, height])
            heat = DeviceHeat(masks[i], width, height)
            found.append(Detections((boxes_xyxy[i] * scale).cpu().numpy(), scores[i], heat))
        return found

    def _heat(self, queries: Sequence[Query]) -> list[Heat]:
        states, features = self._states(queries)
        masks = self.model.decode_masks(features, states)
        return [DeviceHeat(masks[i], *_size(query.patch)) for i, query in enumerate(queries)]

    def _cue(self, queries: Sequence[Query]) -> list[Cue]:
        rows = [self._row(cue_question(query.text), cue_prefix(query.text)) for query in queries]
        batch, features = self._batch(queries, rows)
        period = self.tokenizer.encode("a.", bos=False)[-1]
        decoded = self.model.generate(batch, MAX_CUE_TOKENS, features=features, stop_ids=(period,))
        self.cost.generated_tokens += sum(map(len, decoded))
        cues = []
        for query, ids in zip(queries, decoded, strict=True):
            answer = f"{cue_prefix(query.text)} {self.tokenizer.decode(ids).strip()}"
            phrase, extractor = extract_phrase(answer, query.text)
            cues.append(Cue(answer, phrase, extractor))
        return cues

    def _states(self, queries: Sequence[Query]) -> tuple[Tensor, Tensor]:
        """(E, D) query states and (E, G, G, C) detector features."""
        rows = [self._row(locate_question(query.text), LOCATE_PREFIX) for query in queries]
        batch, features = self._batch(queries, rows)
        hidden = self.model.hidden_states(batch, features)
        detector = torch.stack([self._seen(query.patch).detector for query in queries])
        return hidden[:, -1], detector  # the last position predicts `[LOC]`

    def _row(self, question: str, prefix: str) -> Row:
        return prompt_row(
            self.tokenizer,
            TEMPLATE,
            f"{IMAGE_PLACEHOLDER}\n{question}",
            answer_prefix=prefix,
            image=Visual(0, long=True),
            sizes=self.sizes,
        )

    def _batch(self, queries: Sequence[Query], rows: list[Row]) -> tuple[Batch, Tensor]:
        """Left-padded prompts, and the tower's features of each distinct crop."""
        self._encode([query.patch for query in queries])
        self.cost.prefills += len(rows)
        # Features stand in for pixels: collate lines up whatever the rows show.
        samples = [
            Sample(str(i), (row,), (self._seen(query.patch).clip,))
            for i, (query, row) in enumerate(zip(queries, rows, strict=True))
        ]
        batch = collate(samples, pad_id=self.tokenizer.pad_id, side="left")
        features = batch.pixel_values
        return batch.to(self.model.device), features

    def _seen(self, patch: Patch) -> _Seen:
        return self._cache[id(patch.image), patch.box]

    def _encode(self, patches: Sequence[Patch]) -> None:
        """Bring every patch into the cache; the ones in use are the last to leave."""
        new: dict[tuple[int, Box], Patch] = {}
        for patch in patches:
            key = id(patch.image), patch.box
            if key in self._cache:
                self._cache.move_to_end(key)
            else:
                new[key] = patch
        if new:
            crops = [patch.crop() for patch in new.values()]
            config = self.model.config
            clip = torch.stack([
                torch.from_numpy(
                    clip_pixels(pad_to_square(crop, "top_left")[0], config.clip.image_size)
                )
                for crop in crops
            ])  # fmt: skip
            owl = torch.stack(
                [torch.from_numpy(owl_pixels(crop, config.detector.image_size)) for crop in crops]
            )
            device = self.model.device
            features = self.model.encode_images(clip.to(device))
            grids = self.model.encode_detector(owl.to(device))
            self.cost.encoded_crops += len(crops)
            for i, (key, patch) in enumerate(new.items()):
                self._cache[key] = _Seen(patch.image, features[i], grids[i])
        while len(self._cache) > self.cache_crops:
            self._cache.popitem(last=False)


def _size(patch: Patch) -> tuple[int, int]:
    x0, y0, x1, y1 = patch.box.as_ints()
    return x1 - x0, y1 - y0

"""The search model as it is asked without any of our levers: one query at a time, by generation.

Two ways, on the same weights. "original" is how the published code works (penghao-wu/vstar: its
`visual_search.py`, its VSM): every query prepares its crop for both towers anew, whether both look
or not, and generates without a cache, so that each token reads the whole sequence, picture
included, through the vision tower and the language model, and has the logits of every position
made. The detector looks once a query, after the generation, and not for a question in words; the
answer ends with the end of sequence, which takes a pass of its own. Where this differs, it is
faster: attention is fused, pixels are ours, and nothing keeps the states of all layers.

"plain" is what a careful engineer would write first: each crop through each tower once, ordinary
generation with a cache, logits of the last position alone. Every question still reads its prompt
and picture in the language model, and says its whole answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from transformers import DynamicCache

from seal.batch import Batch, Sample, Visual
from seal.data.collate import collate
from seal.geometry import Box
from seal.images import owl_pixels, pad_to_square, tower_pixels
from seal.inference.guides.seal_vsm import MAX_CUE_TOKENS
from seal.models.vsm import VSM
from seal.ops.boxes import box_cxcywh_to_xyxy
from seal.ops.maps import resized_map
from seal.search.config import SearchConfig
from seal.search.heatmap import NumpyHeat
from seal.search.protocol import Cue, Detections, Heat, Patch, Query
from seal.text.chat_template import choose_template
from seal.text.conversation import continuation_ids, end_ids, prompt_row
from seal.text.phrases import extract_phrase
from seal.text.prompts import LOCATE_ANSWER, cue_question, locate_question, without_article
from seal.text.tokenize import Tokenizer
from seal.text.tokens import IMAGE_PLACEHOLDER, LOC_TOKEN, VisualSizes


@dataclass(slots=True)
class PlainCost:
    """What was done so far."""

    tokens_generated: int = 0  # of answers in words
    bytes_copied: int = 0  # of keys and values: a cache that grows is written anew each time


@dataclass(slots=True)
class Shown:
    """A crop as a query is given it."""

    vision: Tensor  # (3, S, S) pixels, or (T, C) features
    detector: Tensor | None = None  # (1, 3, D, D) pixels


class FullHeat:
    """A map at the resolution of its patch, moved to the host when it ranks regions, not before."""

    def __init__(self, heat: Tensor) -> None:
        """heat: (H, W) float32 on its device, >= 0."""
        self._heat = heat
        self._moved: NumpyHeat | None = None

    def peak(self) -> float:
        return float(self._heat.max())

    def shares(self, regions: Sequence[Box]) -> list[float]:
        if self._moved is None:
            self._moved = NumpyHeat(self.to_numpy())
        return self._moved.shares(regions)

    def to_numpy(self) -> np.ndarray:
        array: np.ndarray = self._heat.cpu().numpy()
        return array


class PlainSearch:
    """A `SearchModel` that generates every answer."""

    def __init__(
        self, model: VSM, tokenizer: Tokenizer, *, reuse: bool, says_locate: bool = False
    ) -> None:
        """`reuse`: each crop once through each tower, and a cache; False: as the original.

        says_locate: the answer to "Please locate ..." is what a trained model answers, whatever
            these weights would: random ones cost the same that way.

        Raises:
            ValueError: the detector's pictures are padded, which the published code does not do.
        """
        if model.config.detector.fit != "stretch":
            raise ValueError(
                f"detector.family={model.config.detector.family!r} pads its pictures: the paths "
                "original and plain are of detectors that stretch them; take ways=[alone,all]"
            )
        self.model, self.tokenizer, self.reuse = model.eval(), tokenizer, reuse
        self.template = choose_template(tokenizer, "vsm", model.config.prompt_style)
        self.max_cue_tokens = MAX_CUE_TOKENS
        self.cost = PlainCost()
        self._ends = {model.llm.config.eos_token_id, *end_ids(tokenizer, self.template)}
        self._loc = tokenizer.token_id(LOC_TOKEN)
        self._located_by: list[int] | None = None
        if says_locate:
            # The end of sequence among them.
            self._located_by = continuation_ids(tokenizer, self.template, LOCATE_ANSWER)
        self._sizes = VisualSizes(long=model.config.vision.num_tokens)
        # By identity of the image, which is kept alive so that its identity is not reused.
        self._known: dict[tuple[str, int, Box], tuple[Image.Image, Tensor]] = {}

    def search_config(self) -> SearchConfig:
        """The published search, down to the smallest region this model was made to look at."""
        config = self.model.config
        return SearchConfig(
            min_size=config.search_min_size, min_size_scale=config.search_min_size_scale
        )

    def detect(self, queries: Sequence[Query]) -> list[Detections]:
        return [self._detect(query) for query in queries]

    def contextual_cue(self, queries: Sequence[Query]) -> list[Cue]:
        return [self._cue(query) for query in queries]

    def cue_heatmap(self, queries: Sequence[Query]) -> list[Heat]:
        return [self._heat(query) for query in queries]

    def forget(self, image: Image.Image) -> None:
        """Drop what is known about an image."""
        self._known = {key: kept for key, kept in self._known.items() if kept[0] is not image}

    @torch.inference_mode()
    def _detect(self, query: Query) -> Detections:
        state, features = self._located(query)
        logits, boxes = self.model.decode_boxes(features, state)
        width, height = query.patch.size
        frame = boxes.new_tensor([width, height, width, height], dtype=torch.float32)
        return Detections(
            (box_cxcywh_to_xyxy(boxes[0].float()) * frame).cpu().numpy(),
            logits[0].float().sigmoid().cpu().numpy(),
            self._heat_of(query, state, features),
        )

    @torch.inference_mode()
    def _heat(self, query: Query) -> Heat:
        return self._heat_of(query, *self._located(query))

    @torch.inference_mode()
    def _cue(self, query: Query) -> Cue:
        name = without_article(query.text)
        said, _ = self._generate(self._shown(query.patch), cue_question(name))
        self.cost.tokens_generated += len(said)
        answer = self.tokenizer.decode(said).strip()
        phrase, extractor = extract_phrase(answer, name)
        return Cue(answer, phrase, extractor)

    def _heat_of(self, query: Query, state: Tensor, features: Tensor) -> FullHeat:
        width, height = query.patch.size
        mask = self.model.decode_masks(features, state)[0].float()
        return FullHeat(resized_map(mask, height, width).clamp(min=0))

    def _located(self, query: Query) -> tuple[Tensor, Tensor]:
        """(1, D) the state that predicts `[LOC]`, and the detector's (1, G, G, C) of the crop."""
        shown = self._shown(query.patch)
        question = locate_question(without_article(query.text))
        said, states = self._generate(shown, question, self._located_by)
        # Of a model that does not say it, where its answer ends.
        step = said.index(self._loc) if self._loc in said else len(states) - 1
        if self.reuse:
            return states[step], self._detector_features(query.patch)
        assert shown.detector is not None
        return states[step], self.model.encode_detector(shown.detector)

    def _generate(
        self, shown: Shown, question: str, forced: Sequence[int] | None = None
    ) -> tuple[list[int], list[Tensor]]:
        """The greedy answer, and the (1, D) states that predicted each token and the end.

        forced: what is said instead, token by token, the end of sequence last.
        """
        row = prompt_row(
            self.tokenizer, self.template, f"{IMAGE_PLACEHOLDER}\n{question}",
            image=Visual(0, long=True), sizes=self._sizes,
        )  # fmt: skip
        samples = [Sample("", (row,), (shown.vision,))]
        batch = collate(samples, pad_id=self.tokenizer.pad_id).to(self.model.device)
        read = self._read_on(batch) if self.reuse else self._read_anew(batch)
        said: list[int] = []
        states: list[Tensor] = []
        while True:
            hidden = read(said)
            logits = self.model.llm.lm_head(hidden)  # of all positions that were read
            states.append(hidden[:, -1])
            token = int(logits[0, -1].argmax())
            ended = len(said) == self.max_cue_tokens  # one pass more, as if the end had been said
            if forced is not None:
                token, ended = forced[len(said)], False
            if ended or token in self._ends:
                return said, states
            said.append(token)

    def _read_anew(self, batch: Batch) -> Callable[[list[int]], Tensor]:
        """Reads the prompt and what was said, all of it and the picture in each step."""

        def read(said: list[int]) -> Tensor:
            whole = torch.cat([self.model.embed(batch), self._words(said)], dim=1)
            hidden: Tensor = self.model.llm.model(
                inputs_embeds=whole, use_cache=False
            ).last_hidden_state
            return hidden

        return read

    def _read_on(self, batch: Batch) -> Callable[[list[int]], Tensor]:
        """Reads the prompt, then only what was said since."""
        cache = DynamicCache()

        def read(said: list[int]) -> Tensor:
            new = self._words(said[-1:]) if said else self.model.embed(batch, batch.pixel_values)
            states = self.model.read(cache, inputs_embeds=new)
            layers: list[Any] = cache.layers  # of attention: each has keys and values
            for layer in layers:
                self.cost.bytes_copied += layer.keys.nbytes + layer.values.nbytes
            return states[:, -1:]

        return read

    def _words(self, ids: list[int]) -> Tensor:
        tokens = torch.tensor([ids], dtype=torch.int64, device=self.model.device)
        words: Tensor = self.model.llm.get_input_embeddings()(tokens)
        return words

    def _shown(self, patch: Patch) -> Shown:
        """What a query about a crop begins with."""
        if self.reuse:
            return Shown(self._vision_features(patch))
        crop = patch.crop()  # once a query, as the published code copies it
        pixels = self._detector_pixels(crop)
        return Shown(self._vision_pixels(crop), pixels)

    def _vision_pixels(self, crop: Image.Image) -> Tensor:
        """(3, S, S) float32 on the host, the picture in the top left corner of its square."""
        vision = self.model.config.vision
        square, _ = pad_to_square(crop, "top_left", vision.normalization.background)
        return torch.from_numpy(tower_pixels(square, vision.image_size, vision.normalization))

    def _detector_pixels(self, crop: Image.Image) -> Tensor:
        """(1, 3, D, D) float32 on the device."""
        detector = self.model.config.detector
        pixels = torch.from_numpy(owl_pixels(crop, detector.image_size, detector.fit))
        return pixels[None].to(self.model.device)

    def _vision_features(self, patch: Patch) -> Tensor:
        """(T, C), of each crop once."""

        def encode() -> Tensor:
            pixels = self._vision_pixels(patch.crop())
            return self.model.encode_images(pixels[None].to(self.model.device))[0]

        return self._once("vision", patch, encode)

    def _detector_features(self, patch: Patch) -> Tensor:
        """(1, G, G, C), of each crop once."""
        return self._once(
            "detector",
            patch,
            lambda: self.model.encode_detector(self._detector_pixels(patch.crop())),
        )

    def _once(self, what: str, patch: Patch, encode: Callable[[], Tensor]) -> Tensor:
        key = what, id(patch.image), patch.box
        if key not in self._known:
            self._known[key] = patch.image, encode()
        return self._known[key][1]

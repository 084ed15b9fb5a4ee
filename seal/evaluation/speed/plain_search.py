"""The search model as it is asked without any of our levers: one query at a time, by generation.

Two ways, on the same weights. "original" is how the published code works: every query prepares and
encodes its crop anew, and generates without a cache, so that each token reads the whole sequence,
picture included, through both the vision tower and the language model. "plain" is what a careful
engineer would write first: each crop through each tower once, and ordinary generation with a cache.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

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
from seal.search.heatmap import NumpyHeat
from seal.search.protocol import Cue, Detections, Heat, Patch, Query
from seal.text.chat_template import choose_template
from seal.text.conversation import end_ids, prompt_row
from seal.text.phrases import extract_phrase
from seal.text.prompts import cue_question, locate_question, without_article
from seal.text.tokenize import Tokenizer
from seal.text.tokens import IMAGE_PLACEHOLDER, LOC_TOKEN, VisualSizes


@dataclass(slots=True)
class PlainWork:
    """What was done so far."""

    vision_passes: int = 0  # pictures through the vision tower
    detector_passes: int = 0
    llm_passes: int = 0  # of the language model, whatever their length
    tokens_read: int = 0  # positions through the language model


class PlainSearch:
    """A `SearchModel` that generates every answer."""

    def __init__(self, model: VSM, tokenizer: Tokenizer, *, reuse: bool) -> None:
        """`reuse`: each crop once through each tower, and a cache; False: as the original."""
        self.model, self.tokenizer, self.reuse = model.eval(), tokenizer, reuse
        self.template = choose_template(tokenizer, "vsm", model.config.prompt_style)
        self.max_new_tokens = MAX_CUE_TOKENS
        self.work = PlainWork()
        self._ends = {model.llm.config.eos_token_id, *end_ids(tokenizer, self.template)}
        self._loc = tokenizer.token_id(LOC_TOKEN)
        self._sizes = VisualSizes(long=model.config.vision.num_tokens)
        # By identity of the image, which is kept alive so that its identity is not reused.
        self._known: dict[tuple[str, int, Box], tuple[Image.Image, Tensor]] = {}

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
        said, _ = self._generate(query, cue_question(name))
        answer = self.tokenizer.decode(said).strip()
        phrase, extractor = extract_phrase(answer, name)
        return Cue(answer, phrase, extractor)

    def _heat_of(self, query: Query, state: Tensor, features: Tensor) -> NumpyHeat:
        width, height = query.patch.size
        mask = self.model.decode_masks(features, state)[0].float()
        return NumpyHeat(resized_map(mask, height, width).clamp(min=0).cpu().numpy())

    def _located(self, query: Query) -> tuple[Tensor, Tensor]:
        """(1, D) the state that predicts `[LOC]`, and the detector's (1, G, G, C) of the crop."""
        said, states = self._generate(query, locate_question(without_article(query.text)))
        # Of a model that does not say it, where its answer ends.
        step = said.index(self._loc) if self._loc in said else len(states) - 1
        return states[step], self._detector(query.patch)

    def _generate(self, query: Query, question: str) -> tuple[list[int], list[Tensor]]:
        """The greedy answer, and the (1, D) states that predicted each token and the end."""
        row = prompt_row(
            self.tokenizer, self.template, f"{IMAGE_PLACEHOLDER}\n{question}",
            image=Visual(0, long=True), sizes=self._sizes,
        )  # fmt: skip
        shown = self._vision(query.patch) if self.reuse else self._pixels(query.patch)
        samples = [Sample("", (row,), (shown,))]
        batch = collate(samples, pad_id=self.tokenizer.pad_id).to(self.model.device)
        read = self._read_on(batch) if self.reuse else self._read_anew(batch)
        said: list[int] = []
        states: list[Tensor] = []
        while True:
            hidden = read(said)
            logits = self.model.llm.lm_head(hidden)  # of all positions that were read
            states.append(hidden[:, -1])
            token = int(logits[0, -1].argmax())
            if token in self._ends or len(said) == self.max_new_tokens:
                return said, states
            said.append(token)

    def _read_anew(self, batch: Batch) -> Callable[[list[int]], Tensor]:
        """Reads the prompt and what was said, all of it and the picture in each step."""

        def read(said: list[int]) -> Tensor:
            self.work.vision_passes += 1
            whole = torch.cat([self.model.embed(batch), self._words(said)], dim=1)
            self._count(whole)
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
            self._count(new)
            return self.model.read(cache, inputs_embeds=new)[:, -1:]

        return read

    def _count(self, read: Tensor) -> None:
        self.work.llm_passes += 1
        self.work.tokens_read += read.shape[1]

    def _words(self, ids: list[int]) -> Tensor:
        tokens = torch.tensor([ids], dtype=torch.int64, device=self.model.device)
        words: Tensor = self.model.llm.get_input_embeddings()(tokens)
        return words

    def _pixels(self, patch: Patch) -> Tensor:
        """(3, S, S) float32 on the host, the picture in the top left corner of its square."""
        vision = self.model.config.vision
        square, _ = pad_to_square(patch.crop(), "top_left", vision.normalization.background)
        return torch.from_numpy(tower_pixels(square, vision.image_size, vision.normalization))

    def _vision(self, patch: Patch) -> Tensor:
        """(T, C), of each crop once."""

        def encode() -> Tensor:
            self.work.vision_passes += 1
            return self.model.encode_images(self._pixels(patch)[None].to(self.model.device))[0]

        return self._once("vision", patch, encode)

    def _detector(self, patch: Patch) -> Tensor:
        """(1, G, G, C); of each crop once, if anything is kept."""
        detector = self.model.config.detector

        def encode() -> Tensor:
            self.work.detector_passes += 1
            pixels = owl_pixels(patch.crop(), detector.image_size, detector.fit)
            return self.model.encode_detector(torch.from_numpy(pixels)[None].to(self.model.device))

        return self._once("detector", patch, encode) if self.reuse else encode()

    def _once(self, what: str, patch: Patch, encode: Callable[[], Tensor]) -> Tensor:
        key = what, id(patch.image), patch.box
        if key not in self._known:
            self._known[key] = patch.image, encode()
        return self._known[key][1]

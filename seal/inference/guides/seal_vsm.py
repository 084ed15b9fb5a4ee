"""The search model behind the search's protocol: batched, no decoding where none is needed.

The answer to "Please locate ..." is constant, so reading it up to its `[LOC]` gives the query.
The image comes first in every prompt, so all questions about a crop, of any kind and target, stand
behind one beginning, whose keys and values are read where they lie. A search that ends with a
detection, or at a leaf, never asks for the target's heat, so that is decoded only when it is asked.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar

import torch
from PIL.Image import Image
from torch import Tensor

from seal.images import detector_frame
from seal.inference.beside import Beside
from seal.inference.graphs import Graphs
from seal.inference.guides.config import KINDS
from seal.inference.guides.constant_answer import ConstantAnswer
from seal.inference.guides.crop_reader import Cost, CropReader
from seal.inference.guides.crops import FOR_PREFIXES, Crop, CropCache
from seal.inference.guides.search_prompts import SearchPrompts
from seal.inference.prefix_pool import PrefixPool, PrefixShape
from seal.inference.shared_prefix import Ending
from seal.inference.staged_prefix import StagedPasses
from seal.models.vsm import VSM
from seal.ops.boxes import box_cxcywh_to_xyxy
from seal.search.config import SearchConfig
from seal.search.logit_heat import LogitHeat
from seal.search.protocol import Cue, Detections, Heat, Patch, Query, QueryKind
from seal.text.phrases import extract_phrase
from seal.text.prompts import LOCATE_ANSWER, without_article
from seal.text.tokenize import Tokenizer

MAX_CUE_TOKENS = 100
MOST_CONCURRENT = 64  # searches side by side, however much memory there is
_PARTS = 4  # of a batch for the detector, where two share it
CUE_PREFIXES = ("forced", "free")
Answer = TypeVar("Answer")


class NetworkSearchModel:
    """A `SearchModel` on a trained VSM; of several threads that ask, one is answered at a time."""

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
        cue_prefix: Literal["forced", "free"] = "forced",
        share_prefix: bool = True,
        one_pass: bool = True,
        late_heat: bool = True,
        graphs: bool | Graphs = False,
        side_by_side: bool = False,
    ) -> None:
        """The last five change what is done, not what is answered; see `CropReader`.

        Args:
            max_batch: queries in one pass.
            cache_mb: what is kept of crops, on the device. A 7B model needs about 160 MB a crop to
                share everything between detection and cues, which most of it is for, and 4 MB to
                share what the towers see.
            cue_prefix: "forced": a cue answer is made to begin with the target's name; "free": all
                of it is decoded, as the original does.
            late_heat: the target's heat is decoded where it is asked for, not with every detection.
            graphs: on a CUDA device, passes over few crops are recorded as graphs and replayed; no
                GPU has run it so far. A 7B model takes 300 MB for each of four crops.
            side_by_side: on a CPU, the detector runs beside the language model, each on half the
                cores. Measured on two: less time where PyTorch is given one thread (16% in
                batches, 6% for one search), and 11% more in batches where it is given both.
        """
        if cue_prefix not in CUE_PREFIXES:
            raise ValueError(f"cue_prefix={cue_prefix!r} is none of {', '.join(CUE_PREFIXES)}")
        if max_batch < 1 or cache_mb < 0:
            raise ValueError(
                f"max_batch={max_batch} and cache_mb={cache_mb}; needed are at least 1 and 0"
            )
        self.model = model.eval()
        self.tokenizer = tokenizer
        self.max_batch = max_batch
        self.cue_prefix, self.late_heat = cue_prefix, late_heat
        self.max_cue_tokens = MAX_CUE_TOKENS  # at which an answer is cut that has no end before
        self.cost = Cost()
        self.constant_answer: ConstantAnswer | None = None  # checked at the first detection
        config = model.config
        self.prompts = SearchPrompts(tokenizer, config.prompt_style, config.vision.num_tokens)
        shape = PrefixShape(
            config.llm.num_hidden_layers,
            config.llm.key_value_heads,
            self.prompts.shared_length,
            config.llm.head_width,
            model.dtype,
        )
        held = int((cache_mb << 20) * FOR_PREFIXES) // shape.num_bytes
        pool = PrefixPool(shape, model.device, capacity=max(max_batch, held), block=max_batch)
        if isinstance(graphs, bool):
            graphs = Graphs.on(model.device) if graphs else Graphs(None)
        self.graphs = graphs
        self._crops = CropCache(model, pool, graphs, max_bytes=cache_mb << 20, threads=threads)
        self._reader = CropReader(
            model, self.prompts, self._crops, StagedPasses(model, pool, graphs), self.cost,
            share_prefix=share_prefix, one_pass=one_pass,
        )  # fmt: skip
        self._beside = Beside(model.device, side_by_side)
        self._lock = threading.RLock()  # crops and their slots are those of one batch
        self._decode_boxes = graphs.captured("boxes", model.decode_boxes)
        self._decode_masks = graphs.captured("masks", model.decode_masks)
        self._period_ids: frozenset[int] | None = None

    @property
    def concurrency(self) -> int:
        """Searches that can go on side by side without reading a crop more than once."""
        return max(1, min(MOST_CONCURRENT, self._crops.pool.capacity))

    @property
    def lookahead(self) -> int:
        """Detections that take no longer beside one than that one alone.

        A GPU that is launched piece by piece takes about 30 ms for one at 7B and could do five.
        """
        return 3 if self.model.device.type == "cuda" and not self.graphs.records else 0

    def detect(self, queries: Sequence[Query]) -> list[Detections]:
        if self.constant_answer is not None and queries:
            with self._lock:
                self.constant_answer.once(self.check_constant_answer, queries[0])
        return self._in_parts("detect", queries, self._detect)

    def contextual_cue(self, queries: Sequence[Query]) -> list[Cue]:
        return self._in_parts("contextual_cue", queries, self._cue)

    def cue_heatmap(self, queries: Sequence[Query]) -> list[Heat]:
        return self._in_parts("cue_heatmap", queries, self._heat)

    def target_heat(self, queries: Sequence[Query]) -> list[Heat]:
        return self._in_parts("target_heat", queries, self._heat)

    def search_config(self) -> SearchConfig:
        """The published search, down to the smallest region this model was made to look at."""
        config = self.model.config
        return SearchConfig(
            min_size=config.search_min_size, min_size_scale=config.search_min_size_scale
        )

    def settings(self) -> dict[str, Any]:
        """How the model is used; which one it is, the `weights` of a result say."""
        dtype = str(self.model.dtype).removeprefix("torch.")
        told = None if self.constant_answer is None else self.constant_answer.outcome
        used: dict[str, Any] = {
            "dtype": dtype, "max_cue_tokens": self.max_cue_tokens, "cue_prefix": self.cue_prefix,
            **({} if told is None else {"locate_answer": dict(told)}),
        }  # fmt: skip
        if self.graphs.records:  # in which sums are made of longer rows than without
            used["graphs"] = f"{self.graphs.most_rows} rows"
        return used

    def prepare(self, patches: Sequence[Patch]) -> None:
        """Begin with the pixels of what will probably be asked about next."""
        self._crops.prepare(patches)

    def forget(self, image: Image) -> None:
        """Drop what is known about an image."""
        with self._lock:
            self._crops.forget(image)

    def check_answer_once(
        self,
        folder: Path | None = None,
        *,
        quantization: str | None = None,
        tell: Callable[[str], None] | None = None,
    ) -> ConstantAnswer:
        """From now on, check at the first detection what detections take for granted, unless it is
        known of the checkpoint in `folder`; see `ConstantAnswer`.
        """
        dtype = str(self.model.dtype).removeprefix("torch.")
        precision = f"{dtype}-{quantization}" if quantization else dtype
        self.constant_answer = ConstantAnswer(folder, precision=precision, tell=tell)
        return self.constant_answer

    @torch.inference_mode()
    def check_constant_answer(self, query: Query) -> str | None:
        """What greedy decoding answers instead of `Sure, [LOC].`, which `detect` relies on.

        None: it is the constant answer, as it should be once a checkpoint.
        """
        row = self.prompts.locate(_name(query), answered=False)
        ending = Ending(16, self.prompts.end_ids)
        with self._lock:
            (said,) = self._reader.decode(self._crops.get([query.patch]), [row], ending)
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
        answers: list[Answer] = []
        with self._lock:
            self.cost.queries[kind] = self.cost.queries.get(kind, 0) + len(queries)
            given = self.max_batch
            while len(answers) < len(queries):
                size = min(self.max_batch, self._crops.pool.capacity)  # whatever was set since
                part = queries[len(answers) : len(answers) + size]
                crops = self._crops.get([query.patch for query in part])
                try:
                    answers += answer(part, crops)
                except torch.OutOfMemoryError:
                    self._reader.passes.clear()
                    if len(part) == 1 and self._crops.keep_only(crops):
                        continue  # with more room
                    if len(part) == 1:
                        self.max_batch = given  # what does not fit alone says nothing of batches
                        raise
                    self.max_batch = len(part) // 2
                finally:
                    self._crops.trim(crops)
            self.cost.crops_encoded = self._crops.num_encoded["detector"]
        return answers

    def _detect(self, queries: Sequence[Query], crops: list[Crop]) -> list[Detections]:
        seen = self._seen(queries, crops)
        logits, boxes = self._decode_boxes(*seen)
        heats: Sequence[Heat | None] = [None] * len(queries)
        if not self.late_heat:
            heats = self._heats(queries, self._decode_masks(*seen))
        scores = logits.float().sigmoid()  # (E, Q)
        # One transfer. The rest is little, and sizes of patches would have to be sent for it.
        both = torch.cat([boxes.float(), scores[..., None]], dim=-1).cpu()
        frames = torch.tensor([self._frame(q) * 2 for q in queries], dtype=torch.float32)
        both[..., :4] = box_cxcywh_to_xyxy(both[..., :4]) * frames[:, None]  # patch pixels
        if self.model.config.detector.fit == "pad":
            _cut_padding(both, queries)
        self._check_finite(both)
        return [
            Detections(each[:, :4].copy(), each[:, 4].copy(), heat)  # not views of the batch
            for each, heat in zip(both.numpy(), heats, strict=True)
        ]

    def _heat(self, queries: Sequence[Query], crops: list[Crop]) -> list[Heat]:
        return self._heats(queries, self._decode_masks(*self._seen(queries, crops)))

    def _heats(self, queries: Sequence[Query], masks: Tensor) -> list[Heat]:
        """masks: (E, h, w) logits, which are small: they leave the device in one transfer."""
        dtype = str(masks.dtype).removeprefix("torch.")
        return [
            LogitHeat(logits, *query.patch.size, self._extent(query), dtype)
            for logits, query in zip(masks.float().cpu().numpy(), queries, strict=True)
        ]

    def _frame(self, query: Query) -> tuple[int, int]:
        """What the detector's square shows, in pixels of the patch."""
        return detector_frame(*query.patch.size, self.model.config.detector.fit)

    def _extent(self, query: Query) -> tuple[float, float]:
        """How much of that is the patch."""
        (width, height), (across, down) = query.patch.size, self._frame(query)
        return width / across, height / down

    def _cue(self, queries: Sequence[Query], crops: list[Crop]) -> list[Cue]:
        forced = self.cue_prefix == "forced"
        rows = [self.prompts.cue(_name(query), forced) for query in queries]
        ending = Ending(
            self.max_cue_tokens, self.prompts.end_ids, self._periods() if forced else frozenset()
        )
        cues = []
        for query, said in zip(queries, self._reader.decode(crops, rows, ending), strict=True):
            # Decoded together: a continuation may go on with the last word of the prefix.
            begun = self.prompts.begun(_name(query)) if forced else []
            answer = self.tokenizer.decode(begun + said).strip()
            phrase, extractor = extract_phrase(answer, _name(query))
            cues.append(Cue(answer, phrase, extractor))
        return cues

    def _seen(self, queries: Sequence[Query], crops: list[Crop]) -> tuple[Tensor, ...]:
        """What the decoders take: (M, G, G, C) features of the distinct crops, (E, D) query states
        and, unless each has a crop of its own, (E,), which is whose."""
        asked = [(crop, _name(query)) for crop, query in zip(crops, queries, strict=True)]
        # The detector and the language model do not need each other; who is done first helps.
        work = self._crops.unseen_by_detector(crops, _PARTS if self._beside.on else 1)
        new = sum(map(len, work))
        with self._beside(partial(self._crops.show_detector, work)):
            states = self._reader.locate(asked)
            self._crops.show_detector(work)
        self._crops.num_encoded["detector"] += new
        distinct = list({id(crop): crop for crop in crops}.values())
        features = torch.stack([crop.detector for crop in distinct if crop.detector is not None])
        if len(distinct) == len(crops):
            return features, states
        place = {id(crop): i for i, crop in enumerate(distinct)}
        index = torch.tensor([place[id(crop)] for crop in crops])
        return features, states, index.to(states.device, non_blocking=True)

    def _periods(self) -> frozenset[int]:
        """Tokens that end a sentence; found once, for it means a look at the whole vocabulary."""
        if self._period_ids is None:
            self._period_ids = sentence_ends(self.tokenizer)
        return self._period_ids

    def _check_finite(self, numbers: Tensor) -> None:
        if not bool(numbers.isfinite().all()):
            raise FloatingPointError(
                f"the search model gives numbers that are not finite in {self.model.dtype}; load "
                "it with dtype=bfloat16 or float32"
            )


def sentence_ends(tokenizer: Tokenizer) -> frozenset[int]:
    """Tokens that end with a period."""
    ids = range(tokenizer.vocab_size)
    return frozenset(i for i in ids if tokenizer.decode([i]).endswith("."))


def _cut_padding(both: Tensor, queries: Sequence[Query]) -> None:
    """Cut boxes at the border of the patch; what has its center beyond it has no score.

    both: (E, Q, 5) boxes in xyxy patch pixels, and scores.
    """
    sizes = torch.tensor([query.patch.size for query in queries])[:, None]  # (E, 1, 2)
    low, high = both[..., :2], both[..., 2:4]
    both[..., 4].masked_fill_(((low + high) / 2 >= sizes).any(-1), 0.0)
    both[..., :4] = torch.minimum(both[..., :4], sizes.repeat(1, 1, 2))


def _name(query: Query) -> str:
    # People say "the red boat": here, not in the sentences, which are as the models learned them.
    return without_article(query.text)

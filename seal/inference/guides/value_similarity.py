"""Values in an answer model's cache as a guide: where the image is like the target's words (FOCUS).

No attention is read, so whatever computes it may; one pass gives the map of a region.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from PIL.Image import Image
from scipy.ndimage import gaussian_filter

from seal.geometry import Box
from seal.inference.answers.protocol import AnswerModel
from seal.inference.guides.asking import Asking
from seal.inference.guides.value_maps import relevance, target_span
from seal.inference.guides.value_proposals import ProposalConfig, propose
from seal.inference.guides.value_source import value_source
from seal.inference.guides.vlm_yes_no import YesNoGuide
from seal.inference.vicrop.branches import pack
from seal.inference.vicrop.layer_attention import may_end_early, reading
from seal.inference.vicrop.place import PlacedMap
from seal.inference.vicrop.prompt_source import read_behind
from seal.search.config import SearchConfig
from seal.search.heatmap import GridHeat
from seal.search.protocol import Cue, Detections, Heat, Patch, Query, QueryKind
from seal.text.prompts import without_article

QUESTION = "Is there a {} in the image?"  # the paper's: its tokens are looked for in the image
# The first layer that is read, by family and depth, up to the last: the paper's table 7. Its text
# has 14 for LLaVA-OneVision. Other models: the last half; it advises the last 25 to 60 percent.
FIRST_LAYERS = {("llava", 32): 14, ("llava_next", 32): 14, ("seal", 32): 14,
                ("llava_onevision", 28): 21}  # fmt: skip


@dataclass(slots=True)
class _Shown:
    """A picture that is read once, its distinct texts, and the queries that they answer."""

    picture: Image
    texts: list[str] = field(default_factory=list)
    owners: list[tuple[int, int]] = field(default_factory=list)  # the query, its text


class ValueSimilarity:
    """A `SearchModel` on an answer model that is loaded here.

    A map costs one pass over the patch and a short one for each text; texts about one patch in one
    batch share the former. `detect` asks, behind the map, whether the target can be seen in each of
    the regions around its peaks: a call a region more, and that is their score.
    """

    name = "value_similarity"
    kinds: frozenset[QueryKind] = frozenset(
        {"detect", "contextual_cue", "cue_heatmap", "target_heat"}
    )

    def __init__(
        self,
        answer_model: AnswerModel,
        *,
        layers: tuple[int, int] | None = None,
        sigma: float = 1.0,
        proposals: ProposalConfig | None = None,
        tell: Callable[[str], None] | None = None,
    ) -> None:
        """`layers`: the first and one past the last of the language model's; None: by depth.

        `sigma`: of the Gaussian that smooths a map, in tokens of the image; 0: as it is. `tell`: as
        of `YesNoGuide`, which gives the scores.

        Raises:
            ValueError: the model's values cannot be read, or it has no such layers.
        """
        self._source = value_source(answer_model)
        depth = len(self._source.decoder.layers)
        if layers is None:
            layers = FIRST_LAYERS.get((self._source.family, depth), depth // 2), depth
        if not 0 <= layers[0] < layers[1] <= depth:
            raise ValueError(
                f"layers={layers[0]},{layers[1]} are none of the {depth} of the language model: "
                f"expected 0 <= first < last <= {depth}; leave them out for the last half"
            )
        if not sigma >= 0:
            raise ValueError(f"sigma={sigma} is not a width >= 0")
        self.layers, self.sigma = layers, sigma
        self.proposals = proposals or ProposalConfig()
        self._asking = Asking(answer_model)
        self.cost = self._asking.cost
        self._judge = YesNoGuide(answer_model, tell=tell)

    def detect(self, queries: Sequence[Query]) -> list[Detections]:
        """Regions around the peaks of the target's map, with their existing confidences.

        Raises:
            ValueError: a target without tokens.
        """
        with self._asking.counting("detect", queries):
            maps = self._maps(queries)
            boxes = [
                _boxes(grid, query.patch, self.proposals)
                for grid, query in zip(maps, queries, strict=True)
            ]
            asked = [
                Query("existing", Patch(query.patch.image, _in_image(query.patch, box)), query.text)
                for query, mine in zip(queries, boxes, strict=True)
                for box in mine
            ]
            sure = iter(self._judge.existing(asked) if asked else [])
        found = []
        for query, grid, mine in zip(queries, maps, boxes, strict=True):
            edges = [[box.x0, box.y0, box.x1, box.y1] for box in mine]
            found.append(
                Detections(
                    np.array(edges, np.float32).reshape(-1, 4),
                    np.array([next(sure) for _ in mine], np.float32),
                    _heat(grid, query.patch),
                )
            )
        return found

    def contextual_cue(self, queries: Sequence[Query]) -> list[Cue]:
        with self._asking.counting("contextual_cue", queries):
            return self._asking.cues(queries)

    def target_heat(self, queries: Sequence[Query]) -> list[Heat]:
        """The target's map; errors as of `detect`."""
        with self._asking.counting("target_heat", queries):
            return self._heats(queries)

    def cue_heatmap(self, queries: Sequence[Query]) -> list[Heat]:
        """The phrase's map; errors as of `detect`."""
        with self._asking.counting("cue_heatmap", queries):
            return self._heats(queries)

    def search_config(self) -> SearchConfig:
        """A map's peak is told in multiples of its mean: whatever is not flat guides."""
        return SearchConfig(cue_threshold=1.0, cue_threshold_decay=1.0, cue_threshold_min=1.0)

    def settings(self) -> dict[str, Any]:
        """What belongs beside every result of this guide."""
        return {
            "layers": list(self.layers),
            "sigma": self.sigma,
            "proposals": asdict(self.proposals),
            "model": self._asking.answer_model.settings(),
        }

    def forget(self, image: Image) -> None:
        """Drop what is known about an image."""
        self._asking.forget(image)
        self._judge.forget(image)

    def _heats(self, queries: Sequence[Query]) -> list[Heat]:
        return [
            _heat(grid, query.patch)
            for grid, query in zip(self._maps(queries), queries, strict=True)
        ]

    @torch.no_grad()
    def _maps(self, queries: Sequence[Query]) -> list[np.ndarray]:
        """(rows, columns) of each query over its patch, smoothed, of mean 1 where the model saw."""
        found: dict[int, np.ndarray] = {}
        shown = self._shown(queries)
        for start in range(0, len(shown), self._source.max_batch):
            self._read(shown[start : start + self._source.max_batch], found)
        return [found[i] for i in range(len(queries))]

    def _shown(self, queries: Sequence[Query]) -> list[_Shown]:
        """The pictures, each once."""
        known: dict[int, _Shown] = {}
        for i, query in enumerate(queries):
            picture = self._asking.picture(query.patch)
            one = known.setdefault(id(picture), _Shown(picture))
            text = without_article(query.text).strip()
            if text not in one.texts:
                one.texts.append(text)
            one.owners.append((i, one.texts.index(text)))
        return list(known.values())

    def _read(self, part: Sequence[_Shown], found: dict[int, np.ndarray]) -> None:
        """One pass over pictures, and one over what is asked about them."""
        source = self._source
        spans = [[target_span(source.tail, QUESTION, t) for t in one.texts] for one in part]
        tails = [[source.tail(QUESTION.format(t)) for t in one.texts] for one in part]
        blocks = source.decoder.layers
        # Its keys and values are in the cache before it attends: the rest is not run.
        last = blocks[self.layers[1] - 1].self_attn if may_end_early(source.decoder) else None
        begun = source.begin([one.picture for one in part], last)
        branches = pack(tails, begun.mask, begun.next_position)
        with reading([source.decoder], [], last=last):
            read_behind(source, begun, branches.ids, branches.sees, branches.positions)
        source.count_read(calls=sum(map(len, tails)), tokens=branches.num_tokens)
        read: Any = begun.cache.layers
        values = [read[i].values for i in range(*self.layers)]  # (U, groups, P + S, size)
        width = begun.mask.shape[1]
        for u, one in enumerate(part):
            grid = begun.grids[u]
            image = grid.positions.to(branches.ids.device)
            maps = []
            for q, (first, last_) in enumerate(spans[u]):
                own = branches.owner[u] == q  # (S,)
                behind = width + int(own.nonzero()[0])
                target = torch.arange(behind + first, behind + last_, device=image.device)
                others = torch.cat([begun.mask[u], own])
                found_here = relevance([v[u] for v in values], image.flatten(), target, others)
                maps.append(found_here.view(image.shape).cpu().numpy())
            placed = [self._placed(each, grid.view, one.picture.size) for each in maps]
            for query, text in one.owners:
                found[query] = placed[text]

    def _placed(self, grid: np.ndarray, view: Box, size: tuple[int, int]) -> np.ndarray:
        """A map over what the model was given, smoothed and laid over the picture itself."""
        smooth = gaussian_filter(grid, self.sigma, mode="nearest") if self.sigma else grid
        return PlacedMap(smooth, view).over(Box(0, 0, *size))


def _heat(grid: np.ndarray, patch: Patch) -> GridHeat:
    return GridHeat(grid, *patch.size, peak=float(grid.max() / grid.mean()))


def _boxes(grid: np.ndarray, patch: Patch, config: ProposalConfig) -> list[Box]:
    """The proposed regions in pixels of the patch."""
    width, height = patch.size
    across, down = width / grid.shape[1], height / grid.shape[0]
    return [
        Box(box.x0 * across, box.y0 * down, box.x1 * across, box.y1 * down)
        for box in propose(grid, config)
    ]


def _in_image(patch: Patch, box: Box) -> Box:
    """A region of a patch in whole pixels of its image, one at least."""
    moved = box.shift(int(patch.box.x0), int(patch.box.y0))
    x0, y0 = int(moved.x0), int(moved.y0)
    return Box(x0, y0, max(round(moved.x1), x0 + 1), max(round(moved.y1), y0 + 1))

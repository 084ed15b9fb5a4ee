"""Read models whose image tokens stand among the words of their language model.

An image is read once; the question and the general question are two short branches behind it, as
are further questions about the same image. Nothing is run with eager attention.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from PIL.Image import Image
from torch import Tensor, nn

from seal.inference.answers.protocol import Cost
from seal.inference.vicrop.branches import continued, pack
from seal.inference.vicrop.default_layers import FamilyDefaults, default_layer, family_defaults
from seal.inference.vicrop.layer_attention import may_end_early, reading
from seal.inference.vicrop.pixel_gradients import counted_pixels, frozen
from seal.inference.vicrop.prompt_source import (
    Beginnings,
    PromptSource,
    SeenGrid,
    likeliest,
    read_behind,
)
from seal.inference.vicrop.reader import (
    GENERAL_QUESTION,
    GradientFactors,
    Look,
    PixelFactors,
    RelativeFactors,
)


@dataclass(slots=True)
class _Asked:
    """An image, its distinct questions, and which looks they answer."""

    image: Image
    questions: list[str] = field(default_factory=list)
    looks: list[tuple[int, int]] = field(default_factory=list)  # the look, its question


class DecoderReader:
    """An `AttentionReader` on a source of prompts."""

    def __init__(self, source: PromptSource, *, general: str = GENERAL_QUESTION) -> None:
        self.source = source
        self.general = general
        self.costs: list[Cost] = []

    @property
    def num_layers(self) -> int:
        return len(self.source.decoder.layers)

    @property
    def layer(self) -> int:
        return default_layer(self.source.family, self.num_layers)

    @property
    def defaults(self) -> FamilyDefaults:
        return family_defaults(self.source.family)

    @torch.no_grad()
    def relative(self, looks: Sequence[Look], *, layer: int) -> list[RelativeFactors]:
        found: dict[int, RelativeFactors] = {}
        self.costs = [Cost()] * len(looks)
        for part in self._parts(looks):
            grids, (weights,) = self._attention(part, [layer])
            for u, asked in enumerate(part):
                view = grids[u].view
                maps = _on_grid(weights[u].mean(0), grids[u])  # (1 + questions, rows, columns)
                for look, question in asked.looks:
                    found[look] = RelativeFactors(maps[1 + question], maps[0], view)
        return [found[i] for i in range(len(looks))]

    def gradients(self, looks: Sequence[Look], *, layer: int) -> list[GradientFactors]:
        found: dict[int, GradientFactors] = {}
        self.costs = [Cost()] * len(looks)
        for part in self._parts(looks):
            grids, weights, gradients = self._gradients(part, layer)
            for u, asked in enumerate(part):
                # Heads are multiplied before they are averaged.
                weighed = (weights[u] * gradients[u].relu()).mean(0)
                maps = _on_grid(weighed, grids[u])
                for look, question in asked.looks:
                    found[look] = GradientFactors(maps[question], grids[u].view)
        return [found[i] for i in range(len(looks))]

    def pixels(self, looks: Sequence[Look]) -> list[PixelFactors]:
        found, self.costs = counted_pixels(self.source, looks, self.general)
        return found

    @torch.no_grad()
    def layer_maps(self, image: Image, question: str) -> list[RelativeFactors]:
        asked = _Asked(image, [question])
        (grid,), weights = self._attention([asked], list(range(self.num_layers)))
        maps = [_on_grid(each[0].mean(0), grid) for each in weights]
        return [RelativeFactors(of_question, general, grid.view) for general, of_question in maps]

    def _parts(self, looks: Sequence[Look]) -> list[list[_Asked]]:
        """The images, each once, as many as go into one pass."""
        known: dict[int, _Asked] = {}
        for i, look in enumerate(looks):
            asked = known.setdefault(id(look.image), _Asked(look.image))
            if look.question not in asked.questions:
                asked.questions.append(look.question)
            asked.looks.append((i, asked.questions.index(look.question)))
        images, step = list(known.values()), self.source.max_batch
        return [images[start : start + step] for start in range(0, len(images), step)]

    def _attention(
        self, part: Sequence[_Asked], layers: Sequence[int]
    ) -> tuple[list[SeenGrid], list[Tensor]]:
        """Of each layer (U, heads, 1 + questions, K): of the last tokens, the general one first."""
        source = self.source
        modules = [self._module(layer) for layer in layers]
        # What stands behind the last of the layers is not run.
        last = self._module(max(layers)) if may_end_early(source.decoder) else None
        begun = source.begin([asked.image for asked in part], last)
        tails = [[source.tail(q) for q in (self.general, *asked.questions)] for asked in part]
        branches = pack(tails, begun.mask, begun.next_position)
        with reading([source.decoder], modules, branches.ends, last=last) as attention:
            read_behind(source, begun, branches.ids, branches.sees, branches.positions)
        source.count_read(calls=sum(map(len, tails)), tokens=branches.num_tokens)
        self._charge(part, begun, tails, 1)
        return begun.grids, [attention.of(module) for module in modules]

    def _gradients(
        self, part: Sequence[_Asked], layer: int
    ) -> tuple[list[SeenGrid], Tensor, Tensor]:
        """The last tokens' attention (U, heads, questions, K), and the gradient that reaches it.

        Only what the last token becomes depends on what it attends to: all before it is read
        without a graph, and the backward pass is one token long.
        """
        source = self.source
        tails = [[source.tail(q) for q in asked.questions] for asked in part]
        with torch.no_grad():
            begun = source.begin([asked.image for asked in part])
            bodies = [[tail[:-1] for tail in row] for row in tails]
            branches = pack(bodies, begun.mask, begun.next_position)
            read_behind(source, begun, branches.ids, branches.sees, branches.positions)
        last = continued(branches, [[tail[-1] for tail in row] for row in tails], begun.mask)
        module = self._module(layer)
        with (
            torch.enable_grad(),
            frozen(source.model),
            reading([source.decoder], [module], graph=True) as attention,
        ):
            states = read_behind(source, begun, last.ids, last.sees, last.positions)
            objective = likeliest(source.logits(states))[last.owner >= 0].sum()
            weights = attention.of(module)
            (gradient,) = torch.autograd.grad(objective, weights)
        source.count_read(calls=sum(map(len, tails)), tokens=branches.num_tokens + last.num_tokens)
        self._charge(part, begun, tails, 0)
        return begun.grids, weights.detach(), gradient

    def _charge(
        self,
        part: Sequence[_Asked],
        begun: Beginnings,
        tails: Sequence[Sequence[Sequence[int]]],
        shared: int,
    ) -> None:
        """Each look of `part` its image, its question, and the first `shared` tails of its row."""
        for asked, cost, row in zip(part, begun.costs, tails, strict=True):
            for look, question in asked.looks:
                own = [*row[:shared], row[shared + question]]
                self.costs[look] = cost + Cost(calls=len(own), tokens_read=sum(map(len, own)))

    def _module(self, layer: int) -> nn.Module:
        if not 0 <= layer < self.num_layers:
            raise ValueError(
                f"layer={layer} is none of the {self.num_layers} of the language model: 0 to "
                f"{self.num_layers - 1}; leave it out for layer={self.layer}"
            )
        module: nn.Module = self.source.decoder.layers[layer].self_attn
        return module


def _on_grid(weights: Tensor, grid: SeenGrid) -> np.ndarray:
    """(Q, K) -> (Q, rows, columns) float32 on the host."""
    maps: np.ndarray = weights[:, grid.positions.to(weights.device)].float().cpu().numpy()
    return maps

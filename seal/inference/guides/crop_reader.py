"""Crops through the language model: each beginning once, and what is asked behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from seal.inference.guides.crops import Crop, CropCache
from seal.inference.guides.search_prompts import SearchPrompts
from seal.inference.shared_prefix import Ending
from seal.inference.staged_prefix import StagedPasses
from seal.models.vsm import VSM

Asked = tuple[Crop, str]  # a crop, and the name of what is to be located in it


@dataclass(slots=True)
class Cost:
    """What a search model has done so far."""

    queries: dict[str, int] = field(default_factory=dict)  # by kind
    crops_encoded: int = 0  # by the detector; the vision tower sees no more
    prompts_read: int = 0  # beginnings of prompts: a crop and what precedes it
    questions_read: int = 0  # behind them
    tokens_generated: int = 0
    llm_passes: int = 0
    tokens_read: int = 0  # positions through the language model, padding not counted
    bytes_copied: int = 0  # of keys and values, from where a pass made them to where they are kept


class CropReader:
    """Reads prompts about crops; what they have in common is read once."""

    def __init__(
        self,
        model: VSM,
        prompts: SearchPrompts,
        crops: CropCache,
        passes: StagedPasses,
        cost: Cost,
        *,
        share_prefix: bool = True,
        one_pass: bool = True,
    ) -> None:
        """`share_prefix=False`: every question reads its crop anew; `one_pass=False`: a crop's
        first question is not read together with the crop.
        """
        self.model, self.prompts, self.crops, self.cost = model, prompts, crops, cost
        self.passes = passes
        self.share_prefix, self.one_pass = share_prefix, one_pass
        self._before = torch.tensor([prompts.before_picture], device=model.device)

    def locate(self, asked: Sequence[Asked]) -> Tensor:
        """(E, D): of each crop and name, the state that predicts `[LOC]`."""
        new = {(id(crop), name): (crop, name) for crop, name in asked if name not in crop.states}
        if new:
            self._locate(list(new.values()))
            self._done([crop for crop, _ in asked])
        return torch.stack([crop.states[name] for crop, name in asked])

    def decode(
        self, crops: Sequence[Crop], rows: Sequence[Sequence[int]], ending: Ending
    ) -> list[list[int]]:
        """The likeliest tokens behind each row of ids, which stands behind its crop."""
        self._begin(crops)
        said = self.passes.continue_behind(_slots(crops), rows, ending)
        self.cost.questions_read += len(rows)
        self.cost.llm_passes += max(_passes(answer, ending) for answer in said)
        self.cost.tokens_read += sum(map(len, rows)) + sum(map(len, said))
        self.cost.tokens_generated += sum(map(len, said))
        self._done(crops)
        return said

    def _done(self, crops: Sequence[Crop]) -> None:
        self.cost.bytes_copied += self.passes.num_copied * self.crops.pool.shape.num_bytes
        self.passes.num_copied = 0
        if not self.share_prefix:
            self.crops.free_slots(crops)

    def _locate(self, asked: Sequence[Asked]) -> None:
        rows = [self.prompts.locate(name) for _, name in asked]
        self.cost.questions_read += len(rows)
        self.cost.tokens_read += sum(map(len, rows))
        left = list(range(len(asked)))
        if self.one_pass:
            first = {id(asked[i][0]): i for i in reversed(left) if asked[i][0].slot is None}
            chosen = sorted(first.values())
            self._keep(asked, chosen, self._begin([asked[i][0] for i in chosen], rows, chosen))
            left = [i for i in left if i not in set(chosen)]
        if left:
            self._begin([asked[i][0] for i in left])
            slots = _slots([asked[i][0] for i in left])
            states = self.passes.read_behind(slots, [rows[i] for i in left])
            self.cost.llm_passes += 1
            self._keep(asked, left, states)

    def _keep(self, asked: Sequence[Asked], places: Sequence[int], states: Tensor | None) -> None:
        if states is not None:
            for i, state in zip(places, states, strict=True):
                crop, name = asked[i]
                crop.states[name] = state if len(places) == 1 else state.clone()

    def _begin(
        self,
        crops: Sequence[Crop],
        rows: Sequence[Sequence[int]] = (),
        chosen: Sequence[int] = (),
    ) -> Tensor | None:
        """Read the beginnings that are not there, and with `rows` what stands behind each.

        chosen: which of `rows` is of which crop. Returns (n, D) states, None if nothing was new.
        """
        new = list({id(crop): crop for crop in crops if crop.slot is None}.values())
        if not new:
            return None
        self.crops.need_vision(new)
        slots = self.crops.take_slots(len(new))
        try:
            states = self.passes.read_beginnings(
                slots, self._embedded(new), [rows[i] for i in chosen]
            )
            for crop, slot in zip(new, slots, strict=True):
                crop.slot = slot
        except BaseException:
            for crop in new:
                crop.slot = None
            for slot in slots:  # nothing of use lies there
                self.crops.pool.give_back(slot)
            raise
        shape = self.crops.pool.shape
        self.cost.prompts_read += len(new)
        self.cost.llm_passes += 1
        self.cost.tokens_read += len(new) * shape.length
        self.cost.bytes_copied += len(new) * shape.num_bytes
        return states

    def _embedded(self, crops: Sequence[Crop]) -> Tensor:
        """(n, P, D) of the beginnings of prompts."""
        vision = torch.stack([crop.vision for crop in crops if crop.vision is not None])
        pictures = self.model.image_projector(vision.to(self.model.dtype))
        text = self.model.llm.get_input_embeddings()(self._before)
        return torch.cat([text.expand(len(crops), -1, -1), pictures], dim=1)


def _slots(crops: Sequence[Crop]) -> list[int]:
    slots = [crop.slot for crop in crops if crop.slot is not None]
    assert len(slots) == len(crops)
    return slots


def _passes(answer: Sequence[int], ending: Ending) -> int:
    """Passes that it took: one a token, that which ended it included if it is no part of it."""
    whole = len(answer) == ending.most or (bool(answer) and answer[-1] in ending.stop_ids)
    return len(answer) if whole else len(answer) + 1

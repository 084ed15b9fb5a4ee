"""Where every tensor of a file of others goes, told without reading any."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from seal.models.files.checkpoint_table import RECOMPUTED, rename_back
from seal.models.files.layouts import layout_of
from seal.models.vqa import VQAModel
from seal.models.vsm import VSM


@dataclass(slots=True)
class KeyReport:
    """Where the tensors of a file of theirs go."""

    mapped: int = 0  # into a tensor of ours of the same shape
    recomputed: int = 0  # rotary frequencies and position ids, which our code computes
    unmapped: list[str] = field(default_factory=list)  # of theirs, without a home
    unfilled: list[str] = field(default_factory=list)  # of ours, without a source
    reshaped: list[str] = field(default_factory=list)  # told with both shapes
    apart: int = 0  # of the CLIP tower, if it is not in the file

    @property
    def fits(self) -> bool:
        """Whether every tensor has exactly one home of its shape."""
        return not (self.unmapped or self.unfilled or self.reshaped)


def compare_keys(model: VQAModel | VSM, shapes: Mapping[str, Sequence[int]]) -> KeyReport:
    """Where a file with tensors of `shapes` under their names goes; `model` may be on meta.

    A file without a tower is complete: CLIP is then fetched apart.
    """
    state = model.state_dict()
    wanted = rename_back(state, layout_of(model.config).names(model.config))
    has_tower = any(wanted[key] in shapes for key in state if key.startswith("vision_tower."))
    report = KeyReport()
    for key, theirs in wanted.items():
        if not has_tower and key.startswith("vision_tower."):
            report.apart += 1
        elif theirs not in shapes:
            report.unfilled.append(f"{key} ({theirs})")
        elif list(shapes[theirs]) != list(state[key].shape):
            here = list(state[key].shape)
            report.reshaped.append(f"{theirs} has shape {list(shapes[theirs])}, the model {here}")
        else:
            report.mapped += 1
    homes = set(wanted.values())
    for theirs in shapes:
        if theirs in homes:
            continue
        if theirs.endswith(RECOMPUTED):
            report.recomputed += 1
        else:
            report.unmapped.append(theirs)
    return report

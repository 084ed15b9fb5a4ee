"""The ways a search is asked that are compared: which levers are on in each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from seal.search.speed import SpeedConfig

ORIGINAL, PLAIN, BARE, FORCED_CUE = "original", "plain", "bare", "forced_cue"
ALONE, ALL = "alone", "all"  # groups: each lever by itself, and all of them at every batch size
AHEAD = 3  # regions evaluated before their turn, where that is a lever
TARGETS = 4  # of one question that are sought side by side, where that is a lever


@dataclass(frozen=True, kw_only=True, slots=True)
class Levers:
    """How our own engine is asked; the defaults are the bare engine, everything off.

    What is left then is what it cannot do without: the query is read off a forced `Sure, [LOC].`,
    each crop goes through each tower once, and an answer is decoded with a cache.
    """

    cue_prefix: str = "free"  # free | forced: the cue's answer begins with the target's name
    share_prefix: bool = False  # a crop's prompt is read once for all questions about it
    one_pass: bool = False  # a new crop's prompt and its first question are one pass
    late_heat: bool = False  # the target's heat is made where the search asks for it
    prepare_ahead: bool = False  # pixels of what comes next, while the model computes
    graphs: bool = False  # on a GPU: passes over few crops are recorded once and replayed
    side_by_side: bool = False  # on a CPU: the detector runs beside the language model
    lookahead: int = 0  # regions evaluated before their turn
    batch: int = 1  # searches side by side, and queries in one pass; 1: a question at a time
    together: bool = False  # at batch 1: the targets of a question side by side

    @property
    def num_searches(self) -> int:
        """Side by side."""
        return TARGETS if self.together and self.batch == 1 else self.batch

    def model_options(self) -> dict[str, Any]:
        """Of `NetworkSearchModel`."""
        return {
            "cue_prefix": self.cue_prefix,
            "share_prefix": self.share_prefix,
            "one_pass": self.one_pass,
            "late_heat": self.late_heat,
            "graphs": self.graphs,
            "side_by_side": self.side_by_side,
            # What is evaluated ahead comes on top of what is due.
            "max_batch": self.num_searches + self.lookahead,
        }

    def speed(self) -> SpeedConfig:
        """Of the driver."""
        return SpeedConfig(
            lookahead=self.lookahead,
            concurrency=self.num_searches,
            max_batch=self.num_searches + self.lookahead,
            prepare=self.prepare_ahead,
        )


# Each lever by itself, on any device.
SINGLE = {
    FORCED_CUE: Levers(cue_prefix="forced"),
    "share_prefix": Levers(share_prefix=True),
    "one_pass": Levers(one_pass=True),
    "late_heat": Levers(late_heat=True),
    "prepare_ahead": Levers(prepare_ahead=True),
    "lookahead": Levers(lookahead=AHEAD),
    "together": Levers(together=True),
    "batch_16": Levers(batch=16),
}
ON_GPU = {"graphs": Levers(graphs=True)}
ON_CPU = {"side_by_side": Levers(side_by_side=True)}


def single_levers(device: str) -> dict[str, Levers]:
    """Each lever by itself that there is on a device."""
    return SINGLE | (ON_CPU if device == "cpu" else ON_GPU)


def all_levers(batch: int, device: str) -> Levers:
    """All at once that go together.

    Evaluating ahead fills what a small batch leaves idle; with graphs, which are of few rows, it
    would only add work. The detector beside the language model pays with one thread alone.
    """
    on_gpu = device != "cpu"
    ahead = AHEAD if batch == 1 and not on_gpu else 0
    return Levers(
        cue_prefix="forced", share_prefix=True, one_pass=True, late_heat=True, prepare_ahead=True,
        graphs=on_gpu, lookahead=ahead, together=True, batch=batch,
    )  # fmt: skip


def all_at(batch: int) -> str:
    """The name of all levers at a batch size."""
    return f"all_{batch}"


def chosen_paths(
    names: Sequence[str], batches: Sequence[int], device: str
) -> dict[str, Levers | None]:
    """Name -> levers, None of a path that is not our engine; what each is compared with as well.

    Args:
        names: of paths, or of the groups "alone" and "all".

    Raises:
        ValueError: there is no such path.
    """
    single = single_levers(device)
    every: dict[str, Levers | None] = {ORIGINAL: None, PLAIN: None, BARE: Levers(), **single}
    every |= {all_at(batch): all_levers(batch, device) for batch in batches}
    groups = {ALONE: [BARE, *single], ALL: [all_at(batch) for batch in batches]}
    wanted: set[str] = set()
    for name in names:
        if name not in groups and name not in every:
            known = ", ".join([*groups, *every])
            raise ValueError(f"ways={list(names)}: no {name!r}; known: {known}")
        wanted.update(groups.get(name, [name]))
    wanted |= {reference_of(every[name]) for name in wanted}
    return {name: levers for name, levers in every.items() if name in wanted}


def reference_of(levers: Levers | None) -> str:
    """The path whose answers one must give: the bare engine, its cue's words found the same way."""
    return FORCED_CUE if levers is not None and levers.cue_prefix == "forced" else BARE

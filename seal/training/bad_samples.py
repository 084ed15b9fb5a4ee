"""Go on without a few images that cannot be read: each is named, replaced and counted."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from seal.batch import Batch, Sample
from seal.files.whole import write_whole
from seal.images import UnreadableImageError
from seal.training.distributed import World

BAD_SAMPLES = "bad_samples.jsonl"  # in the run's folder: {"step": ..., "sample": ...} a line


class _Samples(Protocol):
    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Sample: ...


class Substituting:
    """A stream of samples in which the next readable one stands for one with a bad image.

    Which one that is depends on the index alone: not on the worker or the process that reads it.
    """

    def __init__(self, samples: _Samples, *, most: int) -> None:
        """`most`: samples in a row that may be skipped."""
        self.samples = samples
        self.most = most

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Sample:
        bad: list[str] = []
        while True:
            try:
                sample = self.samples[index + len(bad)]
            except ValueError as error:
                if not _of_an_image(error) or len(bad) == self.most:
                    raise
                bad.append(" ".join(str(error).split()))
                continue
            return replace(sample, replaced=tuple(bad)) if bad else sample

    def __getattr__(self, name: str) -> Any:
        # Lengths, and whatever else a plan asks of a mixture, are those of the stream.
        if name.startswith("__") or name == "samples":
            raise AttributeError(name)
        return getattr(self.samples, name)


def _of_an_image(error: BaseException | None) -> bool:
    """Whether an unreadable image is behind it; data sets add where the record stands."""
    while error is not None:
        if isinstance(error, UnreadableImageError):
            return True
        error = error.__cause__
    return False


class BadSamples:
    """What was replaced in this run so far, in `folder/bad_samples.jsonl`."""

    def __init__(self, folder: Path, world: World, *, first: int, allowed: int) -> None:
        """`first` steps are done: what later ones replaced is found again when they are redone."""
        self.path = folder / BAD_SAMPLES
        self.world = world
        self.allowed = allowed
        self._steps: dict[str, int] = {}  # sample, with what is wrong -> step; in the first process
        if world.is_main and self.path.exists():
            lines = [json.loads(line) for line in self.path.read_bytes().splitlines()]
            self._steps = {x["sample"]: x["step"] for x in lines if x["step"] <= first}

    def note(self, step: int, batches: Sequence[Batch], tell: Callable[[str], None]) -> None:
        """Write down, and tell, what was replaced in a step; a collective call.

        Each sample counts once, however often its turn comes.

        Raises:
            ValueError: there are more than allowed; names them. In the first process.
            SystemExit: in the others.
        """
        mine = [text for batch in batches for text in batch.replaced]
        found = self.world.gather(mine)
        self.world.decide(
            lambda: self._add(step, [text for texts in found for text in texts], tell)
        )

    def _add(self, step: int, found: list[str], tell: Callable[[str], None]) -> None:
        new = [text for text in dict.fromkeys(found) if text not in self._steps]
        if not new:
            return
        for text in new:
            self._steps[text] = step
            tell(f"step {step}: replaced by the next sample ({self._count()}): {text}")
        lines = [{"step": at, "sample": text} for text, at in self._steps.items()]
        write_whole(self.path, "".join(json.dumps(line) + "\n" for line in lines))
        if len(self._steps) > self.allowed:
            shown = "; ".join(list(self._steps)[-8:])
            raise ValueError(
                f"{self._count()} samples cannot be read ({self.path} lists them): {shown}; mend "
                "their files, or raise train.max_bad_samples, and start the same command again"
            )

    def _count(self) -> str:
        return f"{len(self._steps)} of train.max_bad_samples={self.allowed}"

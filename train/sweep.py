"""Compare the runs of a sweep: which settings differ, and what came of them.

    seal train/vsm -m hydra/launcher=local experiment=vsm_smoke train.learning_rate=1e-3,3e-3 \\
        lora.rank=2,4 'run_name=sweep/lr${train.learning_rate}_r${lora.rank}'
    seal train/sweep folder=runs/sweep out=runs/sweep_report
    seal train/sweep folder=runs/sweep metric=validation/cIoU take=best out=runs/sweep_report

Prints a table of all runs below the folder, the best first, those that failed or are not finished
among them; writes it to out/sweep.md and .csv, with a heat map of two settings or a line over one
in sweep.png, and everything in sweep.json.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from seal.schema import program
from seal.training.sweep import TAKES, read_sweep
from seal.training.sweep_report import write_report


@dataclass(kw_only=True, slots=True)
class SweepReport:
    """What conf/train_sweep.yaml says."""

    folder: str  # the runs lie in it, at any depth
    out: str  # the folder to write to
    metric: str = "validation/loss"  # of their logs; losses, and with a minus in front: lower
    take: str = "last"  # last | best: which of its values counts

    def __post_init__(self) -> None:
        if self.take not in TAKES:
            raise ValueError(f"take={self.take!r} is none of {', '.join(TAKES)}")


@program("train_sweep", SweepReport)
def main(report: SweepReport) -> None:
    sweep = read_sweep(Path(report.folder), report.metric, take=report.take)
    print(write_report(sweep, Path(report.out)))
    print(f"written to {report.out}")


if __name__ == "__main__":
    main()

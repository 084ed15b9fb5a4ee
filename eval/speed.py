"""Measure both models: seconds to load, peak memory, and one full question, by precision.

    seal eval/speed size=7b out=runs/speed                       # bf16, int8 and nf4
    seal eval/speed size=7b precisions=[int8,nf4] memory_limit_gb=24
    seal eval/speed size=miniature device=cpu precisions=[fp32,int8,nf4] questions=3
    seal eval/speed size=7b num_hidden_layers=1 device=cpu precisions=[bf16] questions=1
    seal eval/speed size=7b device=cpu questions=0 out=runs/loading     # loading alone
    python -m seal.evaluation.speed size=7b precisions=[nf4]     # the same, without Hydra

A question is a first answer, the search of two targets and a final answer of four options. The
weights are random and the outcomes scripted (seal/evaluation/speed/script.py): what is done is
real, the searches take 4.65 visits a target in the mean and each cue answer has 15 tokens. int8
leaves out what a trained model's few outlier features cost.

Each precision is a process of its own and a file OUT/pieces/*.json; the same command goes on after
a stop and measures anew what was measured with other settings. The weights (29 GB for 7b, 54 GB
for 13b) stay in OUT/models. Writes OUT/speed.json and speed.png, and prints the table.

On a GPU memory is PyTorch's, on a CPU the process's; "host GB to load" is the most the process grew
by while loading, files that are mapped not counted. In bf16 a CPU maps the files and reads them
when they are first used: there the first question pays for the loading, so leave warmup at 1 or
more.
"""

from __future__ import annotations

from seal.evaluation.speed.config import SpeedConfig
from seal.evaluation.speed.report import tables
from seal.evaluation.speed.run import measure
from seal.pages.table import markdown
from seal.schema import program


@program("eval_speed", SpeedConfig)
def main(run: SpeedConfig) -> None:
    print("\n\n".join(map(markdown, tables(measure(run)))))
    print(f"written: {run.out}")


if __name__ == "__main__":
    main()

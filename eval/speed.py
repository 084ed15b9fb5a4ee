"""Measure both models by precision, and the search by how it is asked.

    seal eval/speed size=miniature device=cpu out=runs/speed     # both parts: minutes
    seal eval/speed size=7b out=runs/speed                       # on a GPU
    seal eval/speed size=7b ways=[] precisions=[int8,nf4] memory_limit_gb=24
    seal eval/speed size=7b ways=[] num_hidden_layers=1 device=cpu precisions=[bf16] questions=1
    seal eval/speed size=7b precisions=[] ways=[original,all] repeats=3
    seal eval/speed device=cpu precisions=[] vsm=runs/demo/vsm benchmark=runs/demo/data/benchmark
    seal eval/speed device=cpu precisions=[] sizes=[miniature,hidden_512,hidden_1024] threads=1
    python -m seal.evaluation.speed size=7b precisions=[nf4]     # the same, without Hydra

By precision: seconds to load, peak memory, and one full question: a first answer, the search of two
targets and a final answer of four options. The weights are random and the outcomes scripted
(seal/evaluation/speed/script.py): what is done is real, the searches take 4.65 visits a target in
the mean and each cue answer has 15 tokens. int8 leaves out what a trained model's few outlier
features cost. `questions=0` measures loading alone, `precisions=[]` nothing of this.

By path, on the same weights and images (`ways=[]`: nothing of this): `original`, as the published
code asks, and `plain`, with an ordinary cache (seal/evaluation/speed/plain_search.py); `alone`, our
engine with every lever off (`bare`) and with each by itself; `all`, those that go together
(seal/evaluation/speed/levers.py), at batch 1, 4, 16 and 32 (`batches=`). Batch 1 is one search
after the other, of `all` one question after the other, its targets side by side; a larger batch is
so many searches side by side.
The outcomes are scripted as above, on images of 2246 x 1582, with as many questions as fill a batch
twice; every path decodes 15 tokens a cue, though what our engine forces before them would be words
to decode for the others. With `vsm=` and `benchmark=` (V*Bench's form) the verdicts are a trained
model's, on `limit=` questions. Each path's answers are compared with those of the bare engine in
float32: in that type another visit, verdict or box ends the program with 1 (near-ties aside), in
others it is counted. A path that must take longer than `most_minutes=` is left out. `ratios` in
speed.json: how many times as long a question takes without our levers, and tokens as many.

Each precision, and each path and repeat, is a file OUT/pieces/*.json; the same command goes on
after a stop and measures anew what was measured with other settings. The weights (29 GB for 7b, 54
GB for 13b) stay in OUT/models. Writes OUT/speed.json, speed.html and its charts, and prints the
tables.

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

"""Measure what a level of granularity saves, and what the router that chooses it costs.

    seal eval/granularity_speed size=avg_7b                            # on a GPU, bfloat16
    seal eval/granularity_speed size=avg_7b image_size=[1280,960] answer_tokens=5
    OMP_NUM_THREADS=1 seal eval/granularity_speed size=small num_hidden_layers=32 clock=cpu

One question at a time, on a picture that nobody has seen, at each level forced and then chosen by
the router; levels take turns. Weights are random and cost what trained ones cost; the router works
as it would, and its last bias is set so that it chooses the level that is measured. A preset
without levels (small, 7b ...) gets AVG-LLaVA's tiles of 24 x 24 tokens, projector and router at its
own widths. "faster" is the finest level forced, without a router, over the level chosen by it.

The last command with repeats=1 on an AMD EPYC (one thread, float32, 672 x 672 pixels, width 384):

    level                   36     72    144    288    576
    visual tokens          192    384    744   1488   2928
    s, level forced       1.39   1.74   2.59   4.52   9.74
    s, level chosen       1.69   2.07   2.74   4.93   9.97      the router's own: 0.28 to 0.29
    prefix, MB              26     45     80    153    295

At the preset's own 6 layers the router takes 0.33 s of 0.63 (level 36) to 2.30 (level 576), where
the finest level forced takes 1.93: it pays as soon as it chooses a coarser level than the finest.

Writes OUT/granularity_speed.json and prints the table: visual tokens, seconds of the question and
of its parts (tower, router, reading the prompt, writing the answer), and the memory of the prompt's
keys and values.
"""

from __future__ import annotations

from seal.evaluation.granularity_speed.config import GranularitySpeedConfig
from seal.evaluation.granularity_speed.run import measure, speed_table
from seal.pages.table import markdown
from seal.schema import program


@program("eval_granularity_speed", GranularitySpeedConfig)
def main(run: GranularitySpeedConfig) -> None:
    print(markdown(speed_table(measure(run))))
    print(f"written: {run.out}")


if __name__ == "__main__":
    main()

"""Measure what a level of granularity saves, and what the router that chooses it costs.

    seal eval/granularity_speed size=avg_7b                            # on a GPU, bfloat16
    seal eval/granularity_speed size=avg_7b image_size=[1280,960] answer_tokens=5
    OMP_NUM_THREADS=1 seal eval/granularity_speed size=small num_hidden_layers=32 device=cpu

One question at a time, on a picture that nobody has seen, at each level forced and then chosen by
the router; levels take turns. Weights are random and cost what trained ones cost; the router works
as it would, and its last bias is set so that it chooses the level that is measured. A preset
without levels (small, 7b ...) gets AVG-LLaVA's tiles of 24 x 24 tokens, projector and router at its
own widths. "faster" is the finest level forced, without a router, over the level chosen by it.

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

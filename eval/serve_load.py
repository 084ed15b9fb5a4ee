"""Measure how many questions `seal serve` answers a second, one at a time and many at once.

    seal eval/serve_load benchmark=runs/demo/data/benchmark            # the miniature
    seal eval/serve_load benchmark=FOLDER vqa=craigwu/seal_vqa_7b vsm=craigwu/seal_vsm_7b
    seal eval/serve_load benchmark=FOLDER address=http://127.0.0.1:8000/v1 concurrency=32

Starts a server unless `address` names one, asks it `limit` questions one after the other, then the
same ones `concurrency` at a time; tells what is lost, whether the answers, visits and boxes are the
same, and how much faster it is. Writes OUT/serve_load.json.
"""

from __future__ import annotations

from seal.pages.table import markdown
from seal.schema import program
from seal.serving.load.config import ServeLoadConfig
from seal.serving.load.run import load_table, measure


@program("eval_serve_load", ServeLoadConfig)
def main(run: ServeLoadConfig) -> None:
    print(markdown(load_table(measure(run))))
    print(f"written: {run.out}")


if __name__ == "__main__":
    main()

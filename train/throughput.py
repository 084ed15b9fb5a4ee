"""Measure training: MFU, tokens/s, memory and waiting, our recipe beside the original's.

    seal train/throughput simulate=true                       # how evenly 8 and 32 ranks are loaded
    seal train/throughput loader=true                         # samples/s and bytes of one worker
    seal train/throughput case=vsm size=small deepspeed=zero0 train.bf16=false    # a CPU
    seal train/throughput case=vqa_full layers=16             # an H100; an H200 takes layers=32
    torchrun --nproc-per-node 8 -m seal train/throughput case=vqa_full

Weights, tokens and pixels are random, lengths and mixtures those of the paper; model, engine,
loader and step are the ones a run uses. Recipes: `ours`; `original` (padded to the longest, as
drawn, every expression a row, logits of every position, its micro-batch); `separate_rows` (ours,
but a row a conversation). Each is a process and a file OUT/pieces/*.json: the same command goes on
after a stop, other cases with the same out= join the table. Writes OUT/throughput.json and .png.

MFU: the model's arithmetic without recomputation over what the device was measured to multiply.
`simulate=true` needs no model and writes OUT/plan.json: useful = work / (ranks x slowest rank).

On a GPU, most valuable first, a few minutes a command (an H100 takes layers=16 for vqa_full):
    seal train/throughput case=vqa_full layers=32 save=false sync_debug=true recipes=[ours]
    seal train/throughput case=vqa_full layers=32 save=false sync_debug=true
    seal train/throughput case=vsm sync_debug=true
    seal train/throughput case=vqa_lora
    seal train/throughput case=vqa_qlora
`sync_debug=true` adds `syncs`: the places where a step's host waits, counted by
set_sync_debug_mode("warn"), and what "error" says of another forward and backward pass.
"""

from __future__ import annotations

from pathlib import Path

from seal.pages.table import markdown
from seal.schema import program
from seal.training.throughput.config import ThroughputConfig
from seal.training.throughput.loader import loader_line, measure_loader
from seal.training.throughput.report import plan_table, ratio_lines, throughput_table
from seal.training.throughput.run import measure, plan


@program("train_throughput", ThroughputConfig)
def main(config: ThroughputConfig) -> None:
    if config.simulate:
        print(markdown(plan_table(plan(config))))
    elif config.loader:
        print(loader_line(measure_loader(Path(config.out), samples=128, seed=config.seed)))
    else:
        result = measure(config)
        if not result:  # another process than the first
            return
        print(markdown(throughput_table(result["pieces"])))
        print("\n".join(ratio_lines(result["pieces"])))
    print(f"written: {config.out}")


if __name__ == "__main__":
    main()

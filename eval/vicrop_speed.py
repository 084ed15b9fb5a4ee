"""Measure what a map of ViCrop costs: memory over a plain forward, time over a plain answer.

    seal eval/vicrop_speed vqa=seal size=7b                       # on a GPU, bfloat16
    seal eval/vicrop_speed vqa=llava-hf/llava-1.5-7b-hf           # random weights of its sizes
    seal eval/vicrop_speed vqa=FOLDER weights=stored method=grad_att batch=4
    seal eval/vicrop_speed size=small device=cpu answer_tokens=20

All in one run: the peak of a plain forward, that of a map, and the seconds of both and of answers,
taking turns. Peaks are measured in processes of their own: on a GPU what PyTorch allocated, on a
CPU what the process held. Random weights cost what trained ones cost; answers are as long as they
are told to be. Writes OUT/vicrop_speed.json and prints the ratios.
"""

from __future__ import annotations

from seal.evaluation.vicrop_speed.config import ViCropSpeedConfig
from seal.evaluation.vicrop_speed.run import measure, speed_table
from seal.pages.table import markdown
from seal.schema import program


@program("eval_vicrop_speed", ViCropSpeedConfig)
def main(run: ViCropSpeedConfig) -> None:
    print(markdown(speed_table(measure(run))))
    print(f"written: {run.out}")


if __name__ == "__main__":
    main()

"""Find the layer whose map ViCrop should read: the one that looks at the annotated boxes most.

    seal eval/vicrop_layers benchmark=vstar_bench vqa=llava-hf/llava-1.5-7b-hf out=runs/layers
    seal eval/vicrop_layers benchmark=runs/demo/data/benchmark vqa=runs/demo/vqa out=runs/layers

Reads the rel-att map of every layer, all in one pass, for the first 20 questions of each split of a
benchmark in V*Bench's form. Of each layer: the share of its map that lies in the annotated boxes,
and the share of the boxes that the crop chosen on it covers, with 95% intervals. The same command
goes on after a stop. Writes OUT/metrics.json and layers.html, and prints the table; what it finds
is set with vicrop.layer=N.

The best of many layers looks better on these questions than it is: `held_out` in metrics.json is
the honest number, of a layer chosen on the other questions. Keep the questions out of a later test.
"""

from __future__ import annotations

from seal.evaluation.vicrop_layers.config import LayersRun
from seal.evaluation.vicrop_layers.report import layers_table
from seal.evaluation.vicrop_layers.run import run_layers
from seal.pages.table import markdown
from seal.schema import program


@program("eval_vicrop_layers", LayersRun)
def main(run: LayersRun) -> None:
    print(markdown(layers_table(run_layers(run))))
    print(f"written: {run.out}")


if __name__ == "__main__":
    main()

"""Score boxes and masks of referring expressions: RefCOCO, RefCOCO+, RefCOCOg.

    seal eval/grounding benchmark=data/records/refcoco/val vsm=runs/vsm/model out=runs/refcoco_val
    seal eval/grounding benchmark=hub:lmms-lab/RefCOCO::testA vsm=... out=...     # boxes only
    seal eval/grounding ... guide=grounding_dino guide.models.grounding_dino=FOLDER   # without vsm=
    seal eval/grounding ... strategy=guided                                       # boxes only
    torchrun --nproc-per-node 8 eval/grounding.py ...

`benchmark` is a set that data_builders/refcoco built (its test splits keep every sentence, as
published figures count them), a data set of the hub of the form of lmms-lab/RefCOCO, or a copy of
its parquet files. Each expression is put to the search model once, on the whole image: the
best-scored box is a hit if it overlaps a true box by more than half, and the mask is where the heat
of SEAL's search model is above 0, as in validation while it trains. `strategy=guided` searches
instead; the best box that it saw is scored.

Writes OUT/: predictions.jsonl (a line an expression; the same command continues it), metrics.json
(box_accuracy, box_iou, cIoU, gIoU by data set), config.yaml and environment.json.
"""

from __future__ import annotations

from seal.evaluation.grounding.run import GroundingRun, run_grounding
from seal.evaluation.grounding.table import grounding_table
from seal.pages.table import markdown
from seal.schema import program


@program("eval_grounding", GroundingRun)
def main(run: GroundingRun) -> None:
    if run.dry_run:
        found = run.open()
        images = len({item.image for item in found.items})
        print(f"{len(found.items)} expressions of {images} images of {run.benchmark}")
        return
    metrics = run_grounding(run)
    if metrics is not None:
        print(markdown(grounding_table(metrics)))
        print(f"written: {run.out}")


if __name__ == "__main__":
    main()

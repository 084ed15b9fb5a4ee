"""Turn COCO-format detection annotations into questions about where objects are.

    seal data_builders/spatial annotations=instances_train2017.json images=train2017 \\
        out=data/records/spatial/train workers=8

"Is the dog on the left or right side of the bench?": both objects are the only ones of their class
in the image, both boxes are targets, and the answer is a full sentence. Pairs whose relation
somebody could argue about are not asked for (`min_gap`, `max_overlap`, `dominance`). Which object
is asked for, the form of the question and the order of the two choices are drawn, so that left and
right, above and below are equally often the answer.

The set does not depend on `workers`. A build that was stopped goes on where it was when the same
command is given again. report.html beside the records says what was dropped and shows samples.
"""

from __future__ import annotations

from seal.building.vqa_mixture.spatial import SpatialBuildConfig, build_spatial
from seal.schema import program


@program("build", SpatialBuildConfig)
def main(config: SpatialBuildConfig) -> None:
    records = build_spatial(config)
    print(f"{len(records)} records: {records.folder}")


if __name__ == "__main__":
    main()

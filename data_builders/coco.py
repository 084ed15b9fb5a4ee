"""Turn COCO-format detection annotations into search-model records.

    seal data_builders/coco annotations=instances_train2017.json images=train2017 \\
        out=data/records/coco/train workers=8

Every class of an image becomes an expression with all its boxes and the union of its masks;
`num_absent` classes that are not there are asked for as well. Objects365 and everything else in
COCO's form is read the same way (`source=objects365 masks=false`).

The set does not depend on `workers`. A build that was stopped goes on where it was when the same
command is given again. report.html beside the records says what was dropped and shows samples.
"""

from __future__ import annotations

from seal.building.coco import CocoBuildConfig, build_coco
from seal.schema import program


@program("build", CocoBuildConfig)
def main(config: CocoBuildConfig) -> None:
    records = build_coco(config)
    print(f"{len(records)} records: {records.folder}")


if __name__ == "__main__":
    main()

"""Turn COCO-Stuff into search-model records: things and stuff, with boxes and masks.

    seal data_builders/coco_stuff annotations=instances_train2017.json \\
        stuff=stuff_train2017.json maps=stuffthingmaps/train2017 images=train2017 \\
        out=data/records/coco_stuff/train workers=8

Boxes come from both annotation files, masks from the pixel maps. Classes merged of several, such
as `wall-brick`, keep their boxes and have no mask, and are not asked for as absent; nor is what
other classes consist of, such as `wood`. `sky-other` is called `sky`. At most `max_boxes` boxes a
class.

Without `annotations` and `stuff` the maps do alone, with the names of COCO-Stuff's labels.txt:

    seal data_builders/coco_stuff maps=stuffthingmaps/train2017 labels=labels.txt \\
        images=train2017 out=data/records/coco_stuff/train workers=8

A map does not tell instances apart, so classes then have masks and no box supervision (merged
classes have neither and are left out); absent ones are known absent.
"""

from __future__ import annotations

from seal.building.coco.stuff import CocoStuffBuildConfig, build_coco_stuff
from seal.schema import program


@program("build", CocoStuffBuildConfig)
def main(config: CocoStuffBuildConfig) -> None:
    records = build_coco_stuff(config)
    print(f"{len(records)} records: {records.folder}")


if __name__ == "__main__":
    main()

"""Turn Objects365 v2 into search-model records.

    seal data_builders/objects365 annotations=zhiyuan_objv2_train.json images=objects365/train \\
        out=data/records/objects365/train workers=8

Every class of an image becomes an expression with all its boxes, at most `max_boxes` of them, and
`num_absent` classes that are not there are asked for as well. Of a name with alternatives
(`Cabinet/shelf`) one is drawn. There are no masks.

Images are found as the file lists them (`images/v1/patch8/a.jpg`) or in any folder layout that is
a rest of that (`v1/patch8/a.jpg`, `patch8/a.jpg`, `a.jpg`); what is listed and not there is
skipped and counted. Every image is decoded once, which takes most of the time. Without that,
`check_images=false` believes names and sizes: for images that lie elsewhere, or were checked
before. Indexing takes two to four minutes and 1.1 GB of memory. The set does not depend on
`workers`.
"""

from __future__ import annotations

from seal.building.coco.objects365 import Objects365BuildConfig, build_objects365
from seal.schema import program


@program("build", Objects365BuildConfig)
def main(config: Objects365BuildConfig) -> None:
    records = build_objects365(config)
    print(f"{len(records)} records: {records.folder}")


if __name__ == "__main__":
    main()

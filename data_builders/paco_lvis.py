"""Turn PACO-LVIS into search-model records: objects and their parts, with boxes and masks.

    seal data_builders/paco_lvis annotations=paco_lvis_v1_train.json images=coco/train2017 \\
        out=data/records/paco_lvis/train workers=8

A part (`car_(automobile):headlight`) is asked for as `car headlight` or `the headlight of the
car`, half and half. All boxes of a class are kept.

LVIS did not look for every class in every image. What is asked for as absent therefore comes from
an image's `neg_category_ids`, the classes somebody found missing there (often fewer than
`num_absent`), and a class listed in `not_exhaustive_category_ids` is left out and counted:
boxes that are not annotated would teach that nothing is there. `incomplete=true` keeps it.

LVIS files are read as well (`source=lvis`); categories that differ only in the sense in brackets
are left out. Images are found by `file_name` or `coco_url`, with or without folders.
"""

from __future__ import annotations

from seal.building.coco.paco_lvis import PacoLvisBuildConfig, build_paco_lvis
from seal.schema import program


@program("build", PacoLvisBuildConfig)
def main(config: PacoLvisBuildConfig) -> None:
    records = build_paco_lvis(config)
    print(f"{len(records)} records: {records.folder}")


if __name__ == "__main__":
    main()

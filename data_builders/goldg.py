"""Turn GoldG, MDETR's annotations of captions, into search-model records.

    seal data_builders/goldg annotations=final_mixed_train.json images=grounding \\
        out=data/records/goldg_mixed/train workers=8
    seal data_builders/goldg annotations=final_flickr_separateGT_train.json images=grounding \\
        out=data/records/goldg_flickr/train workers=8

Each image entry (a caption of a photo) becomes a record. Each of its annotations is an expression
with one box: the words of the caption at its `tokens_positive`, joined by a space. Annotations
belong to the image entry of their own file whose id they name.

The mixed file has photos of COCO and of Visual Genome, and `images` is a folder above all of them:

    grounding/train2014/COCO_train2014_000000581857.jpg    or train2017/000000581857.jpg
    grounding/VG_100K/2334951.jpg, grounding/VG_100K_2/    or GQA/images/
    grounding/flickr30k-images/4886839805.jpg              or flickr30k/

Links serve where the folders lie apart. `images` may also be one of these folders itself; photos
of the other sources are then counted as missing.

The set does not depend on `workers`. A build that was stopped goes on where it was when the same
command is given again. report.html beside the records says what was dropped and shows samples.
"""

from __future__ import annotations

from seal.building.search_mixture.goldg import GoldgBuildConfig, build_goldg
from seal.schema import program


@program("build", GoldgBuildConfig)
def main(config: GoldgBuildConfig) -> None:
    records = build_goldg(config)
    print(f"{len(records)} records: {records.folder}")


if __name__ == "__main__":
    main()

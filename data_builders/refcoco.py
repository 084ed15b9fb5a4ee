"""Turn referring expressions (RefCLEF, RefCOCO, RefCOCO+, RefCOCOg) into search-model records.

    seal data_builders/refcoco annotations=refer/data/refcoco images=train2014 \\
        out=data/records/refcoco/train workers=8
    seal data_builders/refcoco annotations=refer/data/refcocog images=train2014 \\
        exclude=[refer/data/refcoco,refer/data/refcoco+] out=data/records/refcocog/train
    seal data_builders/refcoco annotations=refer/data/refclef images=saiapr_tc-12 \\
        out=data/records/refclef/train
    seal data_builders/refcoco annotations=refer/data/refcoco split=val images=train2014 \\
        out=data/records/refcoco/val

`annotations` is the folder of one dataset as the `refer` project hands it out, with
`instances.json` and `refs(unc).p` (RefCOCOg: `refs(umd).p`; `split_by=google` for the others).
The refs are a pickle: plain data is read from it, anything else is refused and never run. COCO
photos are found under their names of 2014 and of 2017, with or without the folder of a split.

Every image becomes a record, every sentence an expression with one box and one mask. A sentence
that is said of two objects of an image is dropped from a training split and kept in the others
(`ambiguous=keep|drop`). `split=train|val|test|testA|testB`, as far as the dataset has them; the
datasets share images, and `exclude` keeps those out that another one holds out.

The set does not depend on `workers`. A build that was stopped goes on where it was when the same
command is given again. report.html beside the records says what was dropped and shows samples.
"""

from __future__ import annotations

from seal.building.search_mixture.refcoco import RefcocoBuildConfig, build_refcoco
from seal.schema import program


@program("build", RefcocoBuildConfig)
def main(config: RefcocoBuildConfig) -> None:
    records = build_refcoco(config)
    print(f"{len(records)} records: {records.folder}")


if __name__ == "__main__":
    main()

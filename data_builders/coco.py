"""Turn COCO-format detection annotations into search-model records.

    seal data_builders/coco annotations=instances_train2017.json images=train2017 \\
        out=data/records/coco/train workers=8

Every class of an image becomes an expression with all its boxes and the union of its masks;
`num_absent` classes that are not there are asked for as well. Objects365, COCO-Stuff and
PACO-LVIS have builders of their own.

One's own data set, exported by any tool, is read the same way:
- ids may be numbers, texts or whole floats, and boxes texts; without `bbox` the box is that of
  the segmentation, and without `width` and `height` the size is that of the image;
- images are found by `file_name` as a path, a path of another machine, a URL or percent-encoded,
  with its folders or (if no two images share a name) without;
- names are taken as they are, in lower case; ids that share a name are one class; a class without
  annotations that only groups others (the dummy with id 0 of some exports) is dropped, as is one
  whose name holds no letter or digit;
- `ignore` is read like `iscrowd`: it is there, and is no single object;
- a photo under several ids is one image with the annotations of all of them;
- `masks=false` for boxes alone. A class with one missing mask in an image has none there.

Absence is taught only as presence is: an absent class has an empty mask only if the file has masks
of that class and every class shown in the image has its mask. A class that nobody annotated is
never said to be absent.

An image that a camera's EXIF tag turns, annotated as if it did not, is skipped and counted.
`exiftool -Orientation= -overwrite_original IMAGE` removes the tag: the pixels then lie as they
were annotated. `check_images=false` believes names and sizes and opens no image.

The set does not depend on `workers`. A build that was stopped goes on where it was when the same
command is given again. report.html beside the records says what was dropped and shows samples.
"""

from __future__ import annotations

from seal.building.coco.detection import CocoBuildConfig, build_coco
from seal.schema import program


@program("build", CocoBuildConfig)
def main(config: CocoBuildConfig) -> None:
    records = build_coco(config)
    print(f"{len(records)} records: {records.folder}")


if __name__ == "__main__":
    main()

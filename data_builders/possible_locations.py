"""Turn COCO annotations into questions about where an absent object would be, for the search model.

    seal data_builders/possible_locations annotations=instances_train2017.json \\
        captions=captions_train2017.json images=train2017 \\
        out=data/records/possible_locations/train \\
        clip=openai/clip-vit-large-patch14 device=cuda workers=8 \\
        language.kind=openai language.model=gpt-4o-mini

For each image, `per_image` objects are drawn that it does not show, by its captions neither, but
that one of its `neighbors` most similar images does. A language model reads the captions and the
names of the objects that are there, and says in at most ten words where the missing one would be.

Images are compared by CLIP: `clip=` a Hugging Face folder or hub id, or a model folder of ours,
whose features are kept in $SEAL_CACHE/features and gone on with when the build was stopped; or
`features=` a .npy file with a row for each image of the annotations. With `limit=` only the images
read are compared. `language.*` is as in data_builders/negative; its templates know a few kinds of
objects and places and are for trials.

The set does not depend on `workers`. report.html beside the records says what was dropped and shows
samples.
"""

from __future__ import annotations

from seal.building.search_mixture.possible_locations import (
    PossibleLocationsBuildConfig,
    build_possible_locations,
)
from seal.schema import program


@program("build", PossibleLocationsBuildConfig)
def main(config: PossibleLocationsBuildConfig) -> None:
    records = build_possible_locations(config)
    print(f"{len(records)} records: {records.folder}")


if __name__ == "__main__":
    main()

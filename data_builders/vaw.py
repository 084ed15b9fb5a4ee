"""Turn VAW attribute annotations into questions about one object of a Visual Genome image.

    seal data_builders/vaw annotations=train_part1.json also=[train_part2.json] \\
        attribute_types=attribute_types.json images=visual_genome out=data/records/vaw/train \\
        erasure.answers=seal erasure.model=models/vqa_7b workers=8

`images` holds VG_100K and VG_100K_2. Asked are what no other annotated object of the image shares
its name with: openly ("What is the color of the vase?"), with a choice between a positive and a
negative attribute, and with yes (a positive attribute) or no (a negative one). Types of attribute
that are a matter of taste or of a person's looks are left out (`types`). The sentences come from
templates, or from a language model (`language.kind=openai language.model=...`). With
`erasure.answers` a question is kept only if a VQA model answers it, and no longer does once the
object is painted over.

The set does not depend on `workers`. A build that was stopped goes on where it was when the same
command is given again. report.html beside the records says what was dropped and shows samples.
"""

from __future__ import annotations

from seal.building.vqa_mixture.vaw import VawBuildConfig, build_vaw
from seal.schema import program


@program("build", VawBuildConfig)
def main(config: VawBuildConfig) -> None:
    records = build_vaw(config)
    print(f"{len(records)} records: {records.folder}")


if __name__ == "__main__":
    main()

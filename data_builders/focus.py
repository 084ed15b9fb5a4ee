"""Turn LLaVA conversations into records that show crops of the objects they speak of.

    seal data_builders/focus llava=llava_instruct_150k.json annotations=instances_train2017.json \\
        images=train2017 out=data/records/focus/train workers=8

A noun phrase whose head is the name of a COCO category, or a synonym, makes the annotated object a
target if it can only mean that one: the only instance of its category, or all of them when the
phrase is a plural and they fit `max_targets`. Whatever is ambiguous is left out; a conversation
without any target is dropped. The crops stand before the first question.

The set does not depend on `workers`. A build that was stopped goes on where it was when the same
command is given again. report.html beside the records says what was dropped and shows samples.
"""

from __future__ import annotations

from seal.building.vqa_mixture.focus import FocusBuildConfig, build_focus
from seal.schema import program


@program("build", FocusBuildConfig)
def main(config: FocusBuildConfig) -> None:
    records = build_focus(config)
    print(f"{len(records)} records: {records.folder}")


if __name__ == "__main__":
    main()

"""Turn LLaVA-Instruct, or anything in its form, into chat records for both mixtures.

    seal data_builders/llava annotations=llava_instruct_80k.json images=train2017 \\
        out=data/records/llava/train workers=8

The file is a JSON list, or JSON lines, of `{id, image, conversations: [{from: human|gpt, value}]}`;
`messages: [{role, content}]` is read as well. Each entry becomes a record, `<image>` in front of
its first question. COCO photos are found under their names of 2014 and of 2017, with or without
the folder of a split; other photos lie where the entry says (`images` is then the folder above
`coco/`, `gqa/`, `vg/`, ...). Entries without an image are kept unless `text_only=false`.

Entries that training could not read are dropped and counted by reason: videos, audio and several
images, other speakers than two who alternate, marks of the models such as `</s>` in the text, a
first question beyond `max_question` characters. The search model reads 512 positions, so its
mixture needs the default; the VQA LLM reads 2048 and may have `max_question=4000`.

The set does not depend on `workers`. A build that was stopped goes on where it was when the same
command is given again. report.html beside the records says what was dropped and shows samples.
"""

from __future__ import annotations

from seal.building.vqa_mixture.llava import LlavaBuildConfig, build_llava
from seal.schema import program


@program("build", LlavaBuildConfig)
def main(config: LlavaBuildConfig) -> None:
    records = build_llava(config)
    print(f"{len(records)} records: {records.folder}")


if __name__ == "__main__":
    main()

"""Turn GQA questions into records that show crops of the objects they ask about.

    seal data_builders/gqa annotations=train_balanced_questions.json \\
        scene_graphs=train_sceneGraphs.json images=images out=data/records/gqa/train limit=300000 \\
        erasure.answers=seal erasure.model=models/vqa_7b workers=8

The scene-graph objects that a question names, with their boxes, are the targets. The short answer
becomes a full sentence: GQA's own (`language.kind=templates`, the default), or one that a language
model writes (`language.kind=openai language.model=...`). With `erasure.answers` a question is kept
only if a VQA model answers it, and no longer does once the objects are painted over.

Questions are read in an order drawn with the seed (`shuffle`), so that `limit` is a fair sample.
The set does not depend on `workers`. A build that was stopped goes on where it was when the same
command is given again. report.html beside the records says what was dropped and shows samples.
"""

from __future__ import annotations

from seal.building.vqa_mixture.gqa import GqaBuildConfig, build_gqa
from seal.schema import program


@program("build", GqaBuildConfig)
def main(config: GqaBuildConfig) -> None:
    records = build_gqa(config)
    print(f"{len(records)} records: {records.folder}")


if __name__ == "__main__":
    main()

"""Turn COCO annotations into questions that the VQA LLM must refuse: what they need is not seen.

    seal data_builders/negative annotations=instances_train2017.json images=train2017 \\
        out=data/records/negative/train workers=8 language.kind=openai language.model=gpt-4o-mini

One or two objects are drawn that are absent from the image, or whose every box is under `max_side`
pixels on both sides. A language model writes a question that needs them; the answer is the refusal
that lists all of them. `absent_share` and `two_share` say how often which is drawn. COCO does not
annotate everything: with `captions=captions_train2017.json`, what a caption names is not asked for.

`language.kind=templates`, the default, needs no network; `openai` asks any compatible endpoint
(`language.base_url=`, the key in the environment variable OPENAI_API_KEY), `local` a model of
`transformers` in this process. Every answer is kept in $SEAL_CACHE/language.sqlite, so that a build
that was stopped, and goes on with the same command, pays for none twice.

The set does not depend on `workers`. report.html beside the records says what was dropped and shows
samples.
"""

from __future__ import annotations

from seal.building.vqa_mixture.negative import NegativeBuildConfig, build_negative
from seal.schema import program


@program("build", NegativeBuildConfig)
def main(config: NegativeBuildConfig) -> None:
    records = build_negative(config)
    print(f"{len(records)} records: {records.folder}")


if __name__ == "__main__":
    main()

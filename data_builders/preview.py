"""Show samples of built record sets as training sees them: one page that needs no other file.

    seal data_builders/preview records=data/records/gqa/train out=gqa.html
    seal data_builders/preview records=data/records out=all.html count=4 model_folder=models/vsm
    seal data_builders/preview records=data/coco/train out=page.html grounding.max_expressions=0

Texts are the decoded tokens, what is learnt marked; pictures are what goes into the networks, boxes
and masks on the detector's. Tokenizer and sizes are those of `model_folder`; without it
those of the shipped miniature. `chat.*` and `grounding.*` are `data.chat.*` and `data.grounding.*`
of a training run.
"""

from __future__ import annotations

from seal.building.records.preview import PreviewConfig, write_preview
from seal.schema import program


@program("preview", PreviewConfig)
def main(config: PreviewConfig) -> None:
    print(f"{write_preview(config)} samples: {config.out}")


if __name__ == "__main__":
    main()

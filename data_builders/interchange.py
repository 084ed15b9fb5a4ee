"""Turn the authors' six files of the VQA mixture into record sets, and record sets into them.

    seal data_builders/interchange records=seal_vqa_data images=DATA out=data/records
    seal data_builders/interchange records=seal_vqa_data/GQA_data.json images=DATA out=data/records
    seal data_builders/interchange to=authors records=data/records/gqa out=theirs images=DATA

Their form is a JSON list of `{image, conversations: [{from, value}], search, target_instances:
[{name, bbox: x, y, width, height}]}`. Sets and files go by their names: negative (negative_data),
gqa (GQA_data), vaw (vaw_attribute_data), spatial (spatial_relation_data), llava
(llava_instruct_data), focus (llava_focus_data). `images` is the folder above coco2014/, coco2017/
and gqa/, as the paths in their files begin.

Both ways and back gives the same, but for what their form has no place for: source, licence and
provenance. Entries that cannot be a record (no image, a box outside it) are counted by reason and
left out; past `max_dropped` this fails.
"""

from __future__ import annotations

from seal.building.vqa_mixture.interchange import InterchangeConfig, interchange
from seal.schema import program


@program("interchange", InterchangeConfig)
def main(config: InterchangeConfig) -> None:
    print("\n".join(interchange(config)))


if __name__ == "__main__":
    main()

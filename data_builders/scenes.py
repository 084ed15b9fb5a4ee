"""Build the tiny world: the miniature's training sets and its held-out benchmark.

    seal data_builders/scenes out=data/miniature workers=2
    seal data_builders/scenes out=data/miniature only=[vsm] vsm=2000
    seal data_builders/scenes out=data/miniature only=[vqa_attributes]   # questions of vqa_instruct

Writes OUT/vqa_align, vqa_instruct, vqa_no_crops and vsm (record sets, each with a small one below
OUT/validation), OUT/benchmark in V*Bench's folder form, and OUT/benchmark_shuffled, the control in
which objects stand anywhere. No scene occurs in two of them. Deterministic for a seed, whatever
the number of workers; sets that are complete are kept.
"""

from __future__ import annotations

from seal.miniature.build import ScenesConfig, build_scenes
from seal.schema import program


@program("build", ScenesConfig)
def main(config: ScenesConfig) -> None:
    for name, count in build_scenes(config).items():
        print(f"{name}: {count}")


if __name__ == "__main__":
    main()

"""Pretrain the miniature's base models: small stand-ins for Vicuna, CLIP, OWL-ViT and LLaVA.

    seal train/base_models out=base            # about 65 minutes on one CPU core
    seal train/base_models out=base seed=901   # other weights and scenes

Writes OUT/vqa_base, OUT/vsm_base and OUT/avg_base; a killed run goes on behind the last part it
finished. Those in the package were made with these steps and seed; on another machine rounding
differs, so expect their quality and not their bytes. `seal demo --base OUT` starts from others.
"""

from __future__ import annotations

from seal.miniature.base_models import BaseModelsConfig, build_base_models
from seal.schema import program


@program("build", BaseModelsConfig)
def main(config: BaseModelsConfig) -> None:
    build_base_models(config)
    print(f"base models: {config.out}")


if __name__ == "__main__":
    main()

"""Others' names of the tensors, and ours: the only place that knows the former.

The authors' for released checkpoints; Hugging Face's for the public parts training begins from.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

LLAMA_NAMES = {
    "model.embed_tokens.": "llm.model.embed_tokens.",
    "model.layers.": "llm.model.layers.",
    "model.norm.": "llm.model.norm.",
    "lm_head.": "llm.lm_head.",
    "model.mm_projector.": "image_projector.",
}
# LLaVA-NeXT's, then AVG-LLaVA's.
NEWLINE_NAMES = {"model.image_newline": "image_newline"}
ROUTER_NAMES = {
    "model.router.merger.self_attn.in_proj_": "router.layer.in_proj.",
    "model.router.merger.self_attn.out_proj.": "router.layer.out_proj.",
    "model.router.merger.linear1.": "router.layer.linear1.",
    "model.router.merger.linear2.": "router.layer.linear2.",
    "model.router.merger.norm1.": "router.layer.norm1.",
    "model.router.merger.norm2.": "router.layer.norm2.",
    "model.router.router.": "router.token_scores.",
    "model.router.voter": "router.voter",
    "model.router.norm.": "router.norm.",
}
VSM_NAMES = LLAMA_NAMES | {
    "model.owlvit.": "detector.",
    "model.text_hidden_fcs_det.0.": "detection_query.",
    "model.text_hidden_fcs_seg.0.": "mask_query.",
    "model.visual_projection.": "mask_head.feature_projection.",
    "model.prompt_encoder.": "mask_head.prompt_encoder.",
    "model.mask_decoder.": "mask_head.mask_decoder.",
}
VQA_NAMES = LLAMA_NAMES | {"model.mm_projector_object.": "object_projector."}
# In the released VQA file, not in the released search model's: there CLIP is fetched apart.
TOWER_NAMES = {"model.vision_tower.vision_tower.": "vision_tower."}
# Public models that training begins from; keys that no rule covers (text encoders) are left out.
LLM_NAMES = LLAMA_NAMES  # of every family; the projector in LLaVA alone
ALIGNED_NAMES = {"llm.": "llm.", "image_projector.": "image_projector."}  # of a model of ours
CLIP_NAMES = {"vision_model.": "vision_tower.vision_model."}
TOWER_PREFIXES = {  # "": the tower saved alone
    "clip": ("vision_model.", ""),
    "siglip": ("vision_model.", ""),
    "dinov2": ("dinov2.", "dinov2_with_registers.", ""),
}
DETECTOR_NAMES = {  # behind what the family's backbone is called
    "layer_norm.": "detector.layer_norm.",
    "class_head.": "detector.class_head.",
    "box_head.": "detector.box_head.",
}
# Buffers of old versions of transformers; ours are computed, not loaded.
RECOMPUTED = (".rotary_emb.inv_freq", ".embeddings.position_ids")


def rename(keys: Iterable[str], names: Mapping[str, str]) -> dict[str, str]:
    """Map every key of the authors' to ours by its one prefix in `names`.

    The tower's rule counts in addition, and may stay unused.

    Raises:
        ValueError: a key that no rule, or more than one, covers; a rule of `names` no key used;
            two keys that get one name.
    """
    return _rename(keys, dict(names), optional=TOWER_NAMES)


def rename_back(keys: Iterable[str], names: Mapping[str, str]) -> dict[str, str]:
    """Map every key of ours to the authors'; raises as `rename` does."""
    return _rename(keys, _inverse(names), optional=_inverse(TOWER_NAMES))


def rename_part(keys: Iterable[str], names: Mapping[str, str]) -> dict[str, str]:
    """Map those keys of a public model that a rule of `names` covers."""
    return {
        key: ours + key[len(theirs) :]
        for key in keys
        for theirs, ours in names.items()
        if key.startswith(theirs) and not key.endswith(RECOMPUTED)
    }


def _inverse(names: Mapping[str, str]) -> dict[str, str]:
    return {ours: theirs for theirs, ours in names.items()}


def _rename(keys: Iterable[str], names: dict[str, str], optional: dict[str, str]) -> dict[str, str]:
    rules = names | optional
    renamed: dict[str, str] = {}
    unused = set(names)
    for key in keys:
        if key.endswith(RECOMPUTED):
            continue
        prefixes = [prefix for prefix in rules if key.startswith(prefix)]
        if len(prefixes) != 1:
            raise ValueError(f"{key}: expected one rule, {len(prefixes)} apply: {prefixes}")
        unused.discard(prefixes[0])
        renamed[key] = rules[prefixes[0]] + key[len(prefixes[0]) :]
    if unused:
        raise ValueError(
            f"no key begins with {', '.join(sorted(unused))}: not a checkpoint of this model"
        )
    if len(set(renamed.values())) != len(renamed):
        raise ValueError("two keys get the same name")
    return renamed

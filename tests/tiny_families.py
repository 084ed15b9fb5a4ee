"""Tiny random image-text models of many families, as folders that look like the hub's.

Config classes and processors are built here, the tokenizer is trained here: nothing is fetched. The
weights are drawn wide, so that logits differ by more than rounding does.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers as hf
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

TEXT = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 2048,
}
SMALL = {
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
}
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n"
    "{% if m['content'] is string %}{{ m['content'] }}{% else %}{% for c in m['content'] %}"
    "{% if c['type'] == 'image' %}IMAGE{% else %}{{ c['text'] }}{% endif %}"
    "{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# Pictures first, roles in capitals, a space behind the colon, the end of sequence behind answers.
ROLES = (
    "{% for m in messages %}{{ m['role'] | upper }}: "
    "{% for c in m['content'] %}{% if c['type'] == 'image' %}IMAGE\n{% endif %}{% endfor %}"
    "{% for c in m['content'] %}{% if c['type'] == 'text' %}{{ c['text'] }}{% endif %}{% endfor %}"
    "{% if m['role'] == 'assistant' %}<|endoftext|>{% else %} {% endif %}{% endfor %}"
    "{% if add_generation_prompt %}ASSISTANT:{% endif %}"
)
# Begins with its own beginning of sequence, and trims what it is given.
TURNS = (
    "{{ bos_token }}{% for m in messages %}<start_of_turn>"
    "{{ 'model' if m['role'] == 'assistant' else m['role'] }}\n{% for c in m['content'] %}"
    "{% if c['type'] == 'image' %}IMAGE{% else %}{{ c['text'] | trim }}{% endif %}{% endfor %}"
    "<end_of_turn>\n{% endfor %}{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)


def folder(family: str) -> Path:
    """A model folder of the family, made once; do not write into it."""
    return _made(family)


def missing(family: str) -> str:
    """Why a family cannot be had here, or nothing."""
    if family == "smolvlm" and importlib.util.find_spec("num2words") is None:
        return "SmolVLM's processor needs num2words"
    needed = {"gemma4": "Gemma4Processor"}.get(family, "Idefics3ImageProcessorPil")
    if family in ("idefics2", "idefics3", "smolvlm", "gemma4"):
        try:
            found = not getattr(getattr(hf, needed), "is_dummy", False)
        except ImportError:
            found = False
        if not found:
            return "this version of transformers wants torchvision for the family's processor"
    return ""


@functools.cache
def _made(family: str) -> Path:
    place = Path(tempfile.mkdtemp(prefix=f"tiny-{family}-"))
    torch.manual_seed(0)
    if family not in FAMILIES:
        from tiny_more_families import MORE

        FAMILIES.update(MORE)
    model = FAMILIES[family](place)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() > 1 and "norm" not in name:
                weight.normal_(std=0.25)
    model.generation_config.eos_token_id = _token(place, "<|endoftext|>")
    model.generation_config.pad_token_id = _token(place, "<|pad|>")
    model.save_pretrained(place)
    return place


def tokenizer(place: Path, tokens: list[str], **names: Any) -> Any:
    """A byte-level tokenizer with these control tokens, saved in `place`.

    names: what a processor asks it for, for example `image_token`.
    """
    text = "the red boat is most likely to appear on blue water, left or right of a mug. " * 4
    plain = Tokenizer(models.BPE())
    plain.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    plain.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    words = [text, "user assistant USER: ASSISTANT: Question: Short answer:"]
    plain.train_from_iterator(
        words, trainers.BpeTrainer(vocab_size=320, initial_alphabet=alphabet, show_progress=False)
    )
    made = hf.PreTrainedTokenizerFast(
        tokenizer_object=plain,
        bos_token="<s>",
        eos_token="<|endoftext|>",
        pad_token="<|pad|>",
        extra_special_tokens=names,
        padding_side="left",
    )
    made.add_special_tokens({"additional_special_tokens": tokens})
    made.save_pretrained(place)
    return made


def processor(place: Path, kind: str, images: Any, template: str, image: str, **own: Any) -> None:
    """Write what `AutoProcessor` looks for."""
    images.save_pretrained(place)
    (place / "processor_config.json").write_text(json.dumps({"processor_class": kind, **own}))
    (place / "chat_template.jinja").write_text(template.replace("IMAGE", image))


def _token(place: Path, token: str) -> int:
    return int(hf.AutoTokenizer.from_pretrained(place).convert_tokens_to_ids(token))


def _clip(size: int = 28) -> Any:
    return hf.CLIPVisionConfig(**SMALL, image_size=size, patch_size=7, projection_dim=16)


def _siglip(size: int = 28, patch: int = 7) -> Any:
    return hf.SiglipVisionConfig(**SMALL, image_size=size, patch_size=patch)


def _llama(made: Any, **more: Any) -> Any:
    return hf.LlamaConfig(**TEXT, vocab_size=len(made), **more)


def _qwen2(made: Any) -> Any:
    return hf.Qwen2Config(**TEXT, vocab_size=len(made))


def _llava(place: Path) -> Any:
    made = tokenizer(place, ["<image>"])
    image = made.convert_tokens_to_ids("<image>")
    images = hf.CLIPImageProcessorPil(
        size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28}
    )
    own = {
        "patch_size": 7,
        "vision_feature_select_strategy": "default",
        "num_additional_image_tokens": 1,
    }
    processor(place, "LlavaProcessor", images, ROLES, "<image>", **own)
    return hf.LlavaForConditionalGeneration(
        hf.LlavaConfig(
            vision_config=_clip(), text_config=_llama(made), image_token_index=image,
            vision_feature_layer=-2,
        )
    )  # fmt: skip


GRID = [[28, 56], [56, 28], [56, 56], [84, 28], [28, 84]]


def _llava_next(place: Path) -> Any:
    made = tokenizer(place, ["<image>"])
    image = made.convert_tokens_to_ids("<image>")
    images = hf.LlavaNextImageProcessorPil(
        size={"shortest_edge": 28},
        crop_size={"height": 28, "width": 28},
        image_grid_pinpoints=GRID,
    )
    own = {
        "patch_size": 7,
        "vision_feature_select_strategy": "default",
        "num_additional_image_tokens": 1,
    }
    processor(place, "LlavaNextProcessor", images, ROLES, "<image>", **own)
    return hf.LlavaNextForConditionalGeneration(
        hf.LlavaNextConfig(
            vision_config=_clip(), text_config=_llama(made), image_token_index=image,
            image_grid_pinpoints=GRID,
        )
    )  # fmt: skip


def _llava_onevision(place: Path) -> Any:
    made = tokenizer(place, ["<|im_start|>", "<|im_end|>", "<image>", "<video>"])
    image, video = made.convert_tokens_to_ids(["<image>", "<video>"])
    images = hf.LlavaOnevisionImageProcessorPil(
        size={"height": 28, "width": 28}, image_grid_pinpoints=GRID
    )
    own = {"num_image_tokens": 16, "vision_feature_select_strategy": "full"}
    processor(place, "LlavaOnevisionProcessor", images, CHATML, "<image>\n", **own)
    return hf.LlavaOnevisionForConditionalGeneration(
        hf.LlavaOnevisionConfig(
            vision_config=_siglip(), text_config=_qwen2(made), image_token_index=image,
            video_token_index=video, image_grid_pinpoints=GRID,
        )
    )  # fmt: skip


QWEN = ["<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>"]
QWEN += ["<|image_pad|>", "<|video_pad|>"]
QWEN_IMAGE = "<|vision_start|><|image_pad|><|vision_end|>"


def qwen_tokens(made: Any) -> dict[str, int]:
    names = ("vision_start", "vision_end", "image", "video")
    return {
        f"{name}_token_id": made.convert_tokens_to_ids(token)
        for name, token in zip(names, QWEN[2:], strict=True)
    }


def _qwen2_5_vl(place: Path) -> Any:
    made = tokenizer(place, QWEN)
    images = hf.Qwen2VLImageProcessorPil(
        size={"shortest_edge": 4 * 28 * 28, "longest_edge": 16 * 28 * 28}
    )
    processor(place, "Qwen2_5_VLProcessor", images, CHATML, QWEN_IMAGE)
    rope = {"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 10000.0}
    return hf.Qwen2_5_VLForConditionalGeneration(
        hf.Qwen2_5_VLConfig(
            text_config={**TEXT, "vocab_size": len(made), "rope_parameters": rope},
            vision_config={
                "depth": 2, "hidden_size": 16, "intermediate_size": 24, "num_heads": 2,
                "out_hidden_size": 32, "fullatt_block_indexes": [1], "window_size": 56,
            },
            **qwen_tokens(made),
        )
    )  # fmt: skip


def _qwen3_images() -> Any:
    return hf.Qwen2VLImageProcessorPil(
        size={"shortest_edge": 4 * 32 * 32, "longest_edge": 16 * 32 * 32}, patch_size=16
    )


QWEN3_TOWER = {
    "depth": 2,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_heads": 2,
    "out_hidden_size": 32,
    "num_position_embeddings": 64,
}


def _qwen3_vl(place: Path) -> Any:
    made = tokenizer(place, QWEN)
    processor(place, "Qwen3VLProcessor", _qwen3_images(), CHATML, QWEN_IMAGE)
    rope = {"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 10000.0}
    return hf.Qwen3VLForConditionalGeneration(
        hf.Qwen3VLConfig(
            text_config={**TEXT, "head_dim": 8, "vocab_size": len(made), "rope_parameters": rope},
            vision_config={**QWEN3_TOWER, "deepstack_visual_indexes": [0, 1]},
            **qwen_tokens(made),
        )
    )


def _qwen3_5(place: Path) -> Any:
    """Every other layer is linear attention, which keeps a state and no keys."""
    made = tokenizer(place, QWEN)
    processor(place, "Qwen3VLProcessor", _qwen3_images(), CHATML, QWEN_IMAGE)
    rope = {
        "rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 10000.0,
        "partial_rotary_factor": 1.0,
    }  # fmt: skip
    linear = {
        "layer_types": ["linear_attention", "full_attention"],
        "linear_key_head_dim": 8, "linear_value_head_dim": 8,
        "linear_num_key_heads": 2, "linear_num_value_heads": 4,
    }  # fmt: skip
    text = {**TEXT, **linear, "head_dim": 8, "vocab_size": len(made), "rope_parameters": rope}
    return hf.Qwen3_5ForConditionalGeneration(
        hf.Qwen3_5Config(text_config=text, vision_config=QWEN3_TOWER, **qwen_tokens(made))
    )


def _internvl(place: Path) -> Any:
    names = {
        "start_image_token": "<img>", "end_image_token": "</img>",
        "context_image_token": "<IMG_CONTEXT>", "video_token": "<video>",
    }  # fmt: skip
    made = tokenizer(place, ["<|im_start|>", "<|im_end|>", *names.values()], **names)
    images = hf.GotOcr2ImageProcessorPil(
        size={"height": 28, "width": 28}, crop_to_patches=True, max_patches=4
    )
    processor(place, "InternVLProcessor", images, CHATML, "<IMG_CONTEXT>\n", image_seq_length=4)
    tower = hf.InternVLVisionConfig(**SMALL, image_size=[28, 28], patch_size=[7, 7])
    return hf.InternVLForConditionalGeneration(
        hf.InternVLConfig(
            vision_config=tower, text_config=_qwen2(made), image_seq_length=4,
            image_token_id=made.convert_tokens_to_ids("<IMG_CONTEXT>"), tie_word_embeddings=False,
        )
    )  # fmt: skip


def _idefics(place: Path, kind: str, images: Any, config: Any, model: Any) -> Any:
    tokens = ["<image>", "<fake_token_around_image>", "<global-img>", "<end_of_utterance>"]
    tokens += [f"<row_{r}_col_{c}>" for r in range(1, 5) for c in range(1, 5)]
    made = tokenizer(place, tokens)
    processor(place, kind, images, ROLES, "<image>", image_seq_len=4)
    text = _llama(made, pad_token_id=made.pad_token_id)
    vision = {**SMALL, "image_size": 28, "patch_size": 7}
    return model(
        config(
            vision_config=vision, text_config=text, scale_factor=2,
            image_token_id=made.convert_tokens_to_ids("<image>"),
        )
    )  # fmt: skip


def _idefics3(place: Path) -> Any:
    images = hf.Idefics3ImageProcessorPil(
        size={"longest_edge": 56}, max_image_size={"longest_edge": 28}
    )
    model = hf.Idefics3ForConditionalGeneration
    return _idefics(place, "Idefics3Processor", images, hf.Idefics3Config, model)


def _smolvlm(place: Path) -> Any:
    images = hf.SmolVLMImageProcessorPil(
        size={"longest_edge": 56}, max_image_size={"longest_edge": 28}
    )
    model = hf.SmolVLMForConditionalGeneration
    return _idefics(place, "SmolVLMProcessor", images, hf.SmolVLMConfig, model)


def _gemma3(place: Path) -> Any:
    """Pictures attend within themselves both ways; every other layer sees 16 tokens back."""
    names = {
        "boi_token": "<start_of_image>", "eoi_token": "<end_of_image>",
        "image_token": "<image_soft_token>",
    }  # fmt: skip
    made = tokenizer(place, ["<start_of_turn>", "<end_of_turn>", *names.values()], **names)
    images = hf.Gemma3ImageProcessorPil(size={"height": 28, "width": 28})
    processor(place, "Gemma3Processor", images, TURNS, "<start_of_image>", image_seq_length=4)
    layers = ["sliding_attention", "full_attention"]
    text = {**TEXT, "head_dim": 8, "vocab_size": len(made), "sliding_window": 16}
    boi, eoi, image = made.convert_tokens_to_ids(list(names.values()))
    return hf.Gemma3ForConditionalGeneration(
        hf.Gemma3Config(
            text_config={**text, "layer_types": layers, "query_pre_attn_scalar": 8},
            vision_config={**SMALL, "image_size": 28, "patch_size": 7, "vision_use_head": False},
            mm_tokens_per_image=4, boi_token_index=boi, eoi_token_index=eoi,
            image_token_index=image,
        )
    )  # fmt: skip


def _instructblip(place: Path) -> Any:
    made = tokenizer(place, ["<image>"])
    made.save_pretrained(place / "qformer_tokenizer")
    images = hf.BlipImageProcessorPil(size={"height": 28, "width": 28})
    processor(place, "InstructBlipProcessor", images, "", "", num_query_tokens=4)
    (place / "chat_template.jinja").unlink()
    blocks = {**SMALL, "num_hidden_layers": 2, "encoder_hidden_size": 16}
    return hf.InstructBlipForConditionalGeneration(
        hf.InstructBlipConfig(
            vision_config={**SMALL, "image_size": 28, "patch_size": 7},
            qformer_config={
                **blocks, "vocab_size": len(made), "max_position_embeddings": 64,
                "cross_attention_frequency": 1,
            },
            text_config=_llama(made).to_dict(),
            num_query_tokens=4,
            image_token_index=made.convert_tokens_to_ids("<image>"),
        )
    )  # fmt: skip


FAMILIES: dict[str, Callable[[Path], Any]] = {
    "llava": _llava,
    "llava_next": _llava_next,
    "llava_onevision": _llava_onevision,
    "qwen2_5_vl": _qwen2_5_vl,
    "qwen3_vl": _qwen3_vl,
    "qwen3_5": _qwen3_5,
    "internvl": _internvl,
    "idefics3": _idefics3,
    "smolvlm": _smolvlm,
    "gemma3": _gemma3,
    "instructblip": _instructblip,
}

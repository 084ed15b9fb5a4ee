"""A model and the tokenizer beside it must agree: ids, the end of an answer, SEAL's own tokens."""

from __future__ import annotations

from seal.models.vqa import VQAModelConfig
from seal.models.vsm import VSMModelConfig
from seal.text.tokenize import Tokenizer
from seal.text.tokens import IMAGE_END_TOKEN, IMAGE_START_TOKEN, LOC_TOKEN


def require_tokenizer_fits(tokenizer: Tokenizer, config: VQAModelConfig | VSMModelConfig) -> None:
    """Refuse another model's tokenizer, or one of which a part is missing.

    Without its added tokens it would spell them in pieces, and the answers would make no sense.

    Raises:
        ValueError: ids without embeddings, no `[LOC]` for a search model, another end of sequence.
    """
    folder, llm = tokenizer.folder, config.llm
    if tokenizer.vocab_size > llm.vocab_size:
        raise ValueError(
            f"{folder}: the tokenizer has {tokenizer.vocab_size} tokens, the model "
            f"{llm.vocab_size}; are these files of one model?"
        )
    needed = (IMAGE_START_TOKEN, IMAGE_END_TOKEN, LOC_TOKEN)
    lost = [token for token in needed if token not in tokenizer]
    if lost and isinstance(config, VSMModelConfig):
        raise ValueError(
            f"{folder}: the tokenizer has no {', '.join(lost)}; the folder lacks "
            "added_tokens.json or holds another model's: fetch it again, or make one with "
            "eval/convert"
        )
    if llm.eos_token_id not in tokenizer.stop_ids:
        raise ValueError(
            f"{folder}: an answer ends with one of the ids {sorted(tokenizer.stop_ids)}, but the "
            f"model's eos_token_id is {llm.eos_token_id}; set llm.eos_token_id={tokenizer.eos_id}"
        )

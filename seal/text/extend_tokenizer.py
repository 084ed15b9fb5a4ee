"""Make a tokenizer folder from another: with tokens behind its vocabulary, or a chat template."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from tokenizers import AddedToken
from tokenizers import Tokenizer as Backend

from seal.files.plain_text import read_text
from seal.text.json_tokenizer import JsonTokenizer
from seal.text.tokenize import Tokenizer, load_tokenizer
from seal.text.tokenizer_files import (
    ADDED_FILE,
    CHAT_FILE,
    JSON_FILE,
    copy_tokenizer,
    read_object,
)


def extend_tokenizer(
    source: Path | str,
    out: Path | str,
    tokens: Sequence[str] = (),
    *,
    chat_template: Path | str | None = None,
) -> Tokenizer:
    """Write the folder `out`: the tokenizer of `source` and `tokens`, those it has left aside.

    They get the ids behind its largest one, in order, and stand for themselves wherever they are
    in a text. What need not change is copied byte for byte.

    Args:
        chat_template: a file (Jinja) that takes the place of the source's.

    Raises:
        ValueError: `source` holds no tokenizer, or sentencepiece alone and is to get a chat
            template, or `chat_template` cannot be read.
    """
    source, out = Path(source), Path(out)
    tokenizer = load_tokenizer(source)
    out.mkdir(parents=True, exist_ok=True)
    copy_tokenizer(source, out)
    if chat_template is not None:
        if not (source / JSON_FILE).is_file():
            raise ValueError(
                f"{source} has no {JSON_FILE}, whose control tokens a chat template is written "
                "in; use prompt_style=vicuna, or a tokenizer folder that has it"
            )
        try:
            (out / CHAT_FILE).write_text(read_text(chat_template), encoding="utf-8")
        except ValueError as error:
            raise ValueError(f"chat_template={error}") from error
        tokenizer = load_tokenizer(out)  # of another kind now, if the source has both files
    new = [token for token in tokens if token not in tokenizer]
    if not new:
        return load_tokenizer(out)
    if isinstance(tokenizer, JsonTokenizer):
        backend = Backend.from_file(str(out / JSON_FILE))
        backend.add_tokens([AddedToken(token, normalized=False) for token in new])
        backend.save(str(out / JSON_FILE))
    else:
        ids = {token: tokenizer.vocab_size + place for place, token in enumerate(new)}
        whole = read_object(out / ADDED_FILE) | ids
        (out / ADDED_FILE).write_text(json.dumps(whole, indent=2) + "\n", encoding="utf-8")
    return load_tokenizer(out)

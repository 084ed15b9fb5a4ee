"""Make a tokenizer folder from another: with tokens behind its vocabulary, or a chat template."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from tokenizers import AddedToken
from tokenizers import Tokenizer as Backend

from seal.text.json_tokenizer import JsonTokenizer
from seal.text.tokenize import Tokenizer, load_tokenizer
from seal.text.tokenizer_files import (
    ADDED_FILE,
    CHAT_FILE,
    JSON_FILE,
    TOKENIZER_FILES,
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
    for name in TOKENIZER_FILES:
        if (source / name).exists():
            shutil.copyfile(source / name, out / name)
    new = [token for token in tokens if token not in tokenizer]
    is_json = isinstance(tokenizer, JsonTokenizer)
    if chat_template is not None:
        if not (source / JSON_FILE).is_file():
            raise ValueError(
                f"{source} has no {JSON_FILE}, whose control tokens a chat template is written "
                "in; use prompt_style=vicuna, or a tokenizer folder that has it"
            )
        (out / CHAT_FILE).write_text(_read(Path(chat_template)), encoding="utf-8")
        is_json = True
    if not new:
        return load_tokenizer(out)
    if is_json:
        backend = Backend.from_file(str(out / JSON_FILE))
        backend.add_tokens([AddedToken(token, normalized=False) for token in new])
        backend.save(str(out / JSON_FILE))
    else:
        ids = {token: tokenizer.vocab_size + place for place, token in enumerate(new)}
        whole = read_object(out / ADDED_FILE) | ids
        (out / ADDED_FILE).write_text(json.dumps(whole, indent=2) + "\n", encoding="utf-8")
    return load_tokenizer(out)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"chat_template={path} cannot be read: {error}") from error

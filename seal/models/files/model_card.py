"""The model card of a folder: README.md with what the hub reads, told from the folder itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from seal.files.fingerprint import TRAINING_FILE
from seal.models.files.model_config import CONFIG_FILE, read_json_object

CARD_FILE = "README.md"
MARK = (
    "<!-- Written by seal from config.json and training.json. Without this line, the file is "
    "yours: seal keeps it as it is. -->"
)
_PAPER = "https://arxiv.org/abs/2312.14135"
_CITATION = """\
```bibtex
@inproceedings{wu2024vstar,
  title     = {V*: Guided Visual Search as a Core Mechanism in Multimodal LLMs},
  author    = {Wu, Penghao and Xie, Saining},
  booktitle = {IEEE/CVF Conference on Computer Vision and Pattern Recognition (CVPR)},
  year      = {2024}
}
```"""
_TAGS = {"VQAModel": "image-text-to-text", "VSM": "zero-shot-object-detection"}
_WHAT = {
    "VQAModel": "answers questions about images, and says which objects it cannot see well enough. "
    "SEAL then searches for them and asks it again with what was found.",
    "VSM": "finds a named thing in an image: boxes, a heat map, and in words where the thing "
    "would be expected. SEAL searches high-resolution images with it.",
}
_LOAD = {
    "VQAModel": """\
```python
from seal import Seal

seal = Seal.from_pretrained(vqa="{name}", vsm="A SEARCH MODEL")
print(seal.ask("photo.jpg", "What color is the mug?"))
```

```sh
seal ask photo.jpg "What color is the mug?" --vqa {name} --vsm "A SEARCH MODEL"
```""",
    "VSM": """\
```python
from seal import Seal

seal = Seal.from_pretrained(vqa=None, vsm="{name}")
print(seal.locate("photo.jpg", "the boat").boxes)
```

```sh
seal locate photo.jpg "the boat" --vsm {name}
```""",
}


def folder_card(folder: Path, name: str | None = None) -> str:
    """The card of a model folder of ours; `name`: what it is loaded by (some path).

    Raises:
        ValueError: it has no config.json, or one of these files is damaged.
    """
    facts = folder / TRAINING_FILE
    return model_card(
        read_json_object(folder / CONFIG_FILE),
        public_facts(read_json_object(facts)) if facts.is_file() else {},
        name or f"path/to/{folder.name}",
    )


def model_card(config: Mapping[str, Any], facts: Mapping[str, Any], name: str) -> str:
    """README.md.

    Args:
        config: config.json.
        facts: training.json, without what is nobody's business (`public_facts`); {}: not known.
        name: the hub id or the folder.
    """
    kind, preset = str(config["model_class"]), str(config.get("preset") or "")
    experiment = str(facts.get("experiment") or "miniature")
    small = preset.endswith("miniature") and experiment.endswith("miniature")
    head: dict[str, Any] = {
        "license": "mit" if small else "other",
        **({} if small else {"license_name": "of-the-base-model-and-the-data"}),
        "library_name": "seal",
        "pipeline_tag": _TAGS[kind],
        "language": ["en"],
        "tags": ["seal", "v-star", "visual-search", "high-resolution"],
    }
    base = str(facts.get("initialized_from") or "")
    if _is_hub_id(base):
        head["base_model"] = base
    parts = [
        f"---\n{yaml.safe_dump(head, sort_keys=False).strip()}\n---",
        MARK,
        f"# {name}",
        f"{'The VQA LLM' if kind == 'VQAModel' else 'The visual search model'} of SEAL / V\\* "
        f"([paper]({_PAPER})), as `seal` trains it. It {_WHAT[kind]}",
        "## Load it",
        _LOAD[kind].format(name=name),
        "## What it is",
        _table(_sizes(config)),
        "## How it was trained",
        _training(facts),
        "## Limits",
        _limits(kind, small),
        "## License",
        "MIT, like the code."
        if small
        else "The code is MIT. The weights follow the license of the base model and of the data "
        "they were trained on; whoever shares them names it here.",
        "## Cite",
        _CITATION,
    ]
    return "\n\n".join(parts) + "\n"


def own_card(folder: Path) -> bytes | None:
    """The README.md of `folder` if somebody wrote it, and not seal; None: there is none such."""
    path = folder / CARD_FILE
    content = path.read_bytes() if path.is_file() else MARK.encode()
    return None if MARK.encode() in content else content


def public_facts(facts: Mapping[str, Any]) -> dict[str, Any]:
    """training.json for others to read: absolute paths lose the folders of this machine.

    `/home/me/project/runs/align/model` becomes `.../align/model`. Everything else is as it was.
    """
    return {key: _public(value) for key, value in facts.items()}


def _public(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _public(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_public(item) for item in value]
    if isinstance(value, str | Path) and str(value).startswith(("/", "~")):
        parts = PurePosixPath(value).parts[1:]
        # The first two are a disk or a home, which often has a person's name.
        return "/".join(["...", *parts[2:][-2:]])
    return str(value) if isinstance(value, Path) else value


def _is_hub_id(name: str) -> bool:
    return name.count("/") == 1 and not name.startswith((".", "/")) and not Path(name).exists()


def _sizes(config: Mapping[str, Any]) -> dict[str, str]:
    llm, vision = config["llm"], config.get("vision") or config["clip"]  # as earlier files have it
    rows = {
        "preset": str(config.get("preset") or "(own sizes)"),
        "language model": f"{llm['architecture']}, {llm['num_hidden_layers']} layers of width "
        f"{llm['hidden_size']}, {llm['max_position_embeddings']} positions",
        "vision tower": f"{vision.get('family', 'clip')}, {vision['num_hidden_layers']} layers, "
        f"images of {vision['image_size']} pixels in patches of {vision['patch_size']}",
    }
    for key, told in (
        ("projector", "projector"), ("token_policy", "visual tokens"), ("prompt_style", "prompts"),
    ):  # fmt: skip
        if config.get(key):
            rows[told] = str(config[key])
    return rows


def _training(facts: Mapping[str, Any]) -> str:
    if not facts:
        return "The folder does not say (it holds no training.json)."
    versions = ", ".join(f"{name} {of}" for name, of in facts.get("versions", {}).items())
    given = {
        "experiment": facts.get("experiment"),
        "optimizer steps": facts.get("steps"),
        "samples seen": facts.get("samples"),
        "seed": facts.get("seed"),
        "begun from": facts.get("initialized_from"),
        "code": facts.get("git_revision"),
        "versions": versions,
    }
    told = _table({key: str(value) for key, value in given.items() if value not in (None, "")})
    records = facts.get("records") or {}
    if records:
        lines = ["| records | folder | number | sha256 |", "|---|---|---|---|"]
        for name, of in records.items():
            digests = ", ".join(str(digest)[:12] for digest in of.get("sha256", []))
            lines.append(
                f"| {name} | {of.get('folder', '')} | {of.get('records', '')} | {digests} |"
            )
        told += "\n\n" + "\n".join(lines)
    return (
        f"{told}\n\nEvery setting is in {TRAINING_FILE}. No result is stored with the model: "
        "`seal eval/benchmark` and `seal eval/search` measure it."
    )


def _table(rows: Mapping[str, str]) -> str:
    return "\n".join(["| | |", "|---|---|", *(f"| {key} | {of} |" for key, of in rows.items())])


def _limits(kind: str, small: bool) -> str:
    if small:
        return (
            "A miniature of about a million weights, for tests and demonstrations: it knows the "
            "drawn scenes of seal's own small world and nothing else. On photographs its output "
            "means nothing."
        )
    wrong = (
        "answers can be wrong with any confidence, and follow the biases of the base model"
        if kind == "VQAModel"
        else "boxes can be wrong with any confidence, and a thing it does not find may be there"
    )
    return (
        f"Its {wrong} and of the data. It was not tested for decisions about people, nor for any "
        "use where a mistake is dangerous."
    )

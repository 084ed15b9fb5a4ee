"""Convert models between their authors' layouts, ours, and the public parts training begins from.

    seal eval/convert source=craigwu/seal_vqa_7b out=models/vqa
    seal eval/convert source=craigwu/seal_vsm_7b clip=openai/clip-vit-large-patch14 out=models/vsm
    seal eval/convert source=zhibinlan/AVG-LLaVA out=models/avg
    seal eval/convert source=runs/vsm_7b/model out=for_their_code to=authors
    seal eval/convert model=vqa_7b llm=vicuna-7b-v1.3 vision=clip-vit-large-patch14 \\
        tokenizer=vicuna-7b-v1.3 out=models/vqa_base_7b
    seal eval/convert model=vsm_7b check=keys.json
    seal eval/convert source=runs/vsm_7b/model upload=me/my-search-model

`source` is a folder or a hub id; released checkpoints also load as they are, without conversion:
SEAL's two, LLaVA-NeXT and AVG-LLaVA. AVG-LLaVA brings the quirks it was trained with,
`tiles.unpad=as_released` and `router.attends=tiles`. `to=authors` writes the layout that the model
is of, and refuses settings that the code behind it cannot be told. The released search model holds
no CLIP tower: `clip` names it. The fifth line makes what training begins from; `vision` is a tower
of the family that model.vision names (CLIP, SigLIP, DINOv2). With `model.llm=null` the language
model's sizes are those of `llm`, which may be any decoder of a family known here, a LLaVA, or a
model folder of ours, whose image projector is then taken as well. A search model needs `detector`
too; its tokenizer gets `[LOC]` and the marks around an image. Where the sizes have
`prompt_style: chat`, turns are written as the tokenizer's own chat template has it, or the one in
the file `chat_template`. `check` compares a JSON object of tensor names and shapes with the model,
loads nothing, and fails unless each has exactly one home (of a list of AVG-LLaVA's:
`model=avg_7b +model.router.attends=tiles`). `upload` puts a model folder of ours on the hub
(`private=false` for everybody to see).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from seal.failure import FailedError
from seal.files.plain_text import read_json_file
from seal.inference.hub import model_folder, upload_folder
from seal.models.files.authors import write_authors
from seal.models.files.key_report import KeyReport, compare_keys
from seal.models.files.load import load_model, parameter_table
from seal.models.files.public_parts import from_parts, llm_sizes
from seal.models.files.save import save_model
from seal.models.files.tokenizer_fit import require_tokenizer_fits
from seal.models.vqa import VQAModelConfig
from seal.models.vsm import VSMModelConfig
from seal.schema import from_dict, program
from seal.text.chat_template import choose_template
from seal.text.extend_tokenizer import extend_tokenizer
from seal.text.tokenize import load_tokenizer
from seal.text.tokens import SEARCH_TOKENS


@dataclass(kw_only=True, slots=True)
class ConvertRun:
    model: Any = None  # of conf/model, e.g. vqa_7b: the sizes of what parts make, or to check
    source: str | None = None  # the authors' folder or ours, or a hub id
    llm: str | None = None  # parts, instead of a source: a decoder, LLaVA, or a model of ours
    vision: str | None = None  # CLIP, SigLIP or DINOv2, as model.vision.family says
    clip: str | None = None  # the tower of a released search model; with parts, another `vision`
    detector: str | None = None  # OWL-ViT
    tokenizer: str | None = None  # whose files go along; None: the source's
    chat_template: str | None = None  # a file (Jinja) that goes along with parts
    out: str | None = None
    to: str = "ours"  # ours | authors: SEAL's, or LLaVA's of a model without a resampler
    check: str | None = None  # a JSON file of tensor names and shapes
    upload: str | None = None  # owner/name on the hub
    private: bool = True  # the repository that `upload` makes
    seed: int = 0  # of what parts do not hold

    def __post_init__(self) -> None:
        if self.to not in ("ours", "authors"):
            raise ValueError(f"to={self.to!r}; known: ours, authors")
        if self.to == "authors" and self.source is None:
            raise ValueError("to=authors needs source=, a model folder of ours")
        if self.model is None and (self.llm is not None or self.check is not None):
            raise ValueError("model= names the sizes that are meant, e.g. model=vqa_7b")
        if self.check is not None:
            return
        if self.out is None and self.upload is None:
            raise ValueError("set out= to the folder to write, or upload= to a name on the hub")
        if self.chat_template is not None and self.llm is None:
            raise ValueError(f"chat_template={self.chat_template} goes with parts: set llm=")
        if (self.source is None) == (self.llm is None):
            raise ValueError("set either source= or llm= (with the other parts)")
        if self.vision is not None and (self.clip is not None or self.llm is None):
            raise ValueError(
                f"vision={self.vision} is a part beside llm=, and clip= another name of it: set one"
            )

    @property
    def kind(self) -> type[VQAModelConfig | VSMModelConfig]:
        return VSMModelConfig if "detector" in self.model else VQAModelConfig

    def sizes(self) -> VQAModelConfig | VSMModelConfig:
        return from_dict(self.kind, self.model)

    def sizes_of_parts(self, llm: Path, num_tokens: int) -> VQAModelConfig | VSMModelConfig:
        """With model.llm=null the language model's own, and rows for all tokens."""
        if self.model.get("llm") is not None:
            return self.sizes()
        told = llm_sizes(llm)
        told.vocab_size = max(told.vocab_size, num_tokens)
        others = {key: value for key, value in self.model.items() if key != "llm"}
        return replace(from_dict(self.kind, others), llm=told)


@program("convert", ConvertRun)
def main(run: ConvertRun) -> None:
    if run.check is not None:
        return check(run.sizes(), Path(run.check))
    source = None if run.source is None else model_folder(run.source)
    if run.out is not None:
        convert(run, source)
        print(f"{run.source or run.llm} -> {run.out}")
    if run.upload is not None:
        folder = Path(run.out) if run.out is not None else source
        assert folder is not None
        print(upload_folder(folder, run.upload, private=run.private))


def convert(run: ConvertRun, source: Path | None) -> None:
    assert run.out is not None
    named_tower = run.vision or run.clip
    if source is None and named_tower is None:
        raise ValueError("vision= names the folder of the vision tower, which parts need")
    named = run.tokenizer or source or run.llm
    assert named is not None
    tokenizer = model_folder(named)
    # What it lacks is told before anything large is read.
    if source is not None:
        load_tokenizer(tokenizer)
    tower = None if named_tower is None else model_folder(named_tower)
    if source is not None:
        model = load_model(source, keep_dtype=True, clip=tower)
        if run.to == "authors":
            write_authors(run.out, model, tokenizer)
        else:
            save_model(run.out, model, tokenizer)
    else:
        assert run.llm is not None and tower is not None
        parts = {"llm": model_folder(run.llm), "vision": tower}
        detector = None if run.detector is None else model_folder(run.detector)
        with TemporaryDirectory() as made:
            sizes = _add_tokenizer(run, parts["llm"], tokenizer, Path(made))
            model = from_parts(sizes, **parts, detector=detector, seed=run.seed)
            save_model(run.out, model, made)


def _add_tokenizer(
    run: ConvertRun, llm: Path, source: Path, out: Path
) -> VQAModelConfig | VSMModelConfig:
    """Write the tokenizer of a model of parts: what it needs is added, what does not fit is told.

    Returns the sizes of the model.
    """
    is_vsm = run.kind is VSMModelConfig
    try:
        tokenizer = extend_tokenizer(
            source, out, SEARCH_TOKENS if is_vsm else (), chat_template=run.chat_template
        )
        sizes = run.sizes_of_parts(llm, tokenizer.vocab_size)
        require_tokenizer_fits(tokenizer, sizes)
        choose_template(tokenizer, "vsm" if is_vsm else "vqa", sizes.prompt_style)
    except ValueError as error:
        # `out` is gone when this is read; what to mend lies in `source`.
        raise ValueError(str(error).replace(str(out), str(source))) from error
    return sizes


def check(config: VQAModelConfig | VSMModelConfig, path: Path) -> None:
    """Print where every tensor goes and the model's parts; nothing is allocated."""
    with torch.device("meta"):
        model = config.build()
    report = compare_keys(model, read_shapes(path))
    for name, count, _ in parameter_table(model):
        print(f"{name:<20}{count:>16,}")
    print("\n".join(report_lines(report)))
    if not report.fits:
        raise FailedError(f"{path} does not fit the model")


def read_shapes(path: Path) -> dict[str, list[int]]:
    if not path.is_file():
        raise ValueError(
            f"check={path} does not exist: name a JSON file of tensor names and shapes"
        )
    content = read_json_file(path)
    if not isinstance(content, dict) or not all(
        isinstance(shape, list) and all(isinstance(size, int) for size in shape)
        for shape in content.values()
    ):
        raise ValueError(f"{path}: expected an object of tensor names and shapes")
    return content


def report_lines(report: KeyReport) -> list[str]:
    lines = [f"mapped      {report.mapped:>6}", f"recomputed  {report.recomputed:>6}"]
    if report.apart:
        lines.append(f"from CLIP   {report.apart:>6}  (the file has no tower)")
    for name in ("reshaped", "unmapped", "unfilled"):
        keys = getattr(report, name)
        lines.append(f"{name:<12}{len(keys):>6}")
        lines += [f"  {key}" for key in keys[:20]]
        lines += [f"  and {len(keys) - 20} more"] * (len(keys) > 20)
    return lines


if __name__ == "__main__":
    main()

"""What both mixtures are built from: files, official addresses, sizes, checksums, terms, layouts.

Only what could be verified stands here; a size or checksum that is None is unknown. Sizes and
checksums are of the archive, as its host or several mirrors of it give them.
"""

from __future__ import annotations

from dataclasses import dataclass

GROUPS = ("vqa", "vsm", "alignment", "weights", "authors")
NEEDED = ("vqa", "vsm", "alignment", "weights")  # what is asked for when nothing is named

_COCO = "http://images.cocodataset.org"
_STUFF = "http://calvin.inf.ed.ac.uk/wp-content/uploads/data/cocostuffdataset"
_OBJECTS = (
    "https://dorc.ks3-cn-beijing.ksyun.com/data-set/2020Objects365%E6%95%B0%E6%8D%AE%E9%9B%86/train"
)
# The university's own server is gone; the Internet Archive holds its files.
_REFER = "https://bvisionweb1.cs.unc.edu/licheng/referit/data"
_ARCHIVE = "https://web.archive.org/web"
_GQA = "https://downloads.cs.stanford.edu/nlp/data/gqa"
_VG = "https://cs.stanford.edu/people/rak248/VG_100K_2"
_VAW = "https://raw.githubusercontent.com/adobe-research/vaw_dataset/main/data"
_FLICKR_TERMS = "photos under their Flickr terms"


@dataclass(frozen=True, slots=True)
class Download:
    """One address."""

    url: str
    size: int | None = None  # bytes; None: unknown
    checksum: str | None = None  # md5:HEX or sha256:HEX; None: none known
    # Below the data folder: where an archive is unpacked, or the folder a plain file is put in.
    folder: str = ""
    unpack: bool = True  # False: the file itself is wanted


@dataclass(frozen=True, slots=True)
class Hub:
    """Files of a repository on the Hugging Face hub; its client resumes and verifies."""

    repository: str
    folder: str  # below the data folder
    patterns: tuple[str, ...]
    dataset: bool = True  # False: a model


@dataclass(frozen=True, slots=True)
class Item:
    """A file or folder that builders read."""

    name: str
    layouts: tuple[str, ...]  # where it may lie below the data folder; the first is where we put it
    files: int | None = None  # a complete folder holds at least so many; None: unknown
    downloads: tuple[Download, ...] = ()
    hub: Hub | None = None
    instead: str = ""  # what to do where nothing can be fetched
    about: str = ""  # size of what is fetched, where no exact one is known


@dataclass(frozen=True, slots=True)
class Source:
    """What comes from one place."""

    name: str
    title: str
    groups: tuple[str, ...]
    license: str
    builders: str  # the programs that read it
    items: tuple[Item, ...]
    # Terms beyond attribution: fetched only where the source is named in `only`.
    terms: str = ""


def _refer(name: str, split: str, stamp: str) -> Source:
    """A data set of the `refer` collection: boxes and masks, and the pickle of expressions."""
    folders = (f"refer/{name}", f"refer_seg/{name}", name, f"data/{name}")
    archive = Download(f"{_ARCHIVE}/{stamp}/{_REFER}/{name}.zip", folder="refer")
    return Source(
        name,
        {"refcoco": "RefCOCO", "refcoco+": "RefCOCO+", "refcocog": "RefCOCOg"}.get(name, "RefCLEF"),
        ("vsm",),
        "unknown (the collection's code is Apache-2.0)",
        "refcoco",
        (
            Item("instances.json", _in(folders, "instances.json"), downloads=(archive,)),
            Item(f"refs({split}).p", _in(folders, f"refs({split}).p"), downloads=(archive,)),
        ),
    )


def _in(folders: tuple[str, ...], name: str) -> tuple[str, ...]:
    return tuple(f"{folder}/{name}" for folder in folders)


_COCO_FOLDERS = ("coco", "coco2017", "dataset/coco", "playground/data/coco")
_COCO_ANNOTATIONS = (
    "coco/annotations",
    "coco2017/annotations",
    "annotations",
    "dataset/coco/annotations",
    "playground/data/coco/annotations",
)
_COCO_ZIP = Download(
    f"{_COCO}/annotations/annotations_trainval2017.zip",
    252_907_541,
    "md5:f4bbac642086de4f52a3fdda2de5fa2c",
    "coco",
)
_STUFF_ZIP = Download(
    f"{_COCO}/annotations/stuff_annotations_trainval2017.zip",
    1_148_688_564,
    "md5:2a27c15a2dfcbd2e1c9276dc23cac101",
    "cocostuff",
)
_PACO_ZIP = Download(
    "https://dl.fbaipublicfiles.com/paco/annotations/paco_lvis_v1.zip",
    None,
    "sha256:02ac4edb22c251e07853e6231d69aec3fad0a180f03de2f8c880650322debc80",
    "paco/annotations",
)
_MDETR_TAR = Download(
    "https://zenodo.org/record/4729015/files/mdetr_annotations.tar.gz", folder="goldg"
)
_GOLDG_FOLDERS = ("goldg/OpenSource", "goldg", "mdetr_annotations", "MixedGrounding")

SOURCES: tuple[Source, ...] = (
    Source(
        "coco",
        "COCO 2017 train",
        ("vqa", "vsm"),
        f"CC BY 4.0 (annotations), {_FLICKR_TERMS}",
        "coco, negative, spatial, llava, focus, possible_locations, coco_stuff, paco_lvis",
        (
            Item(
                "train2017 images",
                (
                    *_in(_COCO_FOLDERS, "train2017"),
                    "train2017",
                    "coco/images/train2017",
                    "coco2017/images/train2017",
                ),
                files=118_287,
                downloads=(
                    Download(
                        f"{_COCO}/zips/train2017.zip",
                        19_336_861_798,
                        "md5:cced6f7f71b7629ddf16f17bbcfab6b2",
                        "coco",
                    ),
                ),
            ),
            *(
                Item(name, _in(_COCO_ANNOTATIONS, name), downloads=(_COCO_ZIP,))
                for name in ("instances_train2017.json", "captions_train2017.json")
            ),
        ),
    ),
    Source(
        "coco_stuff",
        "COCO-Stuff",
        ("vsm",),
        "CC BY 4.0 (annotations)",
        "coco_stuff",
        (
            Item(
                "stuff_train2017.json",
                _in(
                    ("cocostuff/annotations", *_COCO_ANNOTATIONS, "dataset/cocostuff/annotations"),
                    "stuff_train2017.json",
                ),
                downloads=(_STUFF_ZIP,),
            ),
            Item(
                "train2017 maps",
                (
                    "cocostuff/train2017",
                    "dataset/cocostuff/train2017",
                    "coco/stuffthingmaps/train2017",
                    "stuffthingmaps/train2017",
                ),
                files=118_287,
                downloads=(
                    Download(f"{_STUFF}/stuffthingmaps_trainval2017.zip", folder="cocostuff"),
                ),
            ),
        ),
    ),
    Source(
        "objects365",
        "Objects365 v2",
        ("vsm",),
        "see https://www.objects365.org",
        "objects365",
        (
            Item(
                "zhiyuan_objv2_train.json",
                _in(
                    ("objects365", "objects365/annotations", "object365", "Objects365"),
                    "zhiyuan_objv2_train.json",
                ),
                downloads=(
                    Download(f"{_OBJECTS}/zhiyuan_objv2_train.tar.gz", folder="objects365"),
                ),
                about="1.3 GB, 2 GB unpacked",
            ),
            Item(
                "train images",
                # File names in the annotations begin at `images`.
                (
                    "objects365/images",
                    "object365/images",
                    "objects365/train/images",
                    "objects365/train",
                    "Objects365/images",
                ),
                files=1_600_000,
                downloads=tuple(
                    Download(
                        f"{_OBJECTS}/patch{patch}.tar.gz",
                        folder=f"objects365/images/v{1 if patch < 16 else 2}",
                    )
                    for patch in range(51)
                ),
                about="51 archives, 350 GB",
            ),
        ),
        terms="academic research; the terms are on https://www.objects365.org",
    ),
    Source(
        "paco_lvis",
        "PACO-LVIS",
        ("vsm",),
        "unknown (its repository is MIT)",
        "paco_lvis",
        (
            Item(
                "paco_lvis_v1_train.json",
                _in(
                    (
                        "paco/annotations",
                        "paco/annotations/paco_lvis_v1",
                        "vlpart/paco/annotations",
                        "dataset/vlpart/paco/annotations",
                        "paco",
                    ),
                    "paco_lvis_v1_train.json",
                ),
                downloads=(_PACO_ZIP,),
            ),
        ),
    ),
    _refer("refcoco", "unc", "20220413011718"),
    _refer("refcoco+", "unc", "20220413011656"),
    _refer("refcocog", "umd", "20220413012904"),
    _refer("refclef", "unc", "20220413011817"),
    Source(
        "saiapr",
        "SAIAPR TC-12 images of RefCLEF",
        ("vsm",),
        "unknown",
        "refcoco",
        (
            Item(
                "saiapr_tc-12",
                _in(("refer/images", "refer_seg/images", "data/images", "images"), "saiapr_tc-12"),
                files=19_997,
                downloads=(
                    Download(
                        f"{_ARCHIVE}/20220515000000/"
                        "http://bvisionweb1.cs.unc.edu/licheng/referit/data/images/saiapr_tc-12.zip",
                        folder="refer/images",
                    ),
                ),
            ),
        ),
    ),
    Source(
        "coco2014",
        "COCO 2014 train",
        ("vqa", "vsm"),
        f"CC BY 4.0 (annotations), {_FLICKR_TERMS}",
        "refcoco, goldg",
        (
            Item(
                "train2014 images",
                (
                    "coco/train2014",
                    "coco2014/train2014",
                    "train2014",
                    "refer_seg/images/mscoco/images/train2014",
                    "coco/images/train2014",
                    "images/train2014",
                ),
                files=82_783,
                downloads=(
                    Download(
                        f"{_COCO}/zips/train2014.zip",
                        13_510_573_713,
                        "md5:0da8cfa0e090c266b78f30e2d2874f1a",
                        "coco",
                    ),
                ),
            ),
        ),
    ),
    Source(
        "goldg",
        "GoldG, MDETR's annotations",
        ("vsm",),
        "see https://zenodo.org/record/4729015",
        "goldg",
        tuple(
            Item(name, _in(_GOLDG_FOLDERS, name), downloads=(_MDETR_TAR,))
            for name in ("final_mixed_train.json", "final_flickr_separateGT_train.json")
        ),
    ),
    Source(
        "flickr30k",
        "Flickr30k images",
        ("vsm",),
        "non-commercial research and education",
        "goldg",
        (
            Item(
                "flickr30k-images",
                (
                    "flickr30k/flickr30k-images",
                    "flickr30k-images",
                    "MixedGrounding/flickr30k-images",
                    "flickr30k/flickr30k_images",
                    "flickr30k/images",
                ),
                files=29_783,  # of the 31 783, those of the train split
                instead="ask for them with the form at https://forms.illinois.edu/sec/229675; a "
                "link comes by mail. Unpack flickr30k-images.tar.gz so that its photos lie in "
                "flickr30k/flickr30k-images",
                about="4.4 GB",
            ),
        ),
    ),
    Source(
        "vg",
        "Visual Genome images",
        ("vqa", "vsm"),
        "CC BY 4.0",
        "vaw, goldg",
        (
            Item(
                "VG_100K",
                _in(("vg", "VG", "visual_genome", "playground/data/vg"), "VG_100K"),
                downloads=(Download(f"{_VG}/images.zip", 9_731_705_982, folder="vg"),),
            ),
            Item(
                "VG_100K_2",
                _in(("vg", "VG", "visual_genome", "playground/data/vg"), "VG_100K_2"),
                downloads=(Download(f"{_VG}/images2.zip", 5_471_658_058, folder="vg"),),
            ),
        ),
    ),
    Source(
        "gqa",
        "GQA",
        ("vqa", "vsm"),
        "CC BY 4.0",
        "gqa, goldg",
        (
            Item(
                "train_balanced_questions.json",
                _in(
                    ("gqa/questions", "gqa", "GQA", "GQA/questions", "gqa/questions1.2"),
                    "train_balanced_questions.json",
                ),
                downloads=(Download(f"{_GQA}/questions1.2.zip", folder="gqa/questions"),),
                about="1.4 GB",
            ),
            Item(
                "train_sceneGraphs.json",
                _in(("gqa/sceneGraphs", "gqa", "GQA", "GQA/sceneGraphs"), "train_sceneGraphs.json"),
                downloads=(Download(f"{_GQA}/sceneGraphs.zip", folder="gqa/sceneGraphs"),),
                about="43 MB",
            ),
            Item(
                "images",
                _in(("gqa", "GQA", "playground/data/gqa", "MixedGrounding/GQA"), "images"),
                files=148_854,
                downloads=(Download(f"{_GQA}/images.zip", 21_817_965_542, folder="gqa"),),
            ),
        ),
    ),
    Source(
        "vaw",
        "Visual Attributes in the Wild",
        ("vqa",),
        "Adobe Research License",
        "vaw",
        tuple(
            Item(
                name,
                _in(("vaw", "VAW", "vaw/data", "vaw_dataset/data"), name),
                downloads=(Download(f"{_VAW}/{name}", folder="vaw", unpack=False),),
            )
            for name in ("train_part1.json", "train_part2.json", "attribute_types.json")
        ),
        terms="non-commercial research only; the licence is in "
        "https://github.com/adobe-research/vaw_dataset/blob/main/LICENSE.md",
    ),
    Source(
        "llava",
        "LLaVA-Instruct-80K",
        ("vqa", "vsm"),
        "CC BY 4.0 on the hub, CC BY-NC 4.0 in its repository; OpenAI's terms for its models",
        "llava, focus",
        (
            Item(
                "llava_instruct_80k.json",
                _in(
                    (
                        "llava",
                        "vsm_vqa_data",
                        "llava_dataset",
                        "dataset/llava_dataset",
                        "playground/data",
                        "dataset/vsm_vqa_data",
                    ),
                    "llava_instruct_80k.json",
                ),
                hub=Hub("liuhaotian/LLaVA-Instruct-150K", "llava", ("llava_instruct_80k.json",)),
                about="131 MB",
            ),
        ),
    ),
    Source(
        "llava_pretrain",
        "LAION/CC/SBU captions for the alignment, 558K",
        ("alignment",),
        "that of CC-3M, LAION and SBU",
        "llava",
        (
            Item(
                "blip_laion_cc_sbu_558k.json",
                _in(
                    ("llava_pretrain", "LLaVA-Pretrain", "playground/data/LLaVA-Pretrain"),
                    "blip_laion_cc_sbu_558k.json",
                ),
                hub=Hub(
                    "liuhaotian/LLaVA-Pretrain", "llava_pretrain", ("blip_laion_cc_sbu_558k.json",)
                ),
                about="181 MB",
            ),
            Item(
                "images",
                _in(
                    ("llava_pretrain", "LLaVA-Pretrain", "playground/data/LLaVA-Pretrain"), "images"
                ),
                files=550_000,
                downloads=(
                    Download(
                        "https://huggingface.co/datasets/liuhaotian/LLaVA-Pretrain/resolve/main/"
                        "images.zip",
                        folder="llava_pretrain/images",
                    ),
                ),
                about="27 GB",
            ),
        ),
    ),
    Source(
        "clip",
        "CLIP ViT-L/14",
        ("weights",),
        "unknown (its code is MIT)",
        "eval/convert; possible_locations",
        (
            Item(
                "weights",
                (
                    "weights/clip-vit-large-patch14/model.safetensors",
                    "clip-vit-large-patch14/model.safetensors",
                ),
                hub=Hub(
                    "openai/clip-vit-large-patch14",
                    "weights/clip-vit-large-patch14",
                    ("*.json", "*.txt", "model.safetensors"),
                    dataset=False,
                ),
            ),
        ),
    ),
    Source(
        "owlvit",
        "OWL-ViT B/16",
        ("weights",),
        "Apache-2.0",
        "eval/convert",
        (
            Item(
                "weights",
                ("weights/owlvit-base-patch16/config.json", "owlvit-base-patch16/config.json"),
                hub=Hub(
                    "google/owlvit-base-patch16",
                    "weights/owlvit-base-patch16",
                    ("*.json", "*.txt", "*.safetensors", "pytorch_model.bin"),
                    dataset=False,
                ),
            ),
        ),
    ),
    Source(
        "vicuna",
        "Vicuna-7B v1.3",
        ("weights",),
        "LLaMA's, non-commercial",
        "eval/convert",
        (
            Item(
                "weights",
                _in(("weights/vicuna-7b-v1.3", "vicuna-7b-v1.3"), "pytorch_model.bin.index.json"),
                hub=Hub(
                    "lmsys/vicuna-7b-v1.3",
                    "weights/vicuna-7b-v1.3",
                    ("*.json", "*.bin", "tokenizer.model"),
                    dataset=False,
                ),
                about="13.5 GB",
            ),
        ),
        terms="LLaMA's licence holds: https://huggingface.co/lmsys/vicuna-7b-v1.3",
    ),
    Source(
        "llava_weights",
        "LLaVA-7B v1.1",
        ("weights",),
        "LLaMA's, non-commercial (the delta is Apache-2.0)",
        "eval/convert",
        (
            Item(
                "weights",
                _in(("weights/LLaVA-7B-Lightening-v1-1", "LLaVA-Lightning-7B-v1-1"), "config.json"),
                instead="what is published is a difference to LLaMA-7B "
                "(liuhaotian/LLaVA-Lightning-7B-delta-v1-1 on the hub): ask Meta for LLaMA-7B and "
                "apply it as LLaVA's model zoo says; or, under the same licence, hf download "
                "mmaaz60/LLaVA-7B-Lightening-v1-1 --local-dir weights/LLaVA-7B-Lightening-v1-1",
            ),
        ),
    ),
    Source(
        "seal_vqa_data",
        "the authors' VQA mixture, six files",
        ("authors",),
        "unknown",
        "interchange",
        tuple(
            Item(
                f"{name}.json",
                _in(("seal_vqa_data",), f"{name}.json"),
                hub=Hub("craigwu/seal_vqa_data", "seal_vqa_data", (f"{name}.json",)),
                about=size,
            )
            for name, size in (
                ("negative_data", "47 MB"),
                ("GQA_data", "27 MB"),
                ("vaw_attribute_data", "23 MB"),
                ("spatial_relation_data", "25 MB"),
                ("llava_instruct_data", "115 MB"),
                ("llava_focus_data", "74 MB"),
            )
        ),
    ),
    Source(
        "vsm_vqa_data",
        "the authors' possible locations",
        ("authors",),
        "unknown",
        "llava",
        (
            Item(
                "possible_locations_conv_86k.json",
                _in(("vsm_vqa_data", "dataset/vsm_vqa_data"), "possible_locations_conv_86k.json"),
                hub=Hub(
                    "craigwu/vsm_vqa_data", "vsm_vqa_data", ("possible_locations_conv_86k.json",)
                ),
                about="40 MB",
            ),
        ),
    ),
    *(
        Source(
            name,
            title,
            ("authors",),
            "LLaMA's, non-commercial",
            "eval/convert",
            (
                Item(
                    "weights",
                    (f"weights/{name}/config.json", f"{name}/config.json"),
                    hub=Hub(
                        f"craigwu/{name}",
                        f"weights/{name}",
                        ("*.json", "*.bin", "*.safetensors", "*.model"),
                        dataset=False,
                    ),
                ),
            ),
        )
        for name, title in (
            ("seal_vqa_7b", "the authors' VQA LLM"),
            ("seal_vsm_7b", "the authors' search model"),
        )
    ),
)

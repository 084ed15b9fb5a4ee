"""What a training program is told: which model, from where, on what data, trained how."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from seal.data.chat import ChatConfig
from seal.data.grounding import GroundingConfig
from seal.data.mixture import MixtureConfig
from seal.losses.granularity import GranularityLoss, RouterLoss, RouterLossConfig
from seal.losses.vqa import VQALoss
from seal.losses.vsm import VSMLoss, VSMLossConfig
from seal.models.files.adapter import is_adapter
from seal.models.files.load import load_model
from seal.models.files.tokenizer_fit import require_tokenizer_fits
from seal.models.fit.lora import LoraConfig
from seal.models.parts.router import RouterConfig
from seal.models.vlm import VLM
from seal.models.vqa import (
    LEVEL_STAGES,
    STAGES,
    GranularityConfig,
    VQAModel,
    VQAModelConfig,
)
from seal.models.vsm import VSM, VSMModelConfig
from seal.text.tokenize import Tokenizer
from seal.text.tokens import VisualSizes
from seal.tiling import UNPADS
from seal.training.assemble import (
    UNPAD,
    TrainingData,
    agreed_sizes,
    build_with_adapters,
    open_data,
    resolve_folder,
)
from seal.training.config import TrainConfig
from seal.training.distributed import World
from seal.training.smoke import write_smoke_data


@dataclass(kw_only=True, slots=True)
class PathsConfig:
    """Where things lie."""

    runs: str = "runs"  # a run writes to runs/RUN_NAME
    records: str = "data/records"  # built record sets
    models: str = "models"  # base models


@dataclass(kw_only=True, slots=True)
class Run:
    """What both programs share."""

    run_name: str  # the folder below paths.runs; the same name continues the same run
    experiment: str | None = None  # the recipe that was chosen; the programs fill it in
    init_from: str | None = None  # a model folder, or miniature://NAME; None: random weights
    tokenizer: str | None = None  # a tokenizer folder; None: the one in init_from
    lora: LoraConfig | None = None  # None: no adapters
    init_adapter: str | None = None  # adapter folder over init_from; what it holds trains on
    quantization: str | None = None  # int8 | nf4: of the frozen LLM under LoRA (QLoRA)
    train: TrainConfig
    deepspeed: dict[str, Any] = field(default_factory=dict)  # the DeepSpeed document
    paths: PathsConfig = field(default_factory=PathsConfig)
    protocol: str = "default"  # default | as_released; conf/protocol sets what the word means
    smoke_data: bool = False  # first write a few records and a tokenizer to runs/RUN_NAME/smoke
    seed: int = 0
    dry_run: bool = False  # show what would be trained, and on what, then stop

    @property
    def folder(self) -> Path:
        """Where everything of this run is written."""
        return Path(self.paths.runs) / self.run_name

    @property
    def tokenizer_folder(self) -> Path:
        """Where the tokenizer's files lie; they are copied beside the trained model."""
        name = self.tokenizer or self.init_from
        if name is None:
            raise ValueError("set init_from to a model folder, or tokenizer to a tokenizer folder")
        return resolve_folder(name)

    def prepare(self, world: World | None = None) -> None:
        """Make what the run needs and can make itself; the first process does it for all."""
        if self.smoke_data and (world is None or world.is_main):
            write_smoke_data(self.folder / "smoke")
        if world is not None:
            world.barrier()

    def load_base(self) -> VLM:
        """The model in `init_from`, in the precision the run computes in."""
        assert self.init_from is not None
        # Packed where they are used: `Module.to` would leave the scales of 8-bit weights behind.
        packed_on_gpu = self.quantization is not None and torch.cuda.is_available()
        return load_model(
            resolve_folder(self.init_from),
            device="cuda" if packed_on_gpu else "cpu",  # the one `distributed` chose
            dtype=torch.bfloat16 if self.train.bf16 else torch.float32,
            quantization=self.quantization,
        )

    def _require_padded(self, why: str) -> None:
        if self.train.batching != "padded":
            raise ValueError(
                f"{why} leaves positions out of attention, which packed rows cannot: set "
                "train.batching=padded"
            )

    def _check_adapters(self) -> None:
        if self.quantization is not None and self.init_from is None:
            raise ValueError(
                f"quantization={self.quantization} packs weights that are read: set init_from to "
                "the model folder they are in, or quantization=null"
            )
        if self.quantization is not None and self.lora is None:
            raise ValueError(
                f"quantization={self.quantization} freezes the LLM: set lora as well (QLoRA), "
                f"or quantization=null"
            )
        if self.init_from is not None and is_adapter(self.init_from):
            raise ValueError(
                f"init_from={self.init_from} holds adapters alone: set init_adapter to it, and "
                "init_from to their base model"
            )
        if self.init_adapter is not None and (self.init_from is None or self.lora is None):
            missing = (
                "init_from to its base model" if self.init_from is None else "lora to its kind"
            )
            raise ValueError(
                f"init_adapter={self.init_adapter} holds adapters alone: set {missing} as well"
            )

    def _check_compile(self) -> None:
        stage = int(self.deepspeed.get("zero_optimization", {}).get("stage", 0))
        if self.train.compile and stage == 3:
            raise ValueError(
                "train.compile=true does not work under ZeRO-3, which gathers each layer's weights "
                "in the middle of what is compiled: use deepspeed=zero2, or train.compile=false"
            )


@dataclass(kw_only=True, slots=True)
class VQADataConfig:
    """The VQA LLM's records."""

    train: MixtureConfig
    validation: MixtureConfig | None = None
    chat: ChatConfig = field(default_factory=ChatConfig)


@dataclass(kw_only=True, slots=True)
class VQARun(Run):
    """What conf/train_vqa.yaml says."""

    # align_linear | align_resampler | instruct | granularity | router: what is trained
    stage: str
    model: VQAModelConfig | None = None  # sizes; None: those of init_from
    # What the model of init_from may lack; None: its own, or where a stage needs them the standard
    # ones. A router is added by stage=router, drawn from the seed.
    granularity: GranularityConfig | None = None
    router: RouterConfig | None = None
    # tile | as_released: what is cut off tiles that hold padding; None: as the model has it. Of all
    # tokens both cut the same, so that a LLaVA-NeXT may go on either way.
    unpad: str | None = None
    train_vision_tower: bool = False  # else it is frozen
    router_loss: RouterLossConfig = field(default_factory=RouterLossConfig)  # of stage=router
    data: VQADataConfig

    def __post_init__(self) -> None:
        if self.stage not in STAGES:
            raise ValueError(f"stage={self.stage!r} is none of {', '.join(STAGES)}")
        self._check_adapters()
        self._check_compile()
        if self.data.chat.object_slots == "padded":
            self._require_padded("data.chat.object_slots=padded")
        if self.unpad not in (None, *UNPADS):
            raise ValueError(f"unpad={self.unpad!r} is none of {', '.join(UNPADS)}")
        if self.stage == "router" and self.lora is not None:
            raise ValueError(
                "stage=router trains the router alone, by what the finished model says: set "
                "lora=null, and init_from to a model whose adapters are merged (train/export)"
            )
        if self.stage == "router" and self.train_vision_tower:
            raise ValueError("stage=router trains the router alone: set train_vision_tower=false")

    def model_config(self) -> VQAModelConfig:
        """Every size of the model."""
        config: VQAModelConfig = agreed_sizes(
            self.model,
            self.init_from,
            VQAModelConfig,
            adapter=self.init_adapter,
            chosen=() if self.unpad is None else (UNPAD,),
        )
        granularity = self.granularity or config.granularity
        if granularity is None and self.stage in LEVEL_STAGES:
            granularity = GranularityConfig.standard(config.vision)
        router = config.router
        if self.stage == "router":
            if router is not None and self.router not in (None, router):
                raise ValueError(
                    f"router={self.router}, but the model has one already: {router}; set "
                    "router=null to train that one on"
                )
            router = router or self.router or RouterConfig()
        policy = config.token_policy
        if self.stage in LEVEL_STAGES:  # as the model is trained, so it is read
            policy = self.data.chat.token_policy
        tiles = config.tiles
        if self.unpad is not None:
            if tiles is None:
                raise ValueError(
                    f"unpad={self.unpad} is of a model that reads tiles, and this one has none: "
                    "set unpad=null"
                )
            tiles = replace(tiles, unpad=self.unpad)
        return replace(
            config, tiles=tiles, granularity=granularity, router=router, token_policy=policy
        )

    def build_model(self, *, weights: bool = True) -> VQAModel:
        """The model with what is trained marked; without weights, on the current device."""
        config = self.model_config()

        def mark(model: VLM) -> None:
            assert isinstance(model, VQAModel)
            model.add_levels(config)
            model.set_trainable(self.stage, vision_tower=self.train_vision_tower)
            model.dropout_seed = self.seed
            model.config.token_policy, model.config.tiles = config.token_policy, config.tiles

        model = build_with_adapters(
            self.load_base if weights and self.init_from is not None else config.build,
            mark,
            lora=self.lora,
            train=self.train,
            seed=self.seed,
            adapter=self.init_adapter if weights else None,
        )
        assert isinstance(model, VQAModel)
        return model

    def criterion(self) -> VQALoss | GranularityLoss | RouterLoss:
        """The losses."""
        if self.stage == "router":
            return self.router_loss.build()
        granularity = self.model_config().granularity
        if self.stage == "granularity" and granularity is not None:
            kept = self.data.chat.kept_policy is not None
            return GranularityLoss(granularity.levels, kept_policy=kept)
        return VQALoss()

    def build_data(self, tokenizer: Tokenizer, *, index: bool = False) -> TrainingData:
        """Open the record sets; with `index`, make what tells the lengths of their records."""
        config = self.model_config()
        require_tokenizer_fits(tokenizer, config)
        make = partial(
            self.data.chat.build,
            tokenizer=tokenizer,
            image_size=config.vision.image_size,
            sizes=config.visual_sizes,
            background=config.vision.normalization.background,
            prompt_style=config.prompt_style,
            tiles=config.tiles,
            levels=() if config.granularity is None else config.granularity.levels,
            rows=self.stage if self.stage in LEVEL_STAGES else "one",
        )
        return open_data(
            self.data.train,
            self.data.validation,
            make,
            root=Path(self.paths.records),
            seed=self.seed,
            tokenizer=tokenizer,
            positions=self.data.chat.positions,
            pack=self.train.batching == "packed",
            lengths=self.folder / "lengths" if index else None,
            workers=self.train.workers,
        )


@dataclass(kw_only=True, slots=True)
class VSMDataConfig:
    """The search model's records."""

    train: MixtureConfig
    validation: MixtureConfig | None = None
    grounding: GroundingConfig = field(default_factory=GroundingConfig)


@dataclass(kw_only=True, slots=True)
class VSMRun(Run):
    """What conf/train_vsm.yaml says."""

    model: VSMModelConfig | None = None  # sizes; None: those of init_from
    data: VSMDataConfig
    loss: VSMLossConfig = field(default_factory=VSMLossConfig)
    train_box_head: bool = False  # the paper freezes it; L1 and GIoU then train nothing
    # The paper freezes it, for LLaVA's is trained; that of a model made of a bare LLM is new.
    train_image_projector: bool = False
    query_table: str | None = None  # file of init_from with the vectors of loss.query_alignment

    def __post_init__(self) -> None:
        self._check_adapters()
        self._check_compile()
        if (self.query_table is None) != (self.loss.query_alignment == 0):
            raise ValueError(
                f"query_table={self.query_table} and loss.query_alignment="
                f"{self.loss.query_alignment}: set both, or neither"
            )
        if self.query_table is not None and self.init_from is None:
            raise ValueError(
                f"query_table={self.query_table} is a file of init_from, which is not set"
            )
        if self.loss.giou_reduction == "as_released" and self.train.averaging == "step":
            raise ValueError(
                "loss.giou_reduction=as_released sums over the boxes of a micro-batch: it needs "
                "train.averaging=micro_batch, or use loss.giou_reduction=matched"
            )
        if self.data.grounding.chat_loc_slot == "as_released":
            self._require_padded("data.grounding.chat_loc_slot=as_released")

    def model_config(self) -> VSMModelConfig:
        """Every size of the model."""
        config: VSMModelConfig = agreed_sizes(self.model, self.init_from, VSMModelConfig)
        return config

    def build_model(self, *, weights: bool = True) -> VSM:
        """The model with what is trained marked; without weights, on the current device."""

        def mark(model: VLM) -> None:
            assert isinstance(model, VSM)
            model.set_trainable(
                train_box_head=self.train_box_head,
                train_image_projector=self.train_image_projector,
            )

        model = build_with_adapters(
            self.load_base if weights and self.init_from is not None else self.model_config().build,
            mark,
            lora=self.lora,
            train=self.train,
            seed=self.seed,
            adapter=self.init_adapter if weights else None,
        )
        assert isinstance(model, VSM)
        return model

    def criterion(self) -> VSMLoss:
        """The losses."""
        return VSMLoss(self.loss)

    def build_data(self, tokenizer: Tokenizer, *, index: bool = False) -> TrainingData:
        """Open the record sets; with `index`, make what tells the lengths of their records."""
        config = self.model_config()
        require_tokenizer_fits(tokenizer, config)
        make = partial(
            self.data.grounding.build,
            tokenizer=tokenizer,
            image_size=config.vision.image_size,
            detector_size=config.detector.image_size,
            detector_fit=config.detector.fit,
            sizes=VisualSizes(long=config.vision.num_tokens),
            background=config.vision.normalization.background,
            queries=self._queries(),
            prompt_style=config.prompt_style,
        )
        return open_data(
            self.data.train,
            self.data.validation,
            make,
            root=Path(self.paths.records),
            seed=self.seed,
            tokenizer=tokenizer,
            positions=self.data.grounding.positions,
            pack=self.train.batching == "packed",
            lengths=self.folder / "lengths" if index else None,
            workers=self.train.workers,
        )

    def _queries(self) -> dict[str, Tensor] | None:
        """The detector's class embeddings, which the scaffold pulls the queries towards."""
        if self.query_table is None:
            return None
        assert self.init_from is not None
        path = resolve_folder(self.init_from) / self.query_table
        if not path.is_file():
            raise ValueError(f"query_table={self.query_table}: {path} does not exist")
        return load_file(path)


KINDS: dict[str, type[VQARun] | type[VSMRun]] = {"vqa": VQARun, "vsm": VSMRun}

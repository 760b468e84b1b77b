"""The `train` section of a recipe: one definition for the validator and for the training loop."""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import Ge, Gt
from pydantic import BaseModel, ConfigDict, Field


class Section(BaseModel):
    """Base of all fixed sections: strict, closed, frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, protected_namespaces=())


class EarlyStop(Section):
    """Which validation metric chooses the best checkpoint, and when to stop."""

    metric: str = Field("val/loss", description="validation metric that chooses the best checkpoint")
    mode: Literal["min", "max"] = Field("min", description="whether lower or higher is better")
    patience: Annotated[int, Ge(1)] | None = Field(
        None, description="stop after so many epochs without improvement; null = never"
    )

    def better(self, value: float, best: float | None) -> bool:
        """Whether `value` improves on `best`; a NaN never does."""
        if best is None:
            return value == value
        return value < best if self.mode == "min" else value > best


class ParameterGroup(Section):
    """Parameters that learn at another pace than the rest."""

    match: str = Field(
        description="glob over parameter names, as `snnctl train --dry-run` lists layers: encoder.*, *.norm.*",
        min_length=1,
    )
    lr_scale: Annotated[float, Ge(0)] = Field(1.0, description="factor on the learning rate; 0 freezes them")
    weight_decay_scale: Annotated[float, Ge(0)] = Field(1.0, description="factor on the weight decay")


class Train(Section):
    """How the network is trained."""

    epochs: Annotated[int, Ge(1)] = Field(10, description="passes over the training split")
    batch_size: Annotated[int, Ge(1)] = Field(32, description="items per optimiser step, over all processes")
    eval_batch_size: Annotated[int, Ge(1)] | None = Field(
        None, description="items per evaluation step; null = 4 x batch_size"
    )
    seed: Annotated[int, Ge(0)] = Field(0, description="the one seed that all random streams come from")
    clip_norm: Annotated[float, Gt(0)] | None = Field(None, description="largest gradient norm; null = no clipping")
    precision: Literal["fp32", "bf16"] = Field(
        "fp32", description="bf16 = matrix products in bfloat16, membranes stay float32"
    )
    kernel: Literal["auto", "reference", "compile", "triton"] = Field(
        "auto",
        description="what runs the neurons: auto = the fastest that fits, reference = the definition, compile ="
        " the definition through torch.compile (needs a compiler), triton = the kernel for CUDA (not yet run on a GPU)",
    )
    chunk_steps: Annotated[int, Ge(1)] | None = Field(
        None,
        description="neurons without a kernel keep only every so many steps' state for the backward pass and"
        " compute the rest again: less memory, more time; null = keep everything",
    )
    early_stop: EarlyStop = Field(EarlyStop(), description="choice of the best checkpoint, and patience")
    average: Annotated[float, Ge(0)] = Field(
        0.0, lt=1.0, description="decay per step of the moving average of weights that is evaluated and kept; 0 = off"
    )
    groups: list[ParameterGroup] = Field(
        [], description="parameters with a learning rate or weight decay of their own; the first match counts"
    )
    init_from: str | None = Field(
        None, description="run directory, or safetensors file, whose weights training starts from; null = none"
    )
    init_match: Literal["all", "fitting"] = Field(
        "all", description="all = every weight must come from there; fitting = those of equal name and shape do"
    )
    checkpoint_every: Annotated[int, Ge(1)] = Field(1, description="epochs between checkpoints")
    log_every: Annotated[int, Ge(1)] = Field(1, description="epochs between plain log lines")

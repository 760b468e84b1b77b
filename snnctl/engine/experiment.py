"""An experiment: everything that a recipe stands for, as objects."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar, cast

from torch import Tensor, nn
from torch.optim import Optimizer

from snnctl import __version__
from snnctl.backbones.base import Backbone
from snnctl.core.diagnostic import warnings_of
from snnctl.core.identity import Identity
from snnctl.core.shapes import ShapeError, SignalSpec
from snnctl.core.training import Train
from snnctl.data.base import Dataset
from snnctl.encoders.base import AnyEncoder
from snnctl.engine.schedule import Schedule
from snnctl.neurons.base import SpikingNeuron
from snnctl.readouts.base import Readout
from snnctl.tasks.base import Task

Part = TypeVar("Part", bound=nn.Module)


class Network(nn.Module):
    """Encoder, backbone and readout, one after the other.

    Where sequences of a batch differ in length, the encoder knows which places are padding, and all three work on the
    tokens alone.

    Shape:
        input as the encoder takes it ([B, L, C] for series, [B, L] for tokens) -> [B, outputs].

    Raises:
        ShapeError: sequences differ in length, and backbone or readout cannot have that.
    """

    def __init__(self, encoder: nn.Module, backbone: nn.Module, readout: nn.Module) -> None:
        super().__init__()
        self.encoder = _completed(encoder, AnyEncoder)
        self.backbone = _completed(backbone, Backbone)
        self.readout = _completed(readout, Readout)
        self.ragged = self.encoder.output is not None and self.encoder.output.ragged
        if self.ragged:
            _check_ragged(self.backbone, self.readout)

    def forward(self, x: Tensor) -> Tensor:
        """Predictions for a batch of inputs."""
        found: Tensor
        if self.ragged:
            tokens = self.encoder.tokens(x)
            found = self.readout(self.backbone(self.encoder(x, tokens), tokens), x, tokens)
        else:
            found = self.readout(self.backbone(self.encoder(x)), x)
        return found

    @property
    def spikes(self) -> bool:
        """Whether any neuron spikes; a twin has none."""
        return any(isinstance(module, SpikingNeuron) for module in self.modules())

    @property
    def has_skip(self) -> bool:
        """Whether a path that does not spike leads past the spiking one."""
        return self.readout.skip is not None

    def skip_alone(self, x: Tensor) -> Tensor:
        """What is predicted when every spike is taken away."""
        spikes = x.new_zeros(self.signals["backbone"].shape(len(x)))
        found: Tensor = self.readout(spikes, x)
        return found if self.readout.ahead is None else found - self.readout.ahead(x)

    @property
    def signals(self) -> dict[str, SignalSpec]:
        """What flows after the encoder and after the backbone."""
        return {"encoder": self.encoder.output, "backbone": self.backbone.output}


def _completed(part: nn.Module, contract: type[Part]) -> Part:
    """The component with what it does not say of itself: that of a plug-in need not inherit from its contract."""
    for name in contract.__annotations__:
        if not isinstance(part, contract) and not hasattr(part, name):
            setattr(part, name, getattr(contract, name, None))
    return cast(Part, part)


def _check_ragged(backbone: Backbone, readout: Readout) -> None:
    known: dict[str, tuple[Backbone | Readout, str]] = {
        "backbone": (backbone, "spikformer, spike_driven, qkformer"),
        "readout": (readout, "mean_linear, last_linear, flatten_linear"),
    }
    for kind, (part, fitting) in known.items():
        if not part.takes_ragged:
            message = f"{kind} {type(part).__name__} takes sequences of one length, and those of the data differ"
            raise ShapeError(message, knob=kind, help=f"those that take them: {fitting}")


class SkipAlone(nn.Module):
    """A network without its spikes: what its non-spiking path predicts by itself."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """Predictions for a batch of inputs."""
        return self.network.skip_alone(x)


@dataclass
class Experiment:
    """What `build.py` makes of a resolved recipe.

    Args:
        name: names the run directory.
        network: on the CPU, freshly initialised from the seed's `init` stream.
        task: loss, metrics and baselines.
        data: its three splits, and what is to be said of them.
        train: the recipe's training section.
        make_optimizer, make_schedule: called by the loop once the network is on its device.
        recipe: digest of its recipe, see `snnctl.core.identity.recipe_digest`; "" where there is none.
        plugins: path and SHA-256 hex of each plug-in file.
        start: SHA-256 hex of the weights that training starts from, if from any; known once they were read.
    """

    name: str
    network: Network
    task: Task
    data: Dataset
    train: Train
    make_optimizer: Callable[[nn.Module], Optimizer]
    make_schedule: Callable[[Optimizer, int, int], Schedule]
    recipe: str = ""
    plugins: tuple[tuple[str, str], ...] = ()
    start: str | None = None

    @property
    def identity(self) -> Identity:
        """What makes its results."""
        hashes = tuple(sha256 for _, sha256 in self.plugins)
        return Identity(self.recipe, self._fingerprint, hashes, __version__, self.start)

    @cached_property
    def _fingerprint(self) -> str:
        return str(self.data.fingerprint)  # some data count it anew each time

    @property
    def parameters(self) -> int:
        """Number of trainable parameters."""
        return sum(p.numel() for p in self.network.parameters() if p.requires_grad)

    @property
    def data_warnings(self) -> list[dict[str, Any]]:
        """JSON forms of what the data found odd, by its own keys and files: the same wherever the recipe lies."""
        return [one.to_json() for one in warnings_of(self.data)]

    @property
    def eval_batch_size(self) -> int:
        """Items per evaluation step."""
        return self.train.eval_batch_size or 4 * self.train.batch_size

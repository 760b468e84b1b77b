"""The published forms of STC: around integrate-and-fire, PLIF and LM-H."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated, ClassVar

from annotated_types import Gt

from snnctl.core.catalog import NEURONS
from snnctl.core.signature import takes_knobs
from snnctl.neurons.base import Host
from snnctl.neurons.lif import IF, PLIF
from snnctl.neurons.lm_h import LMH
from snnctl.neurons.stc import STC
from snnctl.neurons.stc_circuit import Autapses
from snnctl.neurons.surrogate import AnySurrogate


class _Published(STC):
    """Circuits around one host, which has no knobs but its threshold and its surrogate."""

    _host: ClassVar[Callable[..., Host]]

    @takes_knobs
    def __init__(
        self,
        channels: int,
        *,
        autapses: Autapses = Autapses(),
        v_threshold: Annotated[float, Gt(0.0)] = 1.0,
        surrogate: AnySurrogate = "sigmoid",
    ) -> None:
        host = partial(self._host, v_threshold=v_threshold, surrogate=surrogate)
        super().__init__(channels, host=host, autapses=autapses)


@NEURONS.register("stc_lif")
class STCLIF(_Published):
    """The published STC-LIF: circuits around integrate-and-fire with soft reset; despite its name it does not leak.

    The gradient goes through the reset.

    Equation:
        u = beta * h + gamma * x
        s = 1 if u >= v_threshold else 0
        h = u - s * v_threshold

    Args:
        v_threshold: spike threshold, > 0, and what the reset takes off (as published).
        surrogate: derivative of the spike (sigmoid with alpha 4 as published).

    Shape: [T, B, *, channels] -> [T, B, *, channels]; the state is (h, s), each [B, *, channels].

    Raises:
        ShapeError: as `stc`.

    Source: as `stc`.
    """

    _host = partial(IF, reset="soft", detach_reset=False)


@NEURONS.register("stc_plif")
class STCPLIF(STC):
    """The published STC-PLIF: circuits around a LIF neuron with a learned time constant and soft reset.

    The gradient goes through the reset.

    Equation:
        u = (1 - rate) * beta * h + rate * gamma * x        rate = sigmoid(w), learned, one for the layer
        s = 1 if u >= v_threshold else 0
        h = u - s * v_threshold

    Args:
        tau: membrane time constant in steps at initialisation, > 1 (2, a rate of 1/2, as published).
        v_threshold: spike threshold, > 0, and what the reset takes off (as published).
        surrogate: derivative of the spike (sigmoid with alpha 4 as published).

    Shape: [T, B, *, channels] -> [T, B, *, channels]; the state is (h, s), each [B, *, channels].

    Raises:
        ShapeError: as `stc`.

    Source: as `stc`; its code learns -w.
    """

    @takes_knobs
    def __init__(
        self,
        channels: int,
        *,
        tau: Annotated[float, Gt(1.0)] = 2.0,
        autapses: Autapses = Autapses(),
        v_threshold: Annotated[float, Gt(0.0)] = 1.0,
        surrogate: AnySurrogate = "sigmoid",
    ) -> None:
        host = partial(PLIF, tau=tau, v_threshold=v_threshold, reset="soft", detach_reset=False, surrogate=surrogate)
        super().__init__(channels, host=host, autapses=autapses)


@NEURONS.register("stc_lmh")
class STCLMH(_Published):
    """The published STC-LMH: circuits around `lm_h`, the neuron of a dendrite and a soma with four learned factors.

    The gradient does not go through the reset.

    Equation:
        d = (sigmoid(p1) - 1/2) * d + (sigmoid(p2) - 1/2) * h + gamma * x
        u = (sigmoid(p3) + 1/2) * d + (sigmoid(p4) + 1/2) * beta * h
        s = 1 if u >= v_threshold else 0
        h = u - s * v_threshold

    Args:
        v_threshold: spike threshold of the soma, > 0, and what the reset takes off (as published).
        surrogate: derivative of the spike (sigmoid with alpha 4 as published).

    Shape: [T, B, *, channels] -> [T, B, *, channels]; the state is (d, h, s), each [B, *, channels].

    Raises:
        ShapeError: as `stc`.

    Source: as `stc`, and as `lm_h`.
    """

    _host = LMH

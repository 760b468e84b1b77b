"""One row of spikes through weights and neuron, one step, without gradients: all that can be is prepared."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from snnctl.neurons.kernels.event_product import columns_of, pays
from snnctl.neurons.kernels.program import Program
from snnctl.neurons.kernels.run_recurrent import FedCall
from snnctl.neurons.kernels.segments import scratch_of, tiled


class Row:
    """The recurrent kernel at its first step: what comes back is the input, what comes in is the bias.

    Args:
        program: the neuron's step, in float32.
        inputs: of the weights.
        shape: of the state, [*, outputs] with all other axes 1.
        from_rest: no state is given.
    """

    def __init__(self, program: Program, inputs: int, shape: tuple[int, ...], from_rest: bool) -> None:
        outputs = shape[-1]
        call = FedCall(program, (1, 1, outputs), 1, inputs, from_rest, True, False, False, 1)
        self.program, self.shape, self.padded, self.single = program, shape, call.padded, program.step.single
        self._spikes = (1, *shape)
        self._nothing = torch.zeros(outputs)
        launch = self._launch = call.launch
        self._smalls = [(launch.places[f"small{k}"], each) for k, each in enumerate(program.form.per_channel)]
        self._states = [launch.places[f"state{k}"] for k in range(call.parts)]
        self._lasts = [launch.places[f"last{k}"] for k in range(call.parts)]
        names = ("scratch", "x", "weights", "first", "spikes")
        self._scratch, self._x, self._weights, self._first, self._fired = (launch.places[name] for name in names)

    def run(self, x: Tensor, weight: Tensor, bias: Tensor | None, states: tuple[Tensor, ...] | None) -> Any:
        """Spikes [1, *, outputs] and the state after the step; None where this cannot be done, or does not pay."""
        if not (x.dtype == weight.dtype == torch.float32 and pays(x, weight)) or weight.is_inference():
            return None
        launch = self._launch
        array = launch.array()
        bias = self._nothing if bias is None else bias
        if bias.dtype != torch.float32 or not (bias.is_contiguous() and x.is_contiguous()):
            return None
        held = []  # until the kernel is through
        for place, state in zip(self._states, states or (), strict=False):
            if type(state) is not Tensor or state.shape != self.shape or state.dtype != torch.float32:
                return None
            if not (state.is_cpu and state.is_contiguous()):
                return None
            array[place] = state.data_ptr()
        if self._smalls:
            smalls = self.program.smalls(self.shape[-1])
            if smalls is None:
                return None
            for (place, each), small in zip(self._smalls, smalls, strict=True):
                laid_out = tiled(launch.plan, small)[0] if each else small
                assert laid_out is not None
                held.append(laid_out)
                array[place] = laid_out.data_ptr()
        spikes = torch.empty(self._spikes)
        lasts = [torch.empty(self.shape) for _ in self._lasts]
        for place, last in zip(self._lasts, lasts, strict=True):
            array[place] = last.data_ptr()
        array[self._scratch] = scratch_of(launch.scratch, torch.float32)
        array[self._x], array[self._first] = bias.data_ptr(), x.data_ptr()
        array[self._weights], array[self._fired] = columns_of(weight, self.padded).data_ptr(), spikes.data_ptr()
        launch.kernel(array, 1)
        return spikes, lasts[0] if self.single else tuple(lasts)

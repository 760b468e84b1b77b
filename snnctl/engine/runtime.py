"""Devices, precision and processes. The only file that knows Accelerate.

Run and tested on one CPU process; written for several processes and GPUs, where it has not been run yet.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal, get_args

import torch
from accelerate import Accelerator, DistributedType
from torch import Tensor, nn
from torch.optim import Optimizer

from snnctl.core.choices import Device, refuse_other
from snnctl.core.training import Train
from snnctl.neurons.chunks import use_time_chunks
from snnctl.neurons.kernels import Kernel, use_kernel

_SURELY_BELOW = 1 - 1e-6


class Runtime:
    """Where and how the tensors live; the same path for one process on one CPU as for many GPUs.

    Args:
        precision: "bf16" runs matrix products in bfloat16 where torch's autocast does so.
        device: "cpu" keeps off accelerators; "auto" takes what Accelerate finds.
        kernel: which kernel neurons run, see `snnctl.neurons.kernels.use_kernel`.
        chunk_steps: see `snnctl.neurons.chunks.use_time_chunks`.
    """

    def __init__(
        self,
        precision: Literal["fp32", "bf16"] = "fp32",
        device: Device = "auto",
        kernel: Kernel = "auto",
        chunk_steps: int | None = None,
    ) -> None:
        # Accelerate keeps one precision per process, so autocast is asked of torch: runs of one process may differ.
        self._accelerator = Accelerator(mixed_precision="no", cpu=device == "cpu", step_scheduler_with_optimizer=False)
        # Alone, nothing is to be done around a step, and asking whether there is takes a twentieth of a small one.
        self._alone = (
            self._accelerator.distributed_type == DistributedType.NO
            and self._accelerator.gradient_accumulation_steps == 1
        )
        self._bf16 = precision == "bf16"
        self._kernel: Kernel = kernel
        self._chunk_steps = chunk_steps

    @property
    def device(self) -> torch.device:
        """The device of this process."""
        return self._accelerator.device

    @property
    def rank(self) -> int:
        """Index of this process."""
        return self._accelerator.process_index

    @property
    def world(self) -> int:
        """Number of processes."""
        return self._accelerator.num_processes

    @property
    def is_main(self) -> bool:
        """Whether this process writes files."""
        return self._accelerator.is_main_process

    def prepare(self, network: nn.Module, optimizer: Optimizer) -> tuple[nn.Module, Optimizer]:
        """Move to the device and wrap for distribution if there is more than one process."""
        network, wrapped = self._accelerator.prepare(network, optimizer)
        return network, optimizer if self._alone else wrapped

    @classmethod
    def of(cls, train: Train, device: Device = "auto") -> Runtime:
        """As a recipe's `train` section asks for.

        Raises:
            DiagnosticError: U401, no such device.
        """
        refuse_other("device", device, get_args(Device), code="U401")
        return cls(train.precision, device, train.kernel, train.chunk_steps)

    @contextmanager
    def forward_pass(self) -> Iterator[None]:
        """The context in which forward passes run: precision and kernels."""
        autocast = torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self._bf16)
        with autocast, use_kernel(self._kernel), use_time_chunks(self._chunk_steps):
            yield

    def backward(self, loss: Tensor) -> None:
        """Backward pass."""
        if self._alone:
            loss.backward()
        else:
            self._accelerator.backward(loss)

    def clip(self, parameters: Sequence[nn.Parameter], norm: float | None) -> float:
        """Clip the gradients to `norm` together, None leaves them as they are; the norm before clipping.

        A norm that is not finite leaves them too, so that the layer that went wrong can still be told.
        """
        trained = [p for p in parameters if p.grad is not None]
        total = torch.nn.utils.get_total_norm([p.grad for p in trained if p.grad is not None])
        found = float(total)
        # Gradients below the norm would be multiplied by exactly 1; torch, which adds 1e-6, decides near the border.
        if norm is not None and math.isfinite(found) and found > _SURELY_BELOW * norm - 1e-6:
            torch.nn.utils.clip_grads_with_norm_(trained, norm, total)
        return found

    def my_share(self, indices: Tensor) -> Tensor:
        """This process's slice of a global batch: every world-th item."""
        return indices[self.rank :: self.world] if self.world > 1 else indices

    def unwrap(self, network: nn.Module) -> nn.Module:
        """The module without distribution wrappers."""
        return self._accelerator.unwrap_model(network)

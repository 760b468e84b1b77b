"""The sections of a cost table: prices of operations, of memory, of data on the way, of whole devices."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge, Gt, Le, MinLen
from pydantic import BaseModel, ConfigDict, Field

KIB = 1024
MIB = 1024 * KIB


class Part(BaseModel):
    """Base of all sections: strict, closed, frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, str_strip_whitespace=True)


class Constant(Part):
    """A number and where it comes from."""

    value: Annotated[float, Ge(0)] = Field(description="the number, not negative")
    source: Annotated[str, MinLen(1)] = Field(description="where the number comes from")


class Fixed(Part):
    """One price per operation."""

    model: Literal["fixed"]
    ac_pj: Constant = Field(description="an addition")
    mac_pj: Constant | None = Field(None, description="a multiplication with its addition; left out = unknown")
    mul_pj: Constant | None = Field(None, description="a multiplication; default mac_pj - ac_pj")
    compare_pj: Constant | None = Field(None, description="a comparison; default ac_pj")
    special_pj: Constant | None = Field(None, description="a division, exponential or square root; default: not priced")

    def add(self) -> float:
        """pJ of an addition."""
        return self.ac_pj.value

    def mac(self, bits: int | None = None) -> float | None:
        """pJ of a multiply-accumulate of any width."""
        return self.mac_pj.value if self.mac_pj else None

    def mul(self) -> float | None:
        """pJ of a multiplication."""
        if self.mul_pj:
            return self.mul_pj.value
        return max(0.0, self.mac_pj.value - self.ac_pj.value) if self.mac_pj else None

    def compare(self) -> float:
        """pJ of a comparison."""
        return self.compare_pj.value if self.compare_pj else self.ac_pj.value

    def special(self) -> float | None:
        """pJ of an operation without a usual price."""
        return self.special_pj.value if self.special_pj else None


class IntScaled(Part):
    """Integer arithmetic by width: multiplication mul32 * a * w / 1024, addition add32 * accumulator / 32."""

    model: Literal["int_scaled"]
    mul32_pj: Constant = Field(description="a 32-bit integer multiplication")
    add32_pj: Constant = Field(description="a 32-bit integer addition")
    weight_bits: Annotated[int, Ge(1), Le(64)] = Field(description="width of weights")
    accumulator_bits: Annotated[int, Ge(1), Le(64)] = Field(description="width of sums and membranes")
    activation_bits: Annotated[int, Ge(1), Le(64)] = Field(8, description="width of real inputs")
    special_pj: Constant | None = Field(None, description="a division, exponential or square root; default: not priced")

    def add(self) -> float:
        """pJ of an addition into the accumulator."""
        return self.add32_pj.value * self.accumulator_bits / 32

    def mac(self, bits: int | None = None) -> float:
        """pJ of a multiply-accumulate of `bits` (default activation_bits) x weight_bits."""
        a = self.activation_bits if bits is None else bits
        return self.mul32_pj.value * a * self.weight_bits / 1024 + self.add()

    def mul(self) -> float:
        """pJ of a multiplication of a membrane by a constant: accumulator_bits x weight_bits."""
        return self.mul32_pj.value * self.accumulator_bits * self.weight_bits / 1024

    def compare(self) -> float:
        """pJ of a comparison: an addition."""
        return self.add()

    def special(self) -> float | None:
        """pJ of an operation without a usual price."""
        return self.special_pj.value if self.special_pj else None


class NoMemory(Part):
    """Memory costs nothing."""

    model: Literal["none"]


class Flat(Part):
    """One price per byte, for weights read and membranes read and written."""

    model: Literal["flat"]
    byte_pj: Constant = Field(description="one byte moved")
    weight_bytes: Annotated[float, Gt(0)] = Field(4.0, description="bytes of a weight")
    state_bytes: Annotated[float, Gt(0)] = Field(4.0, description="bytes of a membrane")
    weights_read: Literal["per_step", "per_operation"] = Field(
        "per_step", description="per_step = each weight once per step, then kept; per_operation = at every operation"
    )


# Energy of one memory access, in pJ, by the size of the memory; all three forms in use around Lemaire et al. 2022.
# a: piecewise linear, the article's; b and c: qualia-plugin-snn's affine default and its 8 KiB blocks of 64-bit words.
Variant = Literal["a", "b", "c"]


def ram_a(size_bytes: float, at_8kib: float = 10.0, at_32kib: float = 20.0, at_1mib: float = 100.0) -> float:
    """Linear between 0 at 0 bytes and the three sizes, constant above 1 MiB.

    Continuous: each segment starts where the one below it ends. The offsets must not be dropped (one published script
    does, and gets 5 pJ in place of 15 at 20 KiB).
    """
    return float(np.interp(size_bytes, [0, 8 * KIB, 32 * KIB, MIB], [0.0, at_8kib, at_32kib, at_1mib]))


def ram_b(elements: float, bits: float, slope: float = 1.09e-5, offset: float = 13.2) -> float:
    """slope * elements * bits + offset."""
    return slope * elements * bits + offset


def ram_c(bits: int, word: float = 10.0) -> float:
    """word / floor(64 / bits): 8 KiB, whose 64-bit words hold several data; wider data take ceil(bits / 64) words."""
    return word / (64 // bits) if bits <= 64 else word * -(-bits // 64)


class Lemaire(Part):
    """Lemaire et al. 2022: accesses of each layer times the price of its memories."""

    model: Literal["lemaire"]
    variant: Variant = Field("a", description="price of an access: a = article, b = affine fit, c = 8 KiB blocks")
    data_bits: Annotated[int, Ge(1), Le(64)] = Field(32, description="width of weights, biases, membranes, activations")
    address_bits: Annotated[int, Ge(1), Le(64)] = Field(32, description="width of the address in a spike's message")
    fifo_messages: Annotated[int, Ge(1)] = Field(1000, description="depth of the queue of spikes before each layer")
    fan_out: Literal["exact", "ceil"] = Field(
        "exact", description="additions per spike of a convolution: exact, or ceil(k/s) per axis"
    )
    planes: Literal["each", "summed"] = Field(
        "each",
        description="spikes of several bits touch weights and membranes for each charged addition, or once per spike",
    )
    fc_addressing: Literal["sum", "product"] = Field(
        "sum", description="additions that address a non-spiking fc layer: N_i + N_o, or N_i * N_o"
    )
    a_8kib_pj: Constant = Field(description="variant a: access to 8 KiB")
    a_32kib_pj: Constant = Field(description="variant a: access to 32 KiB")
    a_1mib_pj: Constant = Field(description="variant a: access to 1 MiB and above")
    b_slope_pj_per_bit: Constant = Field(description="variant b: pJ per bit of the memory's size")
    b_offset_pj: Constant = Field(description="variant b: pJ at size 0")
    c_word_pj: Constant = Field(description="variant c: access to a 64-bit word of an 8 KiB block")

    def access(self, elements: float, bits: int) -> float:
        """pJ of one access to a memory of so many elements of so many bits."""
        if self.variant == "a":
            points = (self.a_8kib_pj.value, self.a_32kib_pj.value, self.a_1mib_pj.value)
            return ram_a(elements * bits / 8, *points)
        if self.variant == "b":
            return ram_b(elements, bits, self.b_slope_pj_per_bit.value, self.b_offset_pj.value)
        return ram_c(bits, self.c_word_pj.value)

    def message_bits(self, levels: int) -> int:
        """Bits of a spike's message: its address, and its value if it has more than one bit."""
        return self.address_bits + (levels.bit_length() if levels > 1 else 0)


class Mesh(Part):
    """Data that travel over a network on chip: bits x hops x price."""

    model: Literal["mesh"]
    sparse_pj_per_bit_hop: Constant = Field(description="spikes sent as events")
    dense_pj_per_bit_hop: Constant = Field(description="numbers sent in order")
    hops: Constant = Field(description="mean number of hops from a neuron to the next layer")
    payload_bits: Annotated[int, Ge(1)] | None = Field(
        None, description="bits that travel per spike; null = the bits of its code"
    )
    activation_bits: Annotated[int, Ge(1)] = Field(8, description="bits of a real number that travels")


class Device(Part):
    """A whole device: energy per synaptic event and per neuron update, all included."""

    synaptic_event_pj: Constant = Field(description="a spike arriving at a synapse; a connection if not spiking")
    neuron_update_pj: Constant = Field(description="a neuron, each step")
    spiking: bool = Field(description="false = it computes every connection once, in one step")

"""TokenNorm: BatchNorm over every axis but the last."""

import torch
from torch import nn

from snnctl.neurons import TokenNorm


def test_equals_batch_norm_over_flattened_tokens() -> None:
    x = torch.randn(4, 2, 5, 3, dtype=torch.float64) * 3 + 1
    ours, theirs = TokenNorm(3, gain=2.0).double(), nn.BatchNorm1d(3).double()
    expected = 2.0 * theirs(x.reshape(-1, 3)).reshape(x.shape)
    torch.testing.assert_close(ours(x), expected)
    torch.testing.assert_close(ours.running_var, theirs.running_var)
    torch.testing.assert_close(ours.eval()(x), 2.0 * theirs.eval()(x.reshape(-1, 3)).reshape(x.shape))


def test_gain_is_the_initial_weight() -> None:
    assert TokenNorm(2, gain=2.0).weight.tolist() == [2.0, 2.0]
    assert TokenNorm(2).weight.tolist() == [1.0, 1.0]

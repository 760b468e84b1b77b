"""Event-driven products of a single row: equal to the dense ones, and never stale."""

import pytest
import torch
from torch import Tensor, nn

from snnctl.neurons.kernels import event_product, spike_linear, use_kernel


def row(inputs: int, rate: float, seed: int = 0) -> Tensor:
    return (torch.rand(1, 1, inputs, generator=torch.Generator().manual_seed(seed)) < rate).float()


@pytest.mark.parametrize("rate", [0.0, 0.05, 0.25, 0.31, 1.0])
@pytest.mark.parametrize(("inputs", "outputs"), [(1024, 1024), (256, 131), (4096, 9), (16, 4096)])
@pytest.mark.parametrize("has_bias", [True, False])
def test_equals_the_dense_product(inputs: int, outputs: int, rate: float, has_bias: bool) -> None:
    layer = nn.Linear(inputs, outputs, bias=has_bias)
    x = row(inputs, rate)
    assert event_product.pays(x, layer.weight)
    with torch.no_grad():
        expected = layer(x)
        torch.testing.assert_close(event_product.linear(x, layer.weight, layer.bias), expected, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(
            spike_linear(3 * x, layer.weight, None), 3 * x @ layer.weight.T, atol=1e-4, rtol=1e-5
        )


def test_real_values_and_nan_count_as_events() -> None:
    layer = nn.Linear(512, 512)
    x = torch.zeros(512)
    x[7], x[300] = -0.25, 1.5
    with torch.no_grad():
        torch.testing.assert_close(event_product.linear(x, layer.weight, layer.bias), layer(x))
        x[9] = float("nan")
        assert event_product.linear(x, layer.weight, layer.bias).isnan().all()


def test_changed_weights_are_seen() -> None:
    layer = nn.Linear(256, 256)
    x = row(256, 0.1)
    with torch.no_grad():
        before = spike_linear(x, layer.weight, layer.bias)
        layer.weight.mul_(2.0)
        torch.testing.assert_close(spike_linear(x, layer.weight, layer.bias), layer(x), rtol=1e-5, atol=1e-5)
        layer.load_state_dict(nn.Linear(256, 256).state_dict())
        torch.testing.assert_close(spike_linear(x, layer.weight, layer.bias), layer(x), rtol=1e-5, atol=1e-5)
        layer.weight = nn.Parameter(layer.weight * -1)
        found = spike_linear(x, layer.weight, layer.bias)
        torch.testing.assert_close(found, layer(x), rtol=1e-5, atol=1e-5)
        assert not torch.allclose(found, before)
    optimizer = torch.optim.SGD(layer.parameters(), lr=1.0)
    layer(x).sum().backward()
    optimizer.step()
    with torch.no_grad():
        torch.testing.assert_close(spike_linear(x, layer.weight, layer.bias), layer(x), rtol=1e-5, atol=1e-5)


def test_when_it_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    event_driven = event_product.linear
    monkeypatch.setattr(event_product, "linear", lambda *inputs: calls.append(1) or event_driven(*inputs))
    weight = nn.Parameter(torch.randn(256, 256))
    x = row(256, 0.1)

    def chosen(x: Tensor, weight: Tensor) -> bool:
        calls.clear()
        out = spike_linear(x, weight, None)
        torch.testing.assert_close(out, (x @ weight.T).to(out.dtype), rtol=1e-2, atol=1e-1)
        return bool(calls)

    assert not chosen(x, weight)  # gradients are wanted
    with torch.no_grad():
        assert chosen(x, weight)
        assert not chosen(x.expand(2, 1, 256), weight)
        assert not chosen(x.double(), weight.double())
        assert not chosen(row(64, 0.1), weight[:64, :64])  # small
        assert not chosen(row(100, 0.1), torch.randn(4000, 100))  # no whole number of vectors
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert not chosen(x, weight)
        with use_kernel("reference"):
            assert not chosen(x, weight)
    with torch.inference_mode():
        assert not chosen(x, torch.randn(256, 256))  # weights that do not count their changes


def test_kept_columns_go_with_the_weights() -> None:
    before = len(event_product._kept)
    layer = nn.Linear(256, 256)
    with torch.no_grad():
        spike_linear(row(256, 0.1), layer.weight, layer.bias)
    assert len(event_product._kept) == before + 1
    del layer
    assert len(event_product._kept) == before


def test_ensembles_of_weights_under_vmap() -> None:
    weights, x = torch.randn(3, 256, 256), row(256, 0.2)
    with torch.no_grad():
        spike_linear(x, weights[0], None)  # the plain call is event-driven
        mapped = torch.func.vmap(lambda weight: spike_linear(x, weight, None))(weights)
    torch.testing.assert_close(mapped, torch.stack([x @ weight.T for weight in weights]), rtol=1e-4, atol=1e-4)


def test_a_wrong_shape_is_torchs_error() -> None:
    with torch.no_grad(), pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        spike_linear(row(256, 0.2).view(256, 1), torch.randn(256, 256), None)

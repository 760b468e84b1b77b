"""The video stack: parameter counts, causality, scheduled sampling, patches, and its LSTM twin."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from snnctl.backbones.parts.video import LSTMCell, Sampling, drawn, from_patches, to_patches
from snnctl.backbones.sim_vp import SimVP
from snnctl.backbones.video_stack import VideoStack
from snnctl.core.catalog import NEURONS
from snnctl.core.shapes import ShapeError, SignalSpec
from snnctl.readouts.linear import Frames


def video(seen: int = 3, ahead: int = 4, grid: tuple[int, int] = (8, 4), features: int = 1) -> SignalSpec:
    return SignalSpec(seen, grid[0] * grid[1], features, grid=grid, ahead=ahead)


def small(signal: SignalSpec, **knobs: object) -> VideoStack:
    torch.manual_seed(0)
    settings: dict[str, object] = {"patch": 2, "dim": 4, "layers": 2, "kernel": 3, "norm_groups": 2, "neuron": "if"}
    return VideoStack(signal, **{**settings, **knobs}).double()  # type: ignore[arg-type]


def frames_of(signal: SignalSpec, batch: int = 2, seed: int = 1) -> Tensor:
    shape = (signal.steps + signal.ahead, batch, signal.length, signal.features)
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize(
    ("seen", "ahead", "grid", "features", "patch", "lif", "stc"),
    [
        (10, 10, (64, 64), 1, 2, 3_304_960, 3_922_432),  # Moving MNIST
        (4, 4, (32, 32), 2, 1, 3_291_648, 3_909_120),  # TaxiBJ
        (10, 20, (128, 128), 1, 4, 3_384_832, 4_002_304),  # KTH
    ],
)
def test_published_networks_have_the_published_parameters(
    seen: int, ahead: int, grid: tuple[int, int], features: int, patch: int, lif: int, stc: int
) -> None:
    signal = video(seen, ahead, grid, features)
    with torch.device("meta"):
        for neuron, wanted in (("lif", lif), ("stc_lif", stc)):
            network = VideoStack(signal, patch=patch, dim=256, neuron=neuron)
            assert sum(p.numel() for p in network.parameters()) == wanted
            assert network.output.steps == seen + ahead - 1


def test_the_small_preset_has_the_parameters_of_its_formula() -> None:
    network = VideoStack(video(10, 10, (64, 64)), patch=4, dim=64, layers=3, kernel=5, neuron="stc_lif")
    assert sum(p.numel() for p in network.parameters()) == 270_976


@pytest.mark.parametrize("neuron", ["lif", "plif", "glif", "tc_lif", "lm_h", "stc_lif", "stc_lmh"])
@pytest.mark.parametrize("spiking", [True, False])
def test_all_frames_at_once_are_frame_by_frame(neuron: str, spiking: bool) -> None:
    """The definition: one frame after the other through all cells."""
    signal = video(4, 3)
    made = NEURONS.get(neuron)
    factory = (lambda channels: made(channels, groups=2)) if neuron.startswith("stc") else neuron
    network = small(signal, neuron=factory, spiking=spiking).eval()
    frames = frames_of(signal)[:4]
    states: list[object] = [None, None]
    outputs: list[Tensor] = []
    for step in range(6):
        x = to_patches(frames[step : step + 1], (8, 4), 2) if step < 4 else outputs[-1]
        for number, cell in enumerate(network.cells):
            x, states[number] = cell(x, states[number])
        outputs.append(network.head(x))
    torch.testing.assert_close(network(frames), from_patches(torch.cat(outputs), 2), rtol=1e-9, atol=1e-9)


def test_it_keeps_nothing_between_calls() -> None:
    signal = video()
    network = small(signal, neuron="stc_lif", dim=16, norm_groups=16).eval()
    frames = frames_of(signal)[:3]
    first = network(frames)
    network(frames_of(signal, seed=9)[:3])
    assert torch.equal(network(frames), first)


@pytest.mark.parametrize("spiking", [True, False])
def test_outputs_depend_on_the_frames_before_them_alone(spiking: bool) -> None:
    signal = video()
    network = small(signal, spiking=spiking).train()
    frames = frames_of(signal).requires_grad_()
    for step in range(6):
        (gradient,) = torch.autograd.grad(network(frames)[step].sum(), frames)
        shown = gradient.abs().sum((1, 2, 3)) > 0
        assert not shown[3:].any(), "eta is 0: true frames after those that are seen are not looked at"
        assert not shown[min(step, 2) + 1 :].any()
        assert shown[min(step, 2)]


def test_shown_frames_take_the_place_of_its_own() -> None:
    signal = video()
    network = small(signal).train()
    frames = frames_of(signal).requires_grad_()
    network.training_step_progress(0.0)
    assert network.eta == 1.0
    (gradient,) = torch.autograd.grad(network(frames)[5].sum(), frames)
    assert (gradient.abs().sum((1, 2, 3)) > 0)[:6].all()
    network.eval()
    assert torch.equal(network(frames.detach()), network(frames.detach()[:3])), "never in evaluation"


def test_a_sample_is_shown_truth_by_itself() -> None:
    signal = video()
    network = small(signal).train()
    frames = frames_of(signal, batch=16)
    network.eta = 0.5
    torch.manual_seed(3)
    mixed = network(frames)
    network.eta = 0.0
    own = network(frames)
    assert torch.equal(mixed[:3], own[:3])
    differs = (mixed[3:] != own[3:]).flatten(2).any(2).any(0)
    assert differs.any()
    torch.manual_seed(3)
    shown = drawn(0.5, 16, 3)
    assert torch.equal(differs, shown.any(0))


def test_eta_is_the_published_line() -> None:
    published = Sampling(start=1.0, stop=50_000 / 312_500)  # 500 epochs of 625 steps
    for steps in (0, 1, 625, 32_500, 49_999):
        assert published.eta(steps / 312_500) == pytest.approx(1 - 2e-5 * steps)
    assert published.eta(32_500 / 312_500) == pytest.approx(0.35)
    assert published.eta(50_000 / 312_500) == 0.0
    assert published.eta(1.0) == 0.0


@settings(max_examples=20, deadline=None)
@given(eta=st.floats(0.05, 0.95), seed=st.integers(0, 2**16))
def test_the_share_of_shown_frames_is_eta(eta: float, seed: int) -> None:
    torch.manual_seed(seed)
    share = float(drawn(eta, 100, 100).double().mean())
    assert abs(share - eta) <= 5 * math.sqrt(eta * (1 - eta) / 10_000)


def test_patches_by_hand() -> None:
    """Two rows of four pixels with two channels: two patches, in the order row, column, channel."""
    pixels = torch.arange(16.0).view(1, 8, 2)  # row 0: (0,1) (2,3) (4,5) (6,7); row 1: (8,9) ... (14,15)
    maps = to_patches(pixels, (2, 4), 2)
    assert maps.shape == (1, 1, 2, 8)
    assert maps[0, 0].tolist() == [[0, 1, 2, 3, 8, 9, 10, 11], [4, 5, 6, 7, 12, 13, 14, 15]]


@settings(max_examples=30, deadline=None)
@given(rows=st.integers(1, 3), columns=st.integers(1, 3), patch=st.integers(1, 3), features=st.integers(1, 3))
def test_patches_and_back_is_the_identity(rows: int, columns: int, patch: int, features: int) -> None:
    grid = rows * patch, columns * patch
    frames = torch.rand(2, 3, grid[0] * grid[1], features)
    maps = to_patches(frames, grid, patch)
    assert torch.equal(from_patches(maps, patch), frames)
    if features == 1:
        images = frames.unflatten(2, grid).squeeze(-1).unsqueeze(2).flatten(0, 1)
        unshuffled = torch.nn.functional.pixel_unshuffle(images, patch).movedim(1, -1)
        assert torch.equal(maps.flatten(0, 1), unshuffled)


def test_the_lstm_remembers_through_its_cell_state() -> None:
    """With the hidden path cut, what came first still reaches the output: c is part of it."""
    torch.manual_seed(0)
    cell = LSTMCell(2, 3, kernel=3).double()
    torch.nn.init.zeros_(cell.recurrent.weight)
    x = torch.randn(4, 1, 2, 2, 2, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(cell(x)[0][-1].sum(), x)
    assert gradient[0].abs().sum() > 0


def test_the_lstm_by_its_equation() -> None:
    torch.manual_seed(0)
    cell = LSTMCell(2, 3, kernel=1).double()
    x = torch.randn(3, 2, 1, 1, 2, dtype=torch.float64)
    weight, bias, back = cell.conv.weight.flatten(1), cell.conv.bias, cell.recurrent.weight.flatten(1)
    h = c = torch.zeros(2, 3, dtype=torch.float64)
    for step, x_t in enumerate(x[:, :, 0, 0]):
        i, f, g, o = (x_t @ weight.t() + bias + h @ back.t()).chunk(4, 1)
        c = torch.sigmoid(f + 1) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        torch.testing.assert_close(cell(x)[0][step, :, 0, 0], h)


@pytest.mark.parametrize("ahead", [2, 3, 8])
def test_sim_vp_goes_on_from_its_own_frames(ahead: int) -> None:
    torch.manual_seed(0)
    signal = video(3, ahead, (8, 12), 2)
    network = SimVP(signal, dim=4, hidden=8, depth=1, kernel=3)
    frames = torch.rand(3 + ahead, 2, 96, 2)
    made = network(frames)
    assert made.shape == (ahead, 2, 96, 2)
    assert torch.equal(made, network(frames[:3])), "later frames are not looked at"
    if ahead > 3:
        torch.testing.assert_close(network(made[:3])[:3], made[3:6])


@pytest.mark.parametrize(
    ("signal", "knobs", "knob", "words"),
    [
        (video(ahead=0), {}, "type", "continues videos"),
        (video(grid=(8, 6)), {"patch": 4}, "patch", "do not fill frames of 8 x 6"),
        (video(), {"kernel": 4}, "kernel", "does not keep the size"),
        (video(), {"dim": 6, "norm_groups": 4}, "norm_groups", "do not divide 6 channels"),
        (SignalSpec(3, 8, 1, ahead=2), {}, "type", "no grid"),
    ],
)
def test_what_does_not_fit_is_refused(signal: SignalSpec, knobs: dict[str, object], knob: str, words: str) -> None:
    with pytest.raises(ShapeError, match=words) as caught:
        small(signal, **knobs)
    assert caught.value.knob == knob


def test_frames_of_another_size_are_refused() -> None:
    with pytest.raises(ShapeError, match="hands on frames"):
        Frames(SignalSpec(4, 6, 8, kind="spikes"), 1)
    with pytest.raises(ShapeError, match="halves frames twice"):
        SimVP(video(grid=(6, 8)))


@pytest.mark.slow
def test_it_learns_four_clips_by_heart() -> None:
    """Free-running error below half of the copy's and below that of black frames, within 300 steps."""
    from snnctl.data.video.moving.component import MovingDigits

    data = MovingDigits(canvas=64, train=4, val=1, test=1, fresh=False).load()
    batch = data.split("train").batch(torch.arange(4))
    frames = batch.frames.transpose(0, 1)
    signal = data.input_signal
    torch.manual_seed(1)
    network = VideoStack(signal.replace(steps=signal.frames, frames=0), neuron="stc_lif")
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    for step in range(300):
        network.train()
        network.training_step_progress(step / 300)
        loss = ((network(frames) - frames[1:]) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    network.eval()
    with torch.no_grad():
        error = float(((network(frames[:10])[-10:] - frames[10:]) ** 2).mean())
    copy = float(((frames[9:10] - frames[10:]) ** 2).mean())
    black = float((frames[10:] ** 2).mean())
    assert error < copy / 2
    assert error < black

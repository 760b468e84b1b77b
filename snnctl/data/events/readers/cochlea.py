"""A small front end that turns sound into spikes: band-pass bank, compression, one neuron per band."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from snnctl.core.seeds import stream_seed

Sound = npt.NDArray[np.float64]
_LOUDNESS = 0.3  # root mean square that every clip is brought to


@dataclass(frozen=True)
class FrontEnd:
    """Sound to spikes.

    Equation:
        x[n] <- x[n] - emphasis x[n-1], then scaled to a root mean square of 0.3
        P[t, k] = |FFT of a Hann window of x around t|^2 / sum of the window's squares,  every `hop_ms`
        c[t, b] = log(1 + squash * sum_k M[b, k] P[t, k])                    M: triangles on the mel scale, sum 1
        v[t] = exp(-hop_ms / tau_ms) v[t-1] + gain c[t] (1 + noise N(0, 1))
        spike where v > 1, then v = 0 for `refractory_ms`

    Args:
        bands: channels, lowest first.
        low, high: Hz, ends of the bank; `high` is cut to 0.475 of the sampling rate.
        window_ms, hop_ms: of the analysis, milliseconds.
        emphasis: of high frequencies, in which speech is weak.
        squash: how strongly quiet bands are raised.
        gain: of the neurons; 0.064 gives about 10 spikes per second and band on the spoken digits of FSDD.
        tau_ms, refractory_ms: of the neurons, milliseconds.
        noise: standard deviation of the multiplicative noise; silence stays silent.
        seed: of that noise.

    Source: ours.
    """

    bands: int = 100
    low: float = 80.0
    high: float = 3800.0
    window_ms: float = 32.0
    hop_ms: float = 1.0
    emphasis: float = 0.97
    squash: float = 100.0
    gain: float = 0.064
    tau_ms: float = 5.0
    refractory_ms: float = 3.0
    noise: float = 0.1
    seed: int = 0

    def spikes(self, sound: Sound, rate: int, number: int = 0) -> tuple[Sound, npt.NDArray[np.int64]]:
        """Times in seconds, ascending, and bands of the spikes of one clip.

        Args:
            sound: [n] samples.
            rate: samples per second.
            number: of the clip, so that each has noise of its own.
        """
        currents = self.currents(sound, rate)
        random = np.random.default_rng(stream_seed(self.seed, "data", number))
        currents = self.gain * currents * (1 + self.noise * random.standard_normal(currents.shape))
        decay, pause = np.exp(-self.hop_ms / self.tau_ms), round(self.refractory_ms / self.hop_ms)
        potential, ready = np.zeros(self.bands), np.zeros(self.bands, np.int64)
        fired = np.zeros(currents.shape, bool)
        for step, current in enumerate(currents):
            potential = np.where(ready <= step, decay * potential + current, 0.0)
            fired[step] = spiking = potential > 1.0
            potential[spiking] = 0.0
            ready[spiking] = step + 1 + pause
        steps, bands = np.nonzero(fired)
        return steps.astype(np.float64) * (self.hop_ms / 1000), bands.astype(np.int64)

    def currents(self, sound: Sound, rate: int) -> Sound:
        """[steps, bands], compressed power; zeros for a silent clip."""
        window, hop = round(rate * self.window_ms / 1000), max(1, round(rate * self.hop_ms / 1000))
        steps = max(1, len(sound) // hop)
        sound = np.append(sound[:1], sound[1:] - self.emphasis * sound[:-1])
        loudness = float(np.sqrt(np.mean(np.square(sound)))) if len(sound) else 0.0
        if not loudness:
            return np.zeros((steps, self.bands))
        padded = np.pad(sound * (_LOUDNESS / loudness), (window // 2, window))
        shape, (stride,) = (steps, window), padded.strides
        frames = np.lib.stride_tricks.as_strided(padded, shape, (hop * stride, stride), writeable=False)
        taper = np.hanning(window)
        points = 2 ** int(np.ceil(np.log2(2 * window)))
        power = np.abs(np.fft.rfft(frames * taper, points, axis=1)) ** 2 / np.square(taper).sum()
        found: Sound = np.log1p(self.squash * power @ mel_bank(self.bands, self.low, self.high, rate, points).T)
        return found


@lru_cache(maxsize=8)
def mel_bank(bands: int, low: float, high: float, rate: int, points: int) -> Any:
    """[bands, points // 2 + 1] triangles with sum 1 between `low` and `high` Hz, each at least two lines wide.

    Equation:
        mel = 2595 log10(1 + Hz / 700)
    """
    high = min(high, 0.475 * rate)
    first, last = (2595 * np.log10(1 + hertz / 700) for hertz in (low, high))
    mel = np.linspace(first, last, bands + 2)
    hertz = 700 * (10 ** (mel / 2595) - 1)
    line = rate / points
    lines = np.arange(points // 2 + 1) * line
    centre = hertz[1:-1, None]
    below = np.maximum(centre - hertz[:-2, None], line)
    above = np.maximum(hertz[2:, None] - centre, line)
    triangles = np.maximum(0.0, np.minimum(1 - (centre - lines) / below, 1 - (lines - centre) / above))
    return triangles / triangles.sum(1, keepdims=True)

"""The data component `event_spikes`: labelled recordings of spike times, binned on the fly."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Ge, Gt, Le, MinLen

from snnctl.core.catalog import DATA
from snnctl.core.registry import SourcePath
from snnctl.core.signature import takes_knobs
from snnctl.data.base import DataSource
from snnctl.data.cache import Progress
from snnctl.data.cuts import Share
from snnctl.data.events.anew import FittedSpikes
from snnctl.data.events.augment import SpikeAugment
from snnctl.data.events.binning import Binning, Bins, Pool
from snnctl.data.events.cut import By, CutSpec, cut_recordings
from snnctl.data.events.dataset import SpikeData, odd_times
from snnctl.data.events.known import KNOWN
from snnctl.data.events.prepare import local_spikes, named_spikes, prepare
from snnctl.data.events.store import STORE, SpikeManifest, open_part
from snnctl.data.events.times import Clock, Start, TimeUnit
from snnctl.data.pictures import Size, as_pair
from snnctl.data.prepare import Prepared, reported
from snnctl.data.problems import data_error

Speakers = Annotated[list[Annotated[int, Ge(0)]], MinLen(1)]
NO_AUGMENT = SpikeAugment()
_MOST_UNITS, _MOST_CELLS = 1 << 24, 1 << 28  # that are told apart, and of one recording


@DATA.register("event_spikes")
class EventSpikes(DataSource):
    """Recordings of spike times with one class each, such as SHD and SSC: binned into T steps of C channels.

    Sources: shd and ssc from their HDF5 files; fsdd, spoken digits through a front end of snnctl's own; a path to files
    in that layout; or folders `[train|test/]CLASS/x` of recordings: .npz with t and unit (or t, x, y, p; or pos, neg as
    ES-ImageNet has them), .npy with columns x, y, p, t or t, x, y, p, N-MNIST's .bin, AEDAT 2, 3.1 and 4, Prophesee's
    .dat and .raw (EVT 2.0, EVT 3.0), and DVS128 Gesture's folder with tables of labels, whose users are its speakers.

    Recordings stay sparse: times and units lie memory-mapped in the cache, and a batch is binned when it is asked for.
    Makers' parts are kept; what is missing is taken from train, whole speakers where they are known.

    Equation:
        equal:     bin = floor(time T / max_time)
        published: bin = 1 + floor(time (T - 1) / max_time): bin 0 stays empty
        spikes at max_time or later are left out

    Args:
        source: a known name, or a path (./shd, ./shd_train.h5, ./gestures).
        steps: T, bins, >= 2.
        max_time: seconds that are binned, > 0.
        time_unit: what times are counted in; auto = as the format says, else microseconds for whole numbers and seconds
            for fractions. What then falls outside of `max_time`, or into one bin, is told or refused.
        start: zero = times count from 0; first = from the first event of each recording, such as of absolute times.
        bins: equal = T bins of max_time / T; published = as in the code of Moro et al. and sparch.
        channels: C that units are pooled into, <= units (140 = sums of 5 in SHD); null = all units.
        pool: sum = counts of neighbours are added; subsample = every so-manieth unit alone is kept.
        levels: highest count of a bin, 1 to 255, larger ones are cut to it; 1 = binary.
        units: channels of the source; null = as known, else the highest that fires + 1.
        dt_ms: what networks are told that a bin lasts, > 0; null = what it truly lasts (14.14 ms with 100 published
            bins, where the publication says 14).
        size: [rows, columns] of the sensor, for events of pixels; null = as the file says, 34 x 34 for .bin files.
        val: share of train that validates where the source has no part for that, or how many recordings; with speakers
            the nearest whole number of them.
        test: likewise what tests where the source is not cut.
        by: how splits that are missing are made: speaker = whole speakers held out, class = the same share of each
            class, take = the first five takes test (as FSDD's makers have it), auto = speaker where at least three are
            known, else class.
        val_speakers, test_speakers: numbers of those held out; null draws them (fsdd with auto: 4, theo; 5, yweweler).
        split_seed: of those draws; the run's own seed does not touch them.
        augment: what training recordings go through; evaluation never does.

    Shape:
        inputs [B, T, 1, C] float32 whole numbers, targets [B].

    Raises:
        DiagnosticError: D251, nearly all events fall outside or into one bin; or from `probe` and `load`, see
            `snnctl.data.problems`.

    Source: Cramer et al. 2020, "The Heidelberg spiking data sets", arXiv 1910.07407.
    """

    gives: ClassVar[Literal["classes"]] = "classes"

    @takes_knobs
    def __init__(
        self,
        *,
        source: Annotated[str, SourcePath(known=tuple(KNOWN))],
        steps: Annotated[int, Ge(2)] = 100,
        max_time: Annotated[float, Gt(0.0)] = 1.4,
        time_unit: TimeUnit = "auto",
        start: Start = "zero",
        bins: Bins = "equal",
        channels: Annotated[int, Ge(1)] | None = None,
        pool: Pool = "sum",
        levels: Annotated[int, Ge(1), Le(255)] = 255,
        units: Annotated[int, Ge(1)] | None = None,
        dt_ms: Annotated[float, Gt(0.0)] | None = None,
        size: Size | None = None,
        val: Share = 0.2,
        test: Share = 0.2,
        by: By = "auto",
        val_speakers: Speakers | None = None,
        test_speakers: Speakers | None = None,
        split_seed: Annotated[int, Ge(0)] = 0,
        augment: SpikeAugment = NO_AUGMENT,
    ) -> None:
        known = KNOWN.get(source)
        if known is not None and by == "auto" and val_speakers is None and test_speakers is None:
            val_speakers, test_speakers = list(known.val_speakers) or None, list(known.test_speakers) or None
        self.source, self.known, self.size = source, known, as_pair(size)
        self.steps, self.max_time, self.bins, self.pool, self.levels = steps, max_time, bins, pool, levels
        self.channels, self.units, self.dt_ms = channels, units, dt_ms
        self.clock = Clock(time_unit, start)
        self.cut = CutSpec(val, test, by, val_speakers, test_speakers, split_seed)
        self.augment = SpikeAugment.of(augment)

    @staticmethod
    def rules(knobs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Named speakers are held out whole, and stand in one split; the times of named sets are known."""
        if knobs["source"] in KNOWN:
            for knob, default in (("time_unit", "auto"), ("start", "zero")):
                if knobs[knob] != default:
                    yield knob, f"the times of {knobs['source']} are known; `{knob}` is for files of your own"
        for knob in ("val_speakers", "test_speakers"):
            if knobs[knob] is not None and knobs["by"] in ("class", "take"):
                yield knob, f"`{knob}` holds whole speakers out, and `by` is {knobs['by']}"
        shared = set(knobs["val_speakers"] or ()) & set(knobs["test_speakers"] or ())
        if shared:
            yield "test_speakers", f"speaker {min(shared)} stands in `val_speakers` and in `test_speakers`"

    def manifest(self, progress: Progress | None = None) -> SpikeManifest:
        """The set in the cache; a local one is taken in now if it has not been before; raises D101."""
        return named_spikes(self.source) if self.known else local_spikes(self.source, self.size, self.clock, progress)

    def prepare(self, progress: Progress | None = None, brought: Path | None = None) -> tuple[Prepared, ...]:
        """The set in the cache; a named one cannot be fetched, and has to be brought."""
        if self.known is not None:
            return (replace(prepare(self.source, brought, progress=progress), name=""),)
        found = self.manifest(progress)
        return (reported(STORE.path(found.key), found),)

    def load(self) -> SpikeData:
        """The set, memory-mapped.

        Raises:
            DiagnosticError: D251 nearly all events fall outside or into one bin, R320 an empty split, R323 speakers,
                R324 channels that units cannot be pooled into.
        """
        manifest = self.manifest()
        binning = self._binning(manifest)
        parts = {name: open_part(manifest, name) for name in manifest.parts}
        cut = cut_recordings(parts, self.cut, manifest.origin)
        told = odd_times(parts, binning, manifest)
        dt_ms, sensor = self.dt_ms or binning.bin_ms, as_pair(manifest.found.get("sensor"))
        sound = self.known is not None and self.known.sound
        fitted = FittedSpikes(tuple(manifest.classes), binning, self.clock, self.size, sensor, sound, dt_ms)
        return SpikeData(manifest, parts, cut, binning, self.augment, dt_ms, told, fitted=fitted)

    def _binning(self, manifest: SpikeManifest) -> Binning:
        units = self.units or max(manifest.units, self.known.units if self.known else 0)
        channels = self.channels or units
        problem, knob = "", "channels"
        if units > _MOST_UNITS or self.steps * channels > _MOST_CELLS:
            message = f"{self.steps} steps of {channels:,} channels (of {units:,} units) are more than is held at once"
            help = "set `data.channels` to fewer, or look at the numbers of the units"
            raise data_error("D252", message, file=manifest.origin, path="data.channels", help=help)
        if units < manifest.units:
            problem, knob = f"unit {manifest.units - 1} fires, and `units` is {units}", "units"
        elif channels > units:
            problem = f"{units} units cannot be pooled into {channels} channels"
        elif self.pool == "subsample" and units % channels:
            problem = f"every so-manieth of {units} units does not give {channels} channels"
        if problem:
            fitting = [units // ratio for ratio in range(2, 11) if units % ratio == 0]
            help = f"channels that divide {units}: {', '.join(map(str, fitting))}" if knob == "channels" else ""
            raise data_error("R324", problem, file=manifest.origin, path=f"data.{knob}", help=help)
        return Binning(self.steps, self.max_time, self.bins, units, channels, self.pool, self.levels)

"""A search by Optuna: what to try next follows from what validation said of what was tried."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from snnctl.core.diagnostic import Diagnostic, DiagnosticError, as_warnings
from snnctl.engine.run_dir import RunDir
from snnctl.recipe.overrides import parse_path
from snnctl.recipe.resolve import Recipe
from snnctl.recipe.source import parse_value, path_text
from snnctl.sweep.grid import Place
from snnctl.sweep.jobs import Ended, Job
from snnctl.sweep.journal import mend_journal
from snnctl.sweep.outcome import Tried
from snnctl.sweep.points import Point, setting

STUDY = "search.log"
_RANGE = re.compile(r"\s*([-+0-9.eE]+)\s*\.\.\s*([-+0-9.eE]+)\s*(?::\s*(log))?\s*")
_DIGITS = 4  # of a number that is tried: more say nothing, and people read them
_REFUSED = 25  # suggestions one after the other that are no valid recipes: then the ranges are at fault


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both included; whole ones if both are written so."""

    path: str
    low: float
    high: float
    whole: bool
    log: bool

    def suggest(self, trial: Any) -> Any:
        if self.whole:
            return trial.suggest_int(self.path, int(self.low), int(self.high), log=self.log)
        return rounded(trial.suggest_float(self.path, self.low, self.high, log=self.log))

    def read(self, stored: Any) -> Any:
        return int(stored) if self.whole else rounded(float(stored))

    @property
    def text(self) -> str:
        return f"{self.path}={self.low:g}..{self.high:g}" + (":log" if self.log else "")


@dataclass(frozen=True)
class Choice:
    """Any of some values, components too."""

    path: str
    values: tuple[Any, ...]

    def suggest(self, trial: Any) -> Any:
        return self.read(trial.suggest_categorical(self.path, [setting(value) for value in self.values]))

    def read(self, stored: Any) -> Any:
        return next(value for value in self.values if setting(value) == stored)

    @property
    def text(self) -> str:
        return f"{self.path}=[{', '.join(setting(value) for value in self.values)}]"


Space = Range | Choice


def rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")


def read_space(text: str) -> Space:
    """`optim.lr=1e-4..1e-2:log`, `model.dim=16..64` or `model.neuron=[lif, plif]`.

    Raises:
        DiagnosticError: U445, it is neither a range nor a list; R1xx, it cannot be read.
    """
    label = f"--search {text}"
    name, _, rest = text.partition("=")
    path = path_text(parse_path(name.strip(), label))
    matched = _RANGE.fullmatch(rest)
    help = "write optim.lr=1e-4..1e-2:log, model.dim=16..64 or 'model.neuron=[lif, plif]'"
    if matched is None:
        values = parse_value(rest, label) if rest.strip() else None
        if not isinstance(values, list) or len(values) < 2:
            message = f"`{path}` needs a range or a list of at least two values"
            raise DiagnosticError(Diagnostic("U445", message, override=label, help=help))
        return Choice(path, tuple(values))
    ends = [parse_value(one, label) for one in matched.groups()[:2]]
    if not all(isinstance(end, int | float) and not isinstance(end, bool) for end in ends):
        raise DiagnosticError(Diagnostic("U445", f"`{rest}` is not a range of numbers", override=label, help=help))
    low, high = ends
    log = matched[3] is not None
    if low >= high or (log and low <= 0):
        message = f"`{rest}` is empty" if low >= high else f"`{rest}` cannot be logarithmic: it begins at {low:g}"
        raise DiagnosticError(Diagnostic("U445", message, override=label, help=help))
    return Range(path, low, high, isinstance(low, int) and isinstance(high, int), log)


def open_study(
    out: Path,
    spaces: Sequence[Space],
    mode: Literal["min", "max"],
    seed: int,
    identity: Mapping[str, Any],
    *,
    many: bool,
    prune: bool = False,
    warn: Callable[[Sequence[Diagnostic]], None] = as_warnings,
) -> Any:
    """The study that lies in `out`, or a new one; it is a journal that processes on several machines can share.

    Args:
        mode: whether a smaller or a larger value is better.
        seed: of the suggestions.
        identity: what else makes it the same search: the recipe's digest, the seeds.
        many: whether trials run at the same time: then those that run count as bad until they are known.
        prune: whether trials below the median of the others at the same epoch are given up, once five are done.
        warn: told of what a kill had left half written.

    Raises:
        DiagnosticError: U446, Optuna is not installed; U447, another search lies there; U463, the journal is damaged.
    """
    try:
        import optuna
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend
    except ImportError:
        raise DiagnosticError(Diagnostic("U446", help="pip install 'snnctl[sweep]'")) from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warn(mend_journal(out / STUDY))
    storage = JournalStorage(JournalFileBackend(str(out / STUDY)))
    direction: Literal["minimize", "maximize"] = "minimize" if mode == "min" else "maximize"
    study = optuna.create_study(storage=storage, study_name="sweep", direction=direction, load_if_exists=True)
    wanted = {"spaces": [space.text for space in spaces], **identity}
    known = study.user_attrs.get("search")
    if known is None:
        study.set_user_attr("search", wanted)
    elif known != wanted:
        other = ", ".join(key for key in wanted if known.get(key) != wanted[key])
        message = f"`{out}` holds another search, over {'; '.join(known['spaces'])}"
        notes = (f"not the same: {other}",)
        raise DiagnosticError(Diagnostic("U447", message, help="name another --out", notes=notes))
    # A search that goes on must not begin its random draws anew.
    study.sampler = optuna.samplers.TPESampler(seed=seed + 1000 * len(study.trials), constant_liar=many)
    study.pruner = optuna.pruners.MedianPruner() if prune else optuna.pruners.NopPruner()
    return study


@dataclass(eq=False)
class Search:
    """Trials that follow from earlier ones; a trial's value is its mean over the seeds.

    Trials of an earlier, interrupted call go on first. What a suggestion makes invalid is told to the study as failed
    and costs nothing. Whether a trial is given up is asked of its first seed, epoch by epoch.

    Raises:
        DiagnosticError: the last complaint, when no suggestion makes a valid recipe.
    """

    kind: ClassVar[Literal["search"]] = "search"

    study: Any  # see `open_study`
    spaces: Sequence[Space]  # what is searched
    left: int  # how many trials are to be begun yet; at first, how many shall be done in all
    place: Place  # what the runs share
    resolve: Callable[[Point], Recipe | list[Diagnostic]]  # point -> its recipe, or what is wrong with it

    def __post_init__(self) -> None:
        self.out, self.tried = self.place.out, list[Tried]()
        self.refused = self._in_a_row = 0
        self._numbers: dict[int, Tried] = {}
        self._trials: dict[int, Any] = {}
        self._told: dict[int, int] = {}
        self._jobs: deque[Job] = deque()
        for trial in self.study.get_trials(deepcopy=False):
            state = trial.state.name
            if state in ("COMPLETE", "PRUNED", "RUNNING") and len(trial.params) == len(self.spaces):
                self.left -= 1
                values = {space.path: space.read(trial.params[space.path]) for space in self.spaces}
                self._trials[trial.number] = _trial(self.study, trial)
                self._told[trial.number] = len(trial.intermediate_values)
                self._begin(trial.number, values, given_up=state == "PRUNED")

    @property
    def waiting(self) -> int:
        return len(self._jobs) + max(0, self.left) * (len(self.place.seeds) or 1)

    def take(self) -> Job | None:
        while not self._jobs and self.left > 0:
            trial = self.study.ask()
            values = {space.path: space.suggest(trial) for space in self.spaces}
            self._trials[trial.number] = trial
            said = self._begin(trial.number, values)
            if said is None:
                self.left -= 1
                self._in_a_row = 0
                continue
            self._tell(trial.number, None)
            self.refused += 1
            self._in_a_row += 1
            if self._in_a_row >= _REFUSED:
                raise DiagnosticError(said)
        return self._jobs.popleft() if self._jobs else None

    def _begin(self, number: int, values: Mapping[str, Any], *, given_up: bool = False) -> list[Diagnostic] | None:
        """Queue what is not done of a trial, unless it was given up; what is wrong with it, if anything is."""
        point = Point(f"trial {number}", values)
        recipe = self.resolve(point)
        if isinstance(recipe, list):
            return recipe
        one = self.place.tried(point.label, point.sets, dict(values), recipe, f"trial-{number:03}")
        self.tried.append(one)
        self._numbers[number] = one
        for job in one.jobs.values():
            results = RunDir(job.out).results()
            if results is not None:
                one.note(Ended(job, "done", results))
            elif given_up:
                one.note(Ended(job, "given_up"))
            else:
                self._jobs.append(job)
        self._settle(number)
        return None

    def wants(self, job: Job) -> bool:
        """Tell the study the epochs that are new; whether the trial is worth going on with."""
        for number, one in self._numbers.items():
            if next(iter(one.jobs.values())).out == job.out:
                trial, told = self._trials[number], self._told.get(number, 0)
                records = RunDir(job.out).metrics()
                for record in records[told:]:
                    value = record.get(job.watched)
                    if isinstance(value, int | float):
                        trial.report(value, record["epoch"])
                self._told[number] = max(told, len(records))
                return len(records) <= told or len(records) >= job.epochs or not trial.should_prune()
        return True

    def ended(self, found: Ended) -> None:
        """Note it; a trial all of whose seeds are done is told to the study."""
        for number, one in self._numbers.items():
            if any(job.out == found.job.out for job in one.jobs.values()):
                one.note(found)
                if found.state == "given_up":
                    self._jobs = deque(job for job in self._jobs if job not in one.jobs.values())
                self._settle(number)

    def _settle(self, number: int) -> None:
        one = self._numbers[number]
        if one.status == "done":
            self._tell(number, one.score)
        elif one.status == "given_up":
            self.study.tell(number, state=_state("PRUNED"), skip_if_finished=True)
        elif one.status == "failed" and len(one.ended) == len(one.jobs):
            self._tell(number, None)

    def _tell(self, number: int, value: float | None) -> None:
        state = None if value is not None else _state("FAIL")
        self.study.tell(number, value, state=state, skip_if_finished=True)


def _state(name: str) -> Any:
    from optuna.trial import TrialState

    return TrialState[name]


def _trial(study: Any, frozen: Any) -> Any:
    """A trial that can be reported to, of one that the study has."""
    from optuna.trial import Trial

    return Trial(study, frozen._trial_id)  # Optuna has no other way back to it

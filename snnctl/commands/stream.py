"""What `snnctl predict --stream` does: rows come in on stdin, and each is answered at once."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, Literal, TextIO

from snnctl.commands.listener import NOBODY, Listener
from snnctl.core.choices import Checkpoint, Device
from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.engine.interrupt import Stopped, StopRequest
from snnctl.serving.forecaster import Forecaster
from snnctl.serving.model import load
from snnctl.serving.stream.records import LONGEST_LINE, Records, header, written
from snnctl.serving.stream.stream import Stream

OnBad = Literal["stop", "skip"]
# So many refused rows are told one by one.
_TOLD = 100
_MILLISECONDS = 1000.0


def stream(
    run: Path | str,
    warm_up: Path | str | None = None,
    *,
    source: BinaryIO | None = None,
    out: TextIO | None = None,
    as_json: bool = False,
    on_bad: OnBad = "stop",
    checkpoint: Checkpoint = "best",
    device: Device = "auto",
    allow_plugins: bool = True,
    plugins: Sequence[Path | str] = (),
    listener: Listener = NOBODY,
) -> dict[str, Any]:
    """Answer rows as they come, until they end or a signal asks to stop; the row in work is finished.

    Args:
        warm_up: a file of rows before the first one, CSV or JSON lines: they are taken and not answered.
        source: lines, CSV with a header or JSON objects; None = stdin.
        out: where answers go, flushed after each: as CSV where rows come so, else as JSON lines; None = stdout.
        as_json: write JSON lines in any case.
        on_bad: what is done about a row that cannot be used: stop ends, skip tells of it and goes on.

    Returns:
        `run`, `checkpoint`, `columns`, `window`, `horizon`, `series`, `rows` (of the stream), `answers`, `inserted`
        (rows that were missing), `refused`, `warmed_up_by` (rows), `carried` (whether the network went from row to
        row), `why_whole` (where not), `milliseconds` (`p50` and `p99` from a row to its answer, or None),
        `rows_per_second` (by the time that answers took), `stopped` (whether a signal ended it).

    Raises:
        DiagnosticError: as `snnctl.serving.model.load` and `Forecaster.stream`; D290 columns are missing, and with
            `on_bad` stop as `Stream.push`.
    """
    options: dict[str, Any] = {"device": device, "allow_plugins": allow_plugins, "plugins": plugins}
    model = load(run, checkpoint, **options, warn=listener.warn)
    if not isinstance(model, Forecaster):
        help = "leave --stream out: --input - takes items on stdin"
        raise DiagnosticError(Diagnostic("U504", "--stream is for runs that forecast", help=help))
    found = model.stream()
    work = _Work(found, listener, on_bad)
    with StopRequest() as request:
        if warm_up is not None:
            work.warm_up(Path(warm_up), request)
        before = found.rows
        work.answer(source or sys.stdin.buffer, out or sys.stdout, request, as_json=as_json)
    rows_in, seconds = found.rows - before, found.latency.total
    middle, slow = (found.latency.quantile(share) for share in (0.5, 0.99))
    return {
        "run": str(run),
        "checkpoint": model.facts,
        "columns": list(model.columns),
        "window": model.fitted.window,
        "horizon": model.fitted.horizon,
        "series": len(found.series),
        "rows": rows_in,
        "answers": found.answers,
        "inserted": found.inserted,
        "refused": work.refused,
        "warmed_up_by": before,
        "carried": not found.why_whole,
        "why_whole": found.why_whole or None,
        "milliseconds": None
        if middle is None or slow is None
        else {"p50": middle * _MILLISECONDS, "p99": slow * _MILLISECONDS},
        "rows_per_second": found.latency.count / seconds if seconds else None,
        "stopped": request.wanted,
    }


class _Work:
    """One stream on its way.

    Args:
        stream: that answers.
        listener: told of rows that are refused.
        on_bad: as of `stream`.
    """

    def __init__(self, stream: Stream, listener: Listener, on_bad: OnBad) -> None:
        self.stream, self.listener, self.on_bad = stream, listener, on_bad
        self.refused = 0

    def warm_up(self, path: Path, request: StopRequest) -> None:
        """Take the rows of a file."""
        try:
            with path.open("rb") as file:
                for _ in self._taken(file, str(path), request, answer=False):
                    pass
        except OSError as error:
            raise DiagnosticError(Diagnostic("D101", f"`{path}` cannot be read: {error.strerror}")) from error

    def answer(self, source: BinaryIO, out: TextIO, request: StopRequest, *, as_json: bool) -> None:
        """Take rows and write what follows each."""
        began = False
        for records, answers in self._taken(source, "stdin", request, answer=True):
            as_lines = as_json or bool(records.json)
            if not began and not as_lines:
                out.write(header(answers[0]))
            began = True
            out.writelines(written(answers, as_json=as_lines))
            out.flush()

    def _taken(
        self, source: BinaryIO, origin: str, request: StopRequest, *, answer: bool
    ) -> Iterator[tuple[Records, list[dict[str, Any]]]]:
        records, waits = Records(self.stream.fitted, origin), True
        for raw in _lines(source, request):
            try:
                row = records.read(raw)
                if row is None:
                    continue
                found = self.stream.push(row, answer=answer)
            except DiagnosticError as error:
                self._refuse(error, records)
                continue
            if found is not None:
                yield records, found
            elif answer and waits:
                self._tell_waiting()
            waits = False

    def _refuse(self, error: DiagnosticError, records: Records) -> None:
        """Raise, or tell and go on; a header without the columns of training is never passed over."""
        placed = [replace(each, file=records.origin, line=records.line) for each in error.diagnostics]
        if self.on_bad == "stop" or placed[0].code == "D290":
            raise DiagnosticError(placed, error.exit_code) from error
        self.refused += 1
        if self.refused <= _TOLD:
            self.listener.warn([replace(each, severity="warning") for each in placed])
        if self.refused == _TOLD:
            message = f"{_TOLD} rows were refused; further ones are counted, and not told one by one"
            self.listener.warn([Diagnostic("D320", message, severity="warning")])

    def _tell_waiting(self) -> None:
        lacking = min(self.stream.lacking(each) for each in self.stream.series)
        message = f"no answer yet: {lacking} more rows are needed for a window of {self.stream.fitted.window}"
        help = "--input FILE brings rows before the first one"
        self.listener.warn([Diagnostic("D292", message, severity="warning", help=help)])


def _lines(source: BinaryIO, request: StopRequest) -> Iterator[bytes]:
    """Lines as they come, until they end or a stop is asked for; a line that is too long is given in pieces."""
    while not request.wanted:
        try:
            with request.at_once():
                raw = source.readline(LONGEST_LINE + 1)
        except Stopped:
            return
        if not raw:
            return
        yield raw


def refused_options(given: Sequence[str]) -> DiagnosticError:
    """U504: options that a stream does not take."""
    message = f"--stream does not go with {', '.join(given)}"
    help = "each row is answered as it comes, on stdout: use the shell to keep answers (> answers.csv)"
    return DiagnosticError(Diagnostic("U504", message, help=help))

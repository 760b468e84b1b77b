"""A search's journal that a kill has torn goes on; one that is damaged elsewhere is refused by its line."""

from pathlib import Path

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from snnctl.core.diagnostic import DiagnosticError
from snnctl.sweep.journal import mend_journal


def study(path: Path) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    storage = JournalStorage(JournalFileBackend(str(path)))
    return optuna.create_study(storage=storage, study_name="sweep", load_if_exists=True)


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    path = tmp_path / "search.log"
    made = study(path)
    for value in (1.0, 2.0):
        trial = made.ask()
        trial.suggest_float("x", 0.0, 1.0)
        made.tell(trial, value)
    return path


def test_whole_journal_is_left_alone(journal: Path) -> None:
    before = journal.read_bytes()
    assert mend_journal(journal) == mend_journal(journal.with_name("absent")) == []
    assert journal.read_bytes() == before


@pytest.mark.parametrize("cut", [1, 5, 40])
def test_torn_line_is_cut_off(journal: Path, cut: int) -> None:
    whole = journal.read_bytes()
    lines = whole.splitlines(keepends=True)
    journal.write_bytes(whole[:-cut])
    (said,) = mend_journal(journal)
    assert (said.code, said.severity, said.line) == ("U462", "warning", len(lines))
    assert journal.read_bytes() == b"".join(lines[:-1])
    assert len(study(journal).trials) == 2
    assert not journal.with_name("search.log.lock").is_symlink()


def test_line_in_the_middle(journal: Path) -> None:
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(lines[0] + b'{"op_code": 4, "w{"op_code": 4}\n' + b"".join(lines[1:]))
    with pytest.raises(DiagnosticError, match=r"search\.log:2.*U463"):
        mend_journal(journal)

"""Which epoch is the best."""

from snnctl.core.training import EarlyStop, Train


def test_lower_or_higher_is_better() -> None:
    assert EarlyStop(mode="min").better(1.0, 2.0)
    assert not EarlyStop(mode="min").better(2.0, 2.0)
    assert EarlyStop(mode="max").better(2.0, 1.0)
    assert EarlyStop().better(1.0, None)


def test_nan_is_never_better() -> None:
    nan = float("nan")
    for mode in ("min", "max"):
        assert not EarlyStop(mode=mode).better(nan, 1.0)
        assert not EarlyStop(mode=mode).better(nan, None)


def test_the_defaults_are_valid() -> None:
    assert Train.model_validate(Train().model_dump()) == Train()

"""Starting from another run's weights, and parameters at their own pace."""

import json
from pathlib import Path

import pytest
import torch
from engine.tiny_runs import codes, command, start, tiny, trained, write_recipe
from safetensors.torch import load_file, save_file

from snnctl.build import build
from snnctl.core.diagnostic import DiagnosticError
from snnctl.core.training import ParameterGroup
from snnctl.engine.groups import parameter_groups
from snnctl.engine.warm_start import warm_start


def weights(folder: Path) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = load_file(folder / "weights.safetensors")
    return found


def test_training_starts_from_the_best_weights_of_a_run(tmp_path: Path) -> None:
    first = trained(tiny(tmp_path), tmp_path / "first")
    recipe = tiny(tmp_path, f"train.init_from={first.path}", "train.seed=9")
    second = start(recipe, tmp_path / "second")
    expected = weights(first.best)
    assert all(torch.equal(tensor, expected[name]) for name, tensor in weights(second.last).items())
    noted = second.manifest()["init"]
    assert noted["file"] == str(first.best / "weights.safetensors")
    assert noted["loaded"] == len(expected)
    assert noted["fresh"] == noted["unused"] == []


def test_what_fits_is_taken_and_the_rest_is_named(tmp_path: Path) -> None:
    first = trained(tiny(tmp_path), tmp_path / "first")
    wider = tiny(tmp_path, "data.horizon=3")  # another read-out, the same backbone
    network = build(wider).network
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    with pytest.raises(DiagnosticError, match="U418") as failure:
        warm_start(network, first.path, "all")
    assert "readout" in failure.value.diagnostics[0].message
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    found = warm_start(network, first.path, "fitting")
    assert set(found.fresh) == {"readout.linear.weight", "readout.linear.bias"}
    expected = weights(first.best)
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, before[name] if name in found.fresh else expected[name])


def test_a_weights_file_will_do_and_a_strangers_will_not(tmp_path: Path) -> None:
    first = trained(tiny(tmp_path), tmp_path / "first")
    network = build(tiny(tmp_path)).network
    assert warm_start(network, first.best / "weights.safetensors", "all").fresh == ()
    stranger = tmp_path / "stranger.safetensors"
    save_file({"other": torch.zeros(2)}, stranger)
    with pytest.raises(DiagnosticError, match="U418"):
        warm_start(network, stranger, "fitting")
    (tmp_path / "broken.safetensors").write_bytes(b"no weights")
    with pytest.raises(DiagnosticError, match="U418"):
        warm_start(network, tmp_path / "broken.safetensors", "all")
    with pytest.raises(DiagnosticError, match="U418"):
        warm_start(network, tmp_path / "nowhere.safetensors", "all")


def test_relative_paths_are_the_recipes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = trained(tiny(tmp_path), tmp_path / "first")
    path = write_recipe(tmp_path)
    path.write_text(path.read_text().replace("seed: 3}", "seed: 3, init_from: ./first}"))
    monkeypatch.chdir("/")
    assert tiny(tmp_path).train.init_from == str(first.path.resolve())


def test_groups_take_what_they_match_and_no_more(tmp_path: Path) -> None:
    network = build(tiny(tmp_path)).network
    names = dict(network.named_parameters())
    wanted = [ParameterGroup(match="encoder.*", lr_scale=0.1), ParameterGroup(match="*.bias", weight_decay_scale=0.0)]
    rest, encoder, biases = parameter_groups(network, wanted)
    taken = [
        {name for name, p in names.items() if any(p is q for q in group.parameters)}
        for group in (rest, encoder, biases)
    ]
    assert taken[1] == {name for name in names if name.startswith("encoder.")}
    assert taken[2] == {name for name in names if name.endswith(".bias") and not name.startswith("encoder.")}
    assert set.union(*taken) == set(names)
    assert sum(map(len, taken)) == len(names)


def test_a_scale_of_zero_freezes_and_others_scale_rate_and_decay(tmp_path: Path) -> None:
    groups = "train.groups=[{match: encoder.*, lr_scale: 0}, {match: readout.*, lr_scale: 0.5, weight_decay_scale: 2}]"
    recipe = tiny(tmp_path, groups, "optim.weight_decay=0.1")
    experiment = build(recipe)
    optimizer = experiment.make_optimizer(experiment.network)
    assert [g["lr"] for g in optimizer.param_groups] == pytest.approx([0.01, 0.0, 0.005])
    assert [g["weight_decay"] for g in optimizer.param_groups] == pytest.approx([0.1, 0.1, 0.2])
    begun = {name: p.detach().clone() for name, p in experiment.network.named_parameters()}
    run = trained(recipe, tmp_path / "run")
    changed = {
        name: not torch.equal(tensor, begun[name]) for name, tensor in weights(run.last).items() if name in begun
    }
    assert not any(change for name, change in changed.items() if name.startswith("encoder."))
    assert all(change for name, change in changed.items() if name.startswith("readout."))


def test_no_groups_train_as_ever(tmp_path: Path) -> None:
    plain = trained(tiny(tmp_path), tmp_path / "plain")
    one = trained(tiny(tmp_path, "train.groups=[{match: '*'}]"), tmp_path / "one")
    ours, theirs = weights(plain.last), weights(one.last)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours | theirs)


def test_a_pattern_that_matches_nothing_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_recipe(tmp_path)
    arguments = ("train", path, "--runs", tmp_path / "runs", "--set", "train.groups=[{match: decoder.*}]")
    code, document = command(capsys, *arguments)
    assert code == 2, json.dumps(document)
    assert codes(document) == ["R404"]

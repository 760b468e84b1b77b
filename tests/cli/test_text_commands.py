"""Every command on texts: from a folder of files to tokens, training, evaluation and what goes wrong on the way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from snnctl.cli.app import run

pytest.importorskip("tokenizers")

RECIPE = """\
schema: 1
name: tiny-texts
task: {type: classification, metrics: [accuracy], baselines: [majority, tfidf, linear]}
data: {type: text, source: ./reviews, length: 8, tokenizer: {type: word, min_count: 1}}
encoder: {type: embedding, dim: 8, steps: 2, scale: 1.0, word_dropout: 0.1, dropout: 0.1}
model:
  {type: spikformer, dim: 8, depth: 1, heads: 2, hidden: 16, norm_gain: 3.0, embed_norm: true,
   position: {type: cpg, neurons: 8}}
train: {epochs: 2, batch_size: 32, seed: 3, early_stop: {metric: val/accuracy, mode: max}}
"""


def sentence(i: int) -> str:
    """Of any length, with the class in one word."""
    return " ".join(["so"] * (i % 5) + [("dull", "fine")[i % 2], "film", f"number{i}"])


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    Path("texts.yaml").write_text(RECIPE)
    Path("reviews").mkdir()
    start = 0
    for name, count in (("train", 96), ("dev", 32), ("test", 32)):
        lines = [f"{sentence(i)}\t{i % 2}" for i in range(start, start + count)]
        Path("reviews", f"{name}.tsv").write_text("\n".join(lines))
        start += count
    return "texts.yaml"


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Any:
    def call(*words: str, code: int = 0) -> str:
        assert run(list(words)) == code
        out, err = capsys.readouterr()
        return out if code == 0 else out + err

    return call


def test_train_and_eval(recipe: str, say: Any) -> None:
    out = say("train", recipe, "--out", "one")
    lines = [line.split() for line in out.splitlines() if line.strip()]
    assert [line[0] for line in lines[2:5]] == ["spiking", "majority", "tfidf"]
    assert (lines[3][1], lines[4][1]) == ("0.5", "1")
    results = json.loads(say("eval", "one", "--json"))
    trained = json.loads(Path("one/results.json").read_text())
    assert results["metrics"] == trained["metrics"]  # the same words have the same numbers
    assert results["baselines_omitted"]["linear"] == "it needs real inputs, these are int64"
    assert results["leaky"] is False


def test_a_twin_trains(recipe: str, say: Any) -> None:
    document = json.loads(say("train", recipe, "--set", "model.spiking=false", "--out", "twin", "--json"))
    assert document["spiking"] is False
    assert document["metrics"]["test/accuracy"] >= 0.5


def test_interrupted_and_resumed_is_the_same_run(recipe: str, say: Any) -> None:
    say("train", recipe, "--out", "whole")
    say("train", recipe, "--out", "halves", "--stop-after", "1", code=75)
    say("train", "--resume", "halves")
    for file in ("metrics.jsonl", "checkpoints/last/weights.safetensors"):
        assert Path("whole", file).read_bytes() == Path("halves", file).read_bytes()


def test_changed_texts_are_refused(recipe: str, say: Any) -> None:
    say("train", recipe, "--out", "run", "--stop-after", "1", code=75)
    path = Path("reviews/train.tsv")
    path.write_text(path.read_text().replace("number0\t", "number1000\t"))
    assert "error[D401]" in say("train", "--resume", "run", code=3)


def test_dry_run_and_data(recipe: str, say: Any) -> None:
    found = json.loads(say("train", recipe, "--dry-run", "--json"))
    assert found["items"] == {"train": 96, "val": 32, "test": 32}
    assert found["signals"]["input"].startswith("L<=8 ")
    assert "96 items, by class: 48, 48" in say("data", "info", recipe)
    facts = json.loads(say("data", "info", recipe, "--json"))["data"]
    assert facts["first_tokens"][:2] == ["[pad]", "[unk]"]
    assert "error[U431]" in say("data", "prep", recipe, code=2)


@pytest.mark.parametrize(
    ("change", "words", "code"),
    [
        ("data.source=mr", "snnctl data prep mr", 3),
        ("data.source=./absent", "no file or folder", 3),
        ("data.source=sst3", "did you mean `sst", 2),
        ("encoder=repeat", "use `encoder: {type: embedding}`", 2),
        ("model={type: spike_gru}", "takes sequences of one length", 2),
        ("model={type: ispikformer, dim: 8, heads: 2}", "takes sequences of one length", 2),
        ("readout={type: mean_linear, skip: linear}", "the data are tokens", 2),
        ("data.folds=1", "folds", 2),
        ("data.fold=5", "", 0),
        ("data={type: text, source: ./reviews, folds: 4, fold: 4}", "`fold` must be below `folds`", 2),
        ("data.tokenizer.vocabulary=2", "vocabulary", 2),
        ("data.tokenizer={type: pretrained, path: ./absent}", "no tokenizer.json or vocab.txt", 3),
        ("encoder.vectors=./absent.txt", "no file", 3),
        ("encoder.word_dropout=1.0", "word_dropout", 2),
        ("task=forecasting", "needs data with series", 2),
    ],
)
def test_what_is_refused(change: str, words: str, code: int, recipe: str, say: Any) -> None:
    assert words in say("validate", recipe, "--set", change, code=code)


def test_vectors_of_a_file(recipe: str, say: Any) -> None:
    Path("glove.txt").write_text("film " + "0.5 " * 7 + "0.5\ndull " + "1 " * 7 + "1\n")
    say("train", recipe, "--set", "encoder.vectors=./glove.txt", "--set", "train.epochs=1", "--out", "one")
    assert json.loads(say("eval", "one", "--json"))["ok"] is True
    wrong = say("validate", recipe, "--set", "encoder.vectors=./glove.txt", "--set", "encoder.dim=4", code=2)
    assert "use `dim: 8`" in wrong


ORDER = """\
schema: 1
name: order-of-words
task: {type: classification, metrics: [accuracy], baselines: [majority, tfidf]}
data: {type: text, source: ./order, length: 16, tokenizer: {type: word, min_count: 1}}
encoder: {type: embedding, dim: 32, steps: 4}
model:
  {type: spikformer, dim: 32, depth: 1, heads: 4, hidden: 64, attention_scale: 1.0, norm_gain: 2.0, embed_norm: true,
   position: {type: cpg, neurons: 40, base: 1000.0}}
optim: {type: adamw, lr: 5.0e-3, weight_decay: 1.0e-2}
schedule: cosine
train: {epochs: 25, batch_size: 64, seed: 1, clip_norm: 1.0}
"""


def order_texts(folder: Path) -> None:
    """Pairs of texts of 5 to 16 words that hold the same words; the class is which of `left` and `right` is first."""
    import numpy as np

    random = np.random.default_rng(0)
    folder.mkdir()
    seen: set[str] = set()
    for name, pairs in (("train", 1000), ("dev", 200), ("test", 300)):
        lines = []
        while len(lines) < 2 * pairs:
            words = [f"w{i}" for i in random.integers(0, 5, random.integers(3, 15))]
            for place in sorted(random.choice(len(words) + 2, 2, replace=False)):
                words.insert(place, "left" if "left" not in words else "right")
            text = " ".join(words)
            if text not in seen:
                turned = " ".join({"left": "right", "right": "left"}.get(word, word) for word in words)
                seen |= {text, turned}
                lines += [f"{text}\t0", f"{turned}\t1"]
        (folder / f"{name}.tsv").write_text("\n".join(lines))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "low", "high"),
    [(("train.seed=1",), 0.95, 1.0), (("model.position=none", "train.epochs=3"), 0.5, 0.5)],
)
def test_the_order_of_words_is_seen_with_cpg_alone(
    changes: tuple[str, ...], low: float, high: float, recipe: str, say: Any
) -> None:
    order_texts(Path("order"))
    Path("order.yaml").write_text(ORDER)
    document = json.loads(
        say("train", "order.yaml", *(word for change in changes for word in ("--set", change)), "--json")
    )
    assert low <= document["metrics"]["test/accuracy"] <= high
    assert document["baselines"]["majority"]["accuracy"] == 0.5


def test_untrained_networks_see_order_by_their_position_alone(recipe: str) -> None:
    """Texts of different lengths, in exact arithmetic: the same words in another order."""
    import torch

    from snnctl.build import build
    from snnctl.recipe import load_recipe

    order_texts(Path("order"))
    Path("order.yaml").write_text(ORDER)
    for position, same in (("none", True), ("cpg", False)):
        network = build(load_recipe(Path("order.yaml"), [f"model.position={position}"])).network.double()
        ids = build(load_recipe(Path("order.yaml"))).data.split("test").batch(torch.arange(40)).inputs
        network(ids)
        network.eval()
        turned = network(ids.clone()[torch.arange(40) ^ 1])  # the twin of each text
        assert torch.allclose(network(ids), turned, rtol=0, atol=1e-9) is same

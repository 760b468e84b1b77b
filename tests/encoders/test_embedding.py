"""Embedding of tokens: currents by hand, dropout of words and values, vectors from files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from snnctl.core.diagnostic import DiagnosticError
from snnctl.core.shapes import ShapeError, SignalSpec
from snnctl.encoders import Embedding, Repeat

WORDS = ("[pad]", "[unk]", "film", "Warm", "joy")
TOKENS = SignalSpec(0, 6, len(WORDS), kind="tokens", ragged=True, words=WORDS)
IDS = torch.tensor([[2, 3, 0], [4, 0, 0]])


def test_the_vector_is_the_current_of_every_step() -> None:
    encoder = Embedding(TOKENS, dim=3, steps=2, norm_gain=None, neuron=None)
    currents = encoder(IDS)
    assert currents.shape == (2, 2, 3, 3)
    assert torch.equal(currents[0, 0, 1], encoder.table.weight[3])
    assert torch.equal(currents[0], currents[1])
    assert not currents[:, 0, 2].any()
    assert not currents[:, 1, 1:].any()
    packed = encoder(IDS, encoder.tokens(IDS))
    assert torch.equal(packed[0, 0], encoder.table.weight[torch.tensor([2, 3, 4])])
    assert (encoder.output.kind, encoder.output.ragged, encoder.output.features) == ("real", True, 3)


def test_the_norm_sees_tokens_alone() -> None:
    encoder = Embedding(TOKENS, dim=3, norm_gain=2.0, neuron=None)
    out = encoder(IDS, encoder.tokens(IDS))[0, 0]
    torch.testing.assert_close(out.mean(0), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(out.std(0, unbiased=False), torch.full((3,), 2.0), atol=1e-3, rtol=0)


def test_spikes_come_from_the_neuron() -> None:
    encoder = Embedding(TOKENS, dim=16, steps=4)
    out = encoder(IDS)
    assert set(out.unique().tolist()) == {0.0, 1.0}
    assert (encoder.output.kind, encoder.output.levels) == ("spikes", 1)
    out.sum().backward()
    assert encoder.table.weight.grad is not None
    assert not encoder.table.weight.grad[:2].any()  # tokens that are not there


def test_words_are_dropped_whole_and_values_one_by_one() -> None:
    ids = torch.randint(2, 5, (40, 6))
    whole = Embedding(TOKENS, dim=16, norm_gain=None, neuron=None, word_dropout=0.3)
    gone = (whole(ids)[0] == 0).double().mean(-1)
    assert set(gone.unique().tolist()) == {0.0, 1.0}
    assert 0.15 < float(gone.mean()) < 0.45
    assert torch.equal(whole.eval()(ids), whole(ids))
    single = Embedding(TOKENS, dim=16, norm_gain=None, neuron=None, dropout=0.5)
    out = single(ids)
    assert torch.equal(out[0], out[1])  # the same values at every step
    kept = out[0] != 0
    assert 0.4 < float(kept.double().mean()) < 0.6
    torch.testing.assert_close(out[0][kept], 2 * single.table.weight[ids][kept])


def test_tokens_and_values_are_not_mixed_up() -> None:
    with pytest.raises(ShapeError, match="takes real values") as caught:
        Repeat(TOKENS)
    assert "embedding" in caught.value.help
    with pytest.raises(ShapeError, match="takes tokens"):
        Embedding(SignalSpec(0, 6, 5), dim=3)


class TestVectors:
    TABLE = torch.arange(10.0).view(5, 2) + 1

    def started(self, path: Path, **knobs: Any) -> Tensor:
        torch.manual_seed(0)
        weight = Embedding(TOKENS, **{"dim": 2, "vectors": str(path), **knobs}).table.weight.detach()
        torch.manual_seed(0)
        self.random = Embedding(TOKENS, dim=2).table.weight.detach()
        assert not weight[0].any()
        return weight

    @pytest.mark.parametrize("head", ["", "3 2\n"])
    def test_text(self, tmp_path: Path, head: str) -> None:
        path = tmp_path / "glove.txt"
        path.write_text(head + "film 1 2\nwarm 3 4.5\nother 9 9\n")
        weight = self.started(path)
        assert weight[2].tolist() == [1, 2]
        assert weight[3].tolist() == [3, 4.5]  # `Warm` has no vector of its own, `warm` has
        assert torch.equal(weight[[1, 4]], self.random[[1, 4]])

    def test_one_row_per_token(self, tmp_path: Path) -> None:
        np.save(tmp_path / "a.npy", self.TABLE.numpy())
        save_file({"anything": self.TABLE}, tmp_path / "a.safetensors")
        for name in ("a.npy", "a.safetensors"):
            assert torch.equal(self.started(tmp_path / name)[1:], self.TABLE[1:])

    @pytest.mark.parametrize("form", ["vocab.txt", "wordpiece", "unigram"])
    def test_a_checkpoint(self, tmp_path: Path, form: str) -> None:
        theirs = ["[PAD]", "joy", "film", "warm", "x"]
        if form == "vocab.txt":
            (tmp_path / "vocab.txt").write_text("\n".join(theirs) + "\n")
        else:
            vocab: Any = {f"Ġ{w}" if w == "joy" else w: i for i, w in enumerate(theirs)}
            if form == "unigram":
                vocab = [[f"▁{w}", -1.0] for w in theirs]
            (tmp_path / "tokenizer.json").write_text(json.dumps({"model": {"vocab": vocab}}))
        tensors = {"bert.embeddings.word_embeddings.weight": self.TABLE, "bert.pooler.dense.weight": self.TABLE.T}
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, tmp_path / "model.safetensors")
        weight = self.started(tmp_path)
        for mine, row in ((4, 1), (2, 2), (3, 3)):
            assert torch.equal(weight[mine], self.TABLE[row])
        assert torch.equal(weight[1], self.random[1])

    def test_a_checkpoint_in_pieces(self, tmp_path: Path) -> None:
        (tmp_path / "vocab.txt").write_text("film\njoy\n")
        save_file({"model.embed_tokens.weight": self.TABLE[:2].contiguous()}, tmp_path / "part2.safetensors")
        index = {"weight_map": {"model.embed_tokens.weight": "part2.safetensors", "lm.weight": "part1.safetensors"}}
        (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
        assert torch.equal(self.started(tmp_path)[4], self.TABLE[1])

    def test_fixed_vectors_are_not_trained(self, tmp_path: Path) -> None:
        np.save(tmp_path / "a.npy", self.TABLE.numpy())
        encoder = Embedding(TOKENS, dim=2, vectors=str(tmp_path / "a.npy"), learn_vectors=False)
        assert not encoder.table.weight.requires_grad

    def test_what_does_not_fit(self, tmp_path: Path) -> None:
        np.save(tmp_path / "a.npy", self.TABLE.numpy())
        with pytest.raises(ShapeError, match="2 values, not 3") as wide:
            Embedding(TOKENS, dim=3, vectors=str(tmp_path / "a.npy"))
        assert (wide.value.knob, wide.value.help) == ("dim", "use `dim: 2`")
        np.save(tmp_path / "b.npy", self.TABLE[:4].numpy())
        with pytest.raises(ShapeError, match="not one row for each of 5"):
            Embedding(TOKENS, dim=2, vectors=str(tmp_path / "b.npy"))
        (tmp_path / "c.txt").write_text("strange 1 2\n")
        with pytest.raises(ShapeError, match="no word"):
            Embedding(TOKENS, dim=2, vectors=str(tmp_path / "c.txt"))
        (tmp_path / "d.txt").write_text("film 1 2\nWarm 1\n")
        save_file({"a": self.TABLE, "b": self.TABLE.clone()}, tmp_path / "e.safetensors")
        (tmp_path / "f.npy").write_bytes(b"no array")
        for name, code in (
            ("d.txt", "D104"),
            ("e.safetensors", "D104"),
            ("f.npy", "D104"),
            ("absent.txt", "D101"),
            (".", "D101"),
        ):
            with pytest.raises(DiagnosticError) as caught:
                Embedding(TOKENS, dim=2, vectors=str(tmp_path / name))
            assert caught.value.diagnostics[0].code == code, name

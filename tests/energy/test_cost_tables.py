from __future__ import annotations

from pathlib import Path

import pytest
from energy_rows import edited

from snnctl.core.diagnostic import DiagnosticError, ExitCode
from snnctl.energy.price.sections import Fixed, IntScaled
from snnctl.energy.price.table import FOLDER, load_table, read_table, table_names

FP32 = (FOLDER / "horowitz45_fp32.yaml").read_text()
LEMAIRE = (FOLDER / "lemaire45.yaml").read_text()


def test_what_ships():
    assert table_names() == [
        "arm", "cpu", "flat_mem", "gpu", "horowitz45_fp16", "horowitz45_fp32", "horowitz45_int32", "horowitz45_int8",
        "int_scaled", "lemaire45", "loihi", "spinnaker1", "spinnaker2", "yan22",
    ]  # fmt: skip


@pytest.mark.parametrize("name", table_names())
def test_shipped_tables_cite_every_constant(name: str):
    table = load_table(name)
    assert table.name == name
    assert table.summary
    assert table.constants()
    assert all(len(constant.source) > 10 for constant in table.constants())


@pytest.mark.parametrize(
    ("name", "mac", "ac"),
    [("horowitz45_fp32", 4.6, 0.9), ("horowitz45_fp16", 1.5, 0.4), ("horowitz45_int8", 0.23, 0.03),
     ("horowitz45_int32", 3.2, 0.1), ("flat_mem", 4.6, 0.9), ("lemaire45", 3.2, 0.1), ("yan22", None, 0.05448)],
)  # fmt: skip
def test_arithmetic(name: str, mac: float | None, ac: float):
    costs = load_table(name).arithmetic
    assert isinstance(costs, Fixed)
    assert (costs.mac(), costs.add()) == (mac, ac)
    if mac is not None:
        assert costs.mul() == pytest.approx(mac - ac)


@pytest.mark.parametrize(
    ("name", "event", "update", "spiking"),
    [("cpu", 8.6e-9, 8.6e-9, False), ("gpu", 0.3e-9, 0.3e-9, False), ("arm", 0.9e-9, 0.9e-9, False),
     ("loihi", 27.1e-12, 81e-12, True), ("spinnaker1", 13.3e-9, 26e-9, True), ("spinnaker2", 450e-12, 2.19e-9, True)],
)  # fmt: skip
def test_devices(name: str, event: float, update: float, spiking: bool):
    device = load_table(name).device
    assert device is not None
    assert device.synaptic_event_pj.value * 1e-12 == pytest.approx(event)
    assert device.neuron_update_pj.value * 1e-12 == pytest.approx(update)
    assert device.spiking is spiking


def test_int_scaled_reproduces_what_it_scales_from():
    costs = load_table("int_scaled").arithmetic
    assert isinstance(costs, IntScaled)
    assert costs.add() == 0.05  # 16 bits
    wide = edited("int_scaled", ("weight_bits: 8", "weight_bits: 32"), ("accumulator_bits: 16", "accumulator_bits: 32"))
    assert isinstance(wide.arithmetic, IntScaled)
    assert wide.arithmetic.mac(32) == pytest.approx(3.2)
    eight = edited("int_scaled", ("accumulator_bits: 16", "accumulator_bits: 8")).arithmetic
    assert isinstance(eight, IntScaled)
    assert (round(eight.mul(), 3), eight.add()) == (0.194, 0.025)


def test_a_copy_in_a_folder_is_read_by_its_path(tmp_path: Path):
    mine = tmp_path / "mine.yaml"
    mine.write_text(FP32.replace("name: horowitz45_fp32", "name: mine").replace("value: 4.6", "value: 5"))
    for path in (mine, str(mine)):
        table = load_table(path)
        assert (table.name, table.file) == ("mine", str(mine))
        assert isinstance(table.arithmetic, Fixed)
        assert table.arithmetic.mac() == 5


MAC = '{value: 4.6, source: "fp32 multiply 3.7 + add 0.9 (Horowitz, ISSCC 2014, 45 nm)"}'
BROKEN = {
    # what is wrong: (text, code, line, column, words of the message, words of the help)
    "unknown key": (FP32.replace("  mac_pj", "  mac_pJ"), "R201", 9, 3, "unknown key `mac_pJ`", "`mac_pj`"),
    "unknown section": (FP32 + "memori: {model: none}\n", "R201", 13, 1, "`memori` for a cost table", "`memory`"),
    "negative constant": (FP32.replace("value: 4.6", "value: -4.6"), "R204", 9, 19, ">= 0, got -4.6", ""),
    "bare number": (FP32.replace(MAC, "4.6"), "R207", 9, 11, "`arithmetic.mac_pj` has no source", "value: 4.6"),
    "missing source": (FP32.replace(MAC, "{value: 4.6}"), "R207", 9, 3, "has no source", "source:"),
    "empty source": (FP32.replace(MAC, '{value: 4.6, source: " "}'), "R206", 9, 32, "must not be empty", ""),
    "null source": (FP32.replace(MAC, "{value: 4.6, source: }"), "R207", 9, 31, "is empty", "comes from"),
    "wrong type": (FP32.replace("value: 4.6", "value: cheap"), "R203", 9, 19, "float, got text 'cheap'", ""),
    "quoted number": (FP32.replace("value: 4.6", "value: '4.6'"), "R203", 9, 19, "float", "without quotes"),
    "not a number": (FP32.replace("value: 4.6", "value: .nan"), "R206", 9, 19, "finite", ""),
    "width with a fraction": (LEMAIRE.replace("data_bits: 32", "data_bits: 32.5"), "R203", 15, 14, "int", ""),
    "width of nothing": (LEMAIRE.replace("data_bits: 32", "data_bits: 0"), "R204", 15, 14, "got 0", ""),
    "unknown rule": (FP32.replace("bitplane", "bitplan"), "R205", 6, 7, "`rule` must be", "`bitplane`"),
    "unknown variant": (LEMAIRE.replace("variant: a", "variant: d"), "R205", 14, 12, "memory.variant", ""),
    "unknown model": (FP32.replace("model: fixed", "model: fixd"), "R205", 8, 10, "unknown model", "`fixed`"),
    "no model": (FP32.replace("  model: fixed\n", ""), "R202", 7, 1, "has no `model`", "int_scaled"),
    "missing constant": (FP32.replace("  ac_pj", "# ac_pj"), "R202", 7, 1, "missing key `ac_pj`", "an addition"),
    "section is a word": (FP32.replace("{model: none}", "none"), "R203", 12, 9, "`memory` must be a mapping", "flat"),
    "nothing to pay with": ("schema: 1\nname: x\n", "R302", 1, 1, "needs `arithmetic` or `device`", "arithmetic"),
    "device and memory": (
        (FOLDER / "loihi.yaml").read_text() + "memory: {model: none}\n", "R302", 11, 1, "already includes", "remove"
    ),
    "device without a constant": (
        (FOLDER / "loihi.yaml").read_text().split("  neuron_update")[0], "R202", 7, 1, "`neuron_update_pj`", "each step"
    ),
    "other version": (FP32.replace("schema: 1", "schema: 2"), "R205", 3, 9, "`schema`", ""),
    "empty file": ("", "R106", 0, 0, "cost table is empty", "horowitz45_fp32"),
    "a list": ("- 1\n", "R106", 1, 1, "cost table is not a mapping", "schema: 1"),
    "not YAML": (FP32.replace("{model: none}", "{model: none"), "R100", 13, 1, "not valid YAML", ""),
    "duplicate key": (FP32 + "rule: unary\n", "R104", 13, 1, "duplicate key `rule`", "line 6"),
    "alias": (FP32 + "device: *x\n", "R105", 13, 9, "alias", ""),
}  # fmt: skip


@pytest.mark.parametrize("case", list(BROKEN))
def test_broken_tables(case: str, tmp_path: Path):
    text, code, line, column, message, help = BROKEN[case]
    file = tmp_path / "broken.yaml"
    file.write_text(text)
    with pytest.raises(DiagnosticError) as caught:
        load_table(file)
    first = caught.value.diagnostics[0]
    assert (first.code, first.file, first.line, first.column) == (code, str(file), line, column), first.to_line()
    assert message in first.message
    assert help in first.help
    assert caught.value.exit_code == ExitCode.USAGE
    assert "recipe" not in str(caught.value)


def test_everything_wrong_is_told_at_once():
    text = FP32.replace("value: 4.6", "value: -1").replace("mul_pj", "mull_pj").replace("bitplane", "planes")
    with pytest.raises(DiagnosticError) as caught:
        read_table(text)
    assert [d.code for d in caught.value.diagnostics] == ["R205", "R204", "R201"]


def test_files_that_cannot_be_read(tmp_path: Path):
    (tmp_path / "binary.yaml").write_bytes(b"name: \xff\xfe")
    (tmp_path / "large.yaml").write_text("#" * 600_000)
    for path, code in (
        (tmp_path / "none.yaml", "R101"),
        (tmp_path, "R101"),
        ("binary.yaml", "R103"),
        ("large.yaml", "R102"),
    ):
        with pytest.raises(DiagnosticError) as caught:
            load_table(tmp_path / path)
        (problem,) = caught.value.diagnostics
        assert problem.code == code
        assert "cost table" in problem.message
        assert "recipe" not in problem.to_line().replace(str(tmp_path), "")
        assert caught.value.exit_code == ExitCode.USAGE


def test_unknown_name():
    with pytest.raises(DiagnosticError) as caught:
        load_table("horowitz_fp32")
    (problem,) = caught.value.diagnostics
    assert problem.code == "U460"
    assert "did you mean `horowitz45_fp32`?" in problem.help
    assert "lemaire45" in problem.help
    assert caught.value.exit_code == ExitCode.USAGE

"""Bad input of every sort gives a located error and exit status 1, never a traceback and never a long wait.

Programs and data too large or too odd to lie in `tests/bad` are made here.
"""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

import graphnn_compiler as gnn
from graphnn_compiler.cli.main import main
from graphnn_compiler.compiler import Settings, compile_plan
from graphnn_compiler.diagnostics import Diagnostic, GnnError, render
from graphnn_compiler.language.parser import load_source
from graphnn_compiler.source import Source

BAD = Path(__file__).parent / "bad"
GRAPH = 'graph g = read("{}")\ninput x[g.nodes]\noutput y[g.nodes] {{ from x via g.edges }}\n'
TABLE = 'graph g = read("e.csv", source = "a", target = "b")\n'
ARRAY = 'input x[4] = read("{}")\noutput y[2] {{ from x via all }}\n'


def diagnose(text: str, folder: Path = Path(), **settings: object) -> tuple[Diagnostic, ...]:
    return compile_plan(Source("model.gnn", text, folder), Settings(**settings)).diagnostics  # type: ignore[arg-type]


def codes(text: str, folder: Path = Path()) -> list[str]:
    return [diagnostic.code for diagnostic in diagnose(text, folder)]


# ------------------------------------------------------------------ programs


@pytest.mark.parametrize("opening", ["(", "[", "-", "not ", "~", "sym(", "f(x = "])
def test_ten_thousand_nested_brackets(opening: str) -> None:
    (found,) = diagnose(f"let a = {opening * 10_000}1\n")
    assert found.code in ("E004", "E013")
    assert found.span.line == 1


def test_a_long_chain_of_operators_is_answered() -> None:
    found = diagnose("let a = " + " + ".join(["1"] * 50_000) + "\ninput x[a]\noutput y[1] { from x via all }\n")
    assert all(diagnostic.code == "E013" for diagnostic in found)


def test_a_long_chain_of_declarations_is_answered(tmp_path: Path) -> None:
    (tmp_path / "e.csv").write_text("a,b\n1,2\n2,1\n")

    def chain(steps: int, statement: str) -> str:
        links = "".join(f"{statement} e{i + 1} = e{i} | g.edges\n" for i in range(steps))
        return f"{TABLE}edges e0 = g.edges\n{links}input x[g.nodes]\noutput y[g.nodes] {{ from x via e{steps} }}\n"

    assert codes(chain(2_000, "edges"), tmp_path) == []
    (found,) = diagnose(chain(4_000, "let"), tmp_path)
    assert found.code == "E019"
    assert found.message == "the declarations of this program build on each other in too long a chain"


@pytest.mark.parametrize("first", ["same", "g.edges", "same[src.index == dst.index]"])
def test_doubling_declarations_take_no_doubling_time(tmp_path: Path, first: str) -> None:
    (tmp_path / "e.csv").write_text("a,b\n1,2\n2,1\n")
    links = "".join(f"edges e{i + 1} = ~(e{i} | e{i}) - (e{i} - e{i})\n" for i in range(60))
    text = (
        f"{TABLE}edges e0 = {first}\n{links}input x[g.nodes]\noutput y[g.nodes] {{ from x via e60[src.index >= 0] }}\n"
    )
    assert codes(text, tmp_path) == []


@pytest.mark.parametrize("start", ['let s0 = "ab"', 'param s0: path = "ab"'])
def test_doubling_texts_are_refused(start: str) -> None:
    links = "".join(
        f'let s{i + 1} = s{i} + {"s" if "let" in start else "t"}{i}\nlet t{i + 1} = "{"x" * 2000}"\n' for i in range(99)
    )
    found = diagnose(f'{start}\nlet t0 = "x"\n{links}input x[4]\noutput y[4] {{ from x via all }}\n')
    assert [diagnostic.code for diagnostic in found] == ["E124"]


def test_a_long_predicate_is_answered(tmp_path: Path) -> None:
    (tmp_path / "e.csv").write_text("a,b,w\n1,2,3\n2,1,4\n")
    condition = " or ".join(f"w == {i}" for i in range(5_000))
    text = TABLE + f"input x[g.nodes]\noutput y[g.nodes] {{ from x via g.edges[{condition}] }}\n"
    assert set(codes(text, tmp_path)) <= {"E013"}


def test_towers_of_powers_are_not_computed() -> None:
    (found,) = diagnose("let k = 9 ** 9 ** 9 ** 9\ninput x[4]\noutput y[4] { from x via all }\n")
    assert found.code == "E124"


@pytest.mark.parametrize("value", ["2 ** 63", "10 ** 400", "1e308 * 10", "-(2 ** 62) * 4", "exp(1000)", "0.0 / 0"])
def test_numbers_out_of_range_are_refused_where_they_arise(value: str) -> None:
    (found,) = diagnose(f"let k = {value}\ninput x[4]\noutput y[4] {{ from x via all }}\n")
    assert found.code == "E124"


def test_a_long_circle_of_layers_is_found_at_once() -> None:
    n = 2_000
    layers = "".join(f"layer a{i}[2] {{ from a{(i + 1) % n} via same }}\n" for i in range(n))
    found = [d for d in diagnose("input x[2]\n" + layers + "output y[2] { from x via same }\n") if d.code == "E104"]
    assert len(found) == 1


def test_the_arithmetic_of_a_dense_layer_is_shown_at_its_clause() -> None:
    text = "input x[100_000]\noutput y[100_000] {\n  from x via all\n}\n"
    (found,) = diagnose(text)
    assert found.code == "E343"
    assert "100,000 x 100,000 x 4 bytes" in found.message
    assert found.span.text == "from x via all"


def test_huge_sizes_are_refused_before_anything_is_made() -> None:
    for size in (10**10, 10**18, 2**62):
        (found, *_) = diagnose(f"input x[{size}]\noutput y[2] {{ from x via all }}\n")
        assert found.code == "E308"
    assert codes("input x[100000]\noutput y[10] { from x via all - same }\n") == []
    assert codes("input x[1000]\noutput y[1, 1000000000000] { from x via all }\n") == ["E343"]


def test_a_program_that_is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "model.gnn"
    path.write_bytes(b"input x[4]\n# caf\xe9\n")
    source, found = load_source(path)
    assert source is None
    assert [d.code for d in found] == ["E014"]
    with pytest.raises(GnnError):
        gnn.build(path)


def test_a_layer_is_not_divided_by_zero() -> None:
    assert codes("input x[4]\noutput y = x / 0\n") == ["E124"]


def test_a_start_value_that_overflows_is_told_without_a_warning(tmp_path: Path) -> None:
    (tmp_path / "e.csv").write_text("a,b,w\n1,2,3\n2,1,4\n")
    init = "uniform(-1e308, 1) * edge.w"
    text = TABLE + f"input x[g.nodes]\noutput y[g.nodes] {{ from x via g.edges {{ init = {init} }} }}\n"
    assert codes(text, tmp_path) == ["E315"]


@pytest.mark.parametrize("rule", ["all", "same", "all { weights = shared", "same { weights = shared"])
def test_a_start_value_beyond_float32_is_refused(rule: str) -> None:
    options = f"{rule}, init = 1e300 }}" if "{" in rule else f"{rule} {{ init = 1e300 }}"
    text = f"input x[4]\noutput y[4] {{ from x via {options} }}\n"
    assert [(d.code, d.span.text) for d in diagnose(text)] == [("E315", "1e300")]
    assert diagnose(text, dtype="float64") == ()


# ------------------------------------------------------------------ data


def test_an_entity_bomb_is_refused(tmp_path: Path) -> None:
    entities = '<!ENTITY e0 "ha">' + "".join(f'<!ENTITY e{i} "{f"&e{i - 1};" * 10}">' for i in range(1, 12))
    text = f'<?xml version="1.0"?><!DOCTYPE g [{entities}]><graphml><graph><node id="&e11;"/></graph></graphml>'
    (tmp_path / "g.graphml").write_text(text)
    assert codes(GRAPH.format("g.graphml"), tmp_path) == ["E221"]


def test_an_outside_entity_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    graph = '<graphml><graph><node id="&s;"/></graph></graphml>'
    text = f'<?xml version="1.0"?><!DOCTYPE g [<!ENTITY s SYSTEM "secret.txt">]>{graph}'
    (tmp_path / "g.graphml").write_text(text)
    (found,) = diagnose(GRAPH.format("g.graphml"), tmp_path)
    assert found.code == "E221"
    assert "secret" not in render(found).replace("secret.txt", "")


class _Trap:
    """Unpickling it fails the test."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return pytest.fail, ("the pickle was loaded",)


@pytest.mark.parametrize("name", ["x.npz", "x.npy"])
def test_a_pickle_by_another_name_is_never_loaded(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(pickle.dumps(_Trap()))
    assert codes(ARRAY.format(name), tmp_path) in (["E230"], ["E231"])


def test_a_pickle_inside_an_archive_is_never_loaded(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", x=np.array([_Trap()] * 4, dtype=object))
    assert codes(ARRAY.format("x.npz"), tmp_path) == ["E230"]


def test_a_header_that_promises_too_much(tmp_path: Path) -> None:
    with (tmp_path / "x.npy").open("wb") as stream:
        header = {"descr": "<f8", "fortran_order": False, "shape": (10**12, 10**6)}
        np.lib.format.write_array_header_1_0(stream, header)
    assert codes(ARRAY.format("x.npy"), tmp_path) == ["E232"]


@pytest.mark.parametrize("shape", ["(-1,)", "('a',)", "(4, None)", "4", "(1e3,)", "(" * 300])
def test_a_header_that_makes_no_sense(shape: str, tmp_path: Path) -> None:
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".encode().ljust(118) + b"\n"
    start = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little")
    (tmp_path / "x.npy").write_bytes(start + header + b"\0" * 32)
    assert codes(ARRAY.format("x.npy"), tmp_path) == ["E231"]


def test_an_archive_that_unpacks_to_too_much(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.npz", "w", zipfile.ZIP_DEFLATED) as archive, archive.open("x.npy", "w") as out:
        header = {"descr": "<f8", "fortran_order": False, "shape": (10**12,)}
        np.lib.format.write_array_header_1_0(out, header)
        out.write(b"\0" * 10_000_000)
    assert codes(ARRAY.format("x.npz"), tmp_path) == ["E232"]


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe", b"PK\x03\x04", b"\0" * 100, b'"', b"a,b\n" + b'"' * 1000])
@pytest.mark.parametrize(
    "kind", ["csv", "tsv", "npz", "npy", "graphml", "gml", "json", "mtx", "parquet", "csv.gz", "json.gz", "mtx.gz"]
)
def test_rubbish_of_every_extension(kind: str, content: bytes, tmp_path: Path) -> None:
    name = f"e.{kind}"
    (tmp_path / name).write_bytes(content)
    found = diagnose(GRAPH.format(name), tmp_path)
    assert found[0].code.startswith("E2"), render(found[0])
    assert found[0].span.text == f'read("{name}")'


@pytest.mark.parametrize("path", ["", ".", "..", "/", "a/b/c.csv", "\\0.csv", "x" * 5000 + ".csv", "*.csv", "~/e.csv"])
def test_paths_that_lead_nowhere(path: str, tmp_path: Path) -> None:
    found = diagnose(GRAPH.format(path), tmp_path)
    assert [d.code for d in found] in (["E200"], ["E201"], ["E202"], ["E012"])


def test_one_wrong_file_is_one_error(tmp_path: Path) -> None:
    text = TABLE + "input x[g.nodes]\ninput w[g.nodes, 2]\nnodes n = g.nodes[index > 3]\nassert count(g.edges) > 0\n"
    text += "layer h[n] { from x via g.edges from w via ~g.edges }\noutput y[n] { from h via same }\n"
    text += 'input other[4] = read("other.csv")\noutput z[2] { from other via all }\n'
    assert [(d.code, d.span.line) for d in diagnose(text, tmp_path)] == [("E201", 1), ("E201", 8)]


# ------------------------------------------------------------------ saved networks


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("saved") / "net.gnnz"
    gnn.build("input x[4]\noutput y[3] { from x via all }\n").save(path)
    return path.read_bytes()


@pytest.mark.parametrize("kept", [0, 1, 30, 0.5, -1])
def test_a_saved_network_cut_short(kept: float, saved: bytes, tmp_path: Path) -> None:
    path = tmp_path / "net.gnnz"
    path.write_bytes(saved[: int(len(saved) * kept) if isinstance(kept, float) else kept])
    with pytest.raises(GnnError) as caught:
        gnn.load(path)
    assert caught.value.diagnostics[0].code.startswith("E53")
    assert main(["inspect", str(path)]) == 1


def test_a_saved_network_with_any_byte_changed_is_refused_or_means_the_same(saved: bytes, tmp_path: Path) -> None:
    path = tmp_path / "net.gnnz"
    for place in range(0, len(saved), max(1, len(saved) // 100)):
        path.write_bytes(saved[:place] + bytes([saved[place] ^ 0x55]) + saved[place + 1 :])
        try:
            network = gnn.load(path)
        except GnnError:
            continue
        assert list(network.parameters) == ["y.x.weights", "y.bias"]


# ------------------------------------------------------------------ the command line


@pytest.mark.parametrize(
    "name",
    ["E001_unexpected", "E014_not_utf8", "E104_circle", "E131_edge_column", "E201_no_file", "E208_ragged"]
    + ["E230_pickle_named_npz", "E254_empty_graph", "E314_nan_weight", "E343_all", "E403_channels"],
)
def test_the_command_line_says_the_same_and_exits_with_1(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    folder = BAD / name
    assert main(["check", str(folder / "model.gnn")]) == 1
    said = capsys.readouterr()
    first = (folder / "expected.txt").read_text(encoding="utf-8").splitlines()[0]
    assert first in said.out + said.err
    assert "Traceback" not in said.out + said.err

"""The rules of style that no linter has: sizes, docstrings, and the constructs that the package does without."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator

import pytest
from package import FunctionNode, Module, modules

MOST_LINES = 350
MOST_BODY_LINES = 50
LONGER_FILES = {
    # one small class per construct: the syntax tree is read as one page
    "language.nodes": 400,
    # one class: everything that users call on a network is read as one page
    "network": 450,
}
BANNED_CALLS = {"eval", "exec", "compile", "__import__", "breakpoint"}
BANNED_MODULES = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib"}
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "manager", "managers", "common", "misc"}
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")

EVERY_MODULE = pytest.mark.parametrize("module", modules().values(), ids=lambda module: module.name or "__init__")


def own_body(function: FunctionNode) -> list[ast.stmt]:
    return function.body[1:] if ast.get_docstring(function) is not None else function.body


def body_lines(function: FunctionNode) -> int:
    body = own_body(function)
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def is_declaration(function: FunctionNode) -> bool:
    return bool({"overload", "abstractmethod"} & {ast.unparse(decorator) for decorator in function.decorator_list})


def is_empty(function: FunctionNode) -> bool:
    match own_body(function):
        case [] | [ast.Pass()] | [ast.Expr(ast.Constant())]:
            return True
        case [ast.Raise(exc=exception)] if exception is not None:
            return "NotImplementedError" in ast.unparse(exception)
    return False


def banned(module: Module) -> Iterator[tuple[int, str]]:
    """The line and the name of everything in a module that the package does without."""
    for node in ast.walk(module.tree):
        match node:
            case ast.Call(func=ast.Name(id=name)) if name in BANNED_CALLS:
                yield node.lineno, name
            case ast.Call(func=ast.Name(id="print")) if not module.name.startswith("cli"):
                yield node.lineno, "print outside the command line"
            case ast.keyword(arg="allow_pickle", value=ast.Constant(value=True)):
                yield node.lineno, "allow_pickle"
            case ast.ExceptHandler(body=[ast.Pass()]):
                yield node.lineno, "an exception passed over in silence"
            case ast.ExceptHandler(type=None):
                yield node.lineno, "a bare except"
            case ast.ImportFrom(names=[ast.alias(name="*")]):
                yield node.lineno, "a star import"
            case ast.Global():
                yield node.lineno, "a global statement"
    for name in module.imports():
        if name.split(".")[0] in BANNED_MODULES:
            yield 1, name


def changing_globals(module: Module) -> list[str]:
    """Module-level names that hold a list, set or dictionary and are not written as constants."""
    containers = (ast.List, ast.Set, ast.Dict, ast.ListComp, ast.SetComp, ast.DictComp)
    names = []
    for node in module.tree.body:
        match node:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=value)
            ) if isinstance(value, containers) and name not in {name.upper(), "__all__"}:
                names.append(name)
    return names


@EVERY_MODULE
def test_a_module_says_what_it_is_for(module: Module) -> None:
    assert (ast.get_docstring(module.tree) or "").strip()


@EVERY_MODULE
def test_a_module_is_named_for_what_it_holds(module: Module) -> None:
    assert not VAGUE_NAMES & set(module.name.split("."))


@EVERY_MODULE
def test_files_and_functions_are_short(module: Module) -> None:
    assert len(module.text.splitlines()) <= LONGER_FILES.get(module.name, MOST_LINES)
    too_long = {function.name: body_lines(function) for function in module.functions()}
    assert {name: lines for name, lines in too_long.items() if lines > MOST_BODY_LINES} == {}


@EVERY_MODULE
def test_nothing_banned_is_used(module: Module) -> None:
    assert list(banned(module)) == []


@EVERY_MODULE
def test_no_function_is_a_stub(module: Module) -> None:
    protocols = {
        function
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ClassDef) and any(ast.unparse(base).startswith("Protocol") for base in node.bases)
        for function in node.body
    }
    real = {function for function in module.functions() if not is_declaration(function)} - protocols
    assert [function.name for function in real if is_empty(function)] == []


@EVERY_MODULE
def test_no_module_keeps_state(module: Module) -> None:
    assert changing_globals(module) == []


@EVERY_MODULE
def test_nothing_is_left_for_later(module: Module) -> None:
    comments = [
        token.string
        for token in tokenize.generate_tokens(io.StringIO(module.text).readline)
        if token.type in (tokenize.COMMENT, tokenize.STRING)
    ]
    assert [text for text in comments if UNFINISHED.search(text)] == []


def test_the_guards_see_what_they_forbid() -> None:
    text = "import pickle\ndef f():\n  try:\n    eval('1')\n  except OSError:\n    pass\nkept = []\n"
    module = Module("invented", modules()[""].path, text, ast.parse(text))
    assert sorted(what for _, what in banned(module)) == ["an exception passed over in silence", "eval", "pickle"]
    assert changing_globals(module) == ["kept"]
    assert [body_lines(function) for function in module.functions()] == [4]

"""Sizes, docstrings, annotations, and calls that have a better replacement."""

from __future__ import annotations

import ast

from support.source import functions_of, modules, modules_of_tests

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
DOCSTRING_CHARACTERS_MIN = 20

# Where an error of any kind may be caught, besides handlers that raise again at their end.
CATCHES_ALL = {
    "services.background": "the edge of a background task: its error is told, and it begins anew",
    "node.lifecycle": "the edge of the process: a part that fails to stop must not keep the others",
    "sim.executor": "the error of a job belongs to whoever awaits it, whatever it is",
}
PRINTERS = ("faces.", "sim.main")
FAILING_CALLS = ("pytest.raises", "pytest.fail", "pytest.warns", "asyncio.timeout")
# Calls with their replacement. `hash` of text differs between two runs of the interpreter.
REPLACED_CALLS = {
    "hash": "kernels.hashing, or a dict",
    "asyncio.get_event_loop": "asyncio.get_running_loop",
    "asyncio.to_thread": "loop.run_in_executor",
    "threading.Thread": "loop.run_in_executor",
    "threading.Timer": "loop.call_later",
}


def test_files_stay_short() -> None:
    long = [
        f"{m.shown}: {lines} lines"
        for m in (*modules(), *modules_of_tests())
        if (lines := m.text.count("\n")) > FILE_LINES_MAX
    ]
    assert not long, "\n".join(["", *long])


def test_functions_stay_short() -> None:
    long = [
        f"{module.at(function)} {function.name}: {lines} lines"
        for module in (*modules(), *modules_of_tests())
        for function in functions_of(module.tree)
        if (lines := (function.end_lineno or 0) - function.lineno + 1) > FUNCTION_LINES_MAX
    ]
    assert not long, "\n".join(["", *long])


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        m.shown
        for m in modules()
        if len(ast.get_docstring(m.tree) or "") < DOCSTRING_CHARACTERS_MIN
    ]
    assert not silent, "\n".join(["", *silent])


def test_functions_are_annotated() -> None:
    bare = [
        f"{module.at(function)} {function.name}"
        for module in modules()
        for function in functions_of(module.tree)
        if function.returns is None
        or any(
            argument.annotation is None and argument.arg not in ("self", "cls")
            for argument in (
                *function.args.posonlyargs,
                *function.args.args,
                *function.args.kwonlyargs,
            )
        )
    ]
    assert not bare, "\n".join(["", *bare])


def test_errors_are_caught_by_name() -> None:
    broad = [
        module.at(node)
        for module in modules()
        if module.name not in CATCHES_ALL and not module.name.startswith("faces.")
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ExceptHandler) and catches_all(node) and not raises_at_end(node)
    ]
    assert not broad, "\n".join(["", *broad])


def test_only_faces_print() -> None:
    wrong = [
        module.at(node)
        for module in modules()
        if not module.name.startswith(PRINTERS)
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and dotted(node.func) == "print"
    ]
    assert not wrong, "\n".join(["", *wrong])


def test_calls_with_a_replacement_are_not_used() -> None:
    wrong = [
        f"{module.at(node)} {name}: use {REPLACED_CALLS[name]}"
        for module in modules()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and (name := dotted(node.func)) in REPLACED_CALLS
    ]
    assert not wrong, "\n".join(["", *wrong])


def test_sets_are_not_walked_through() -> None:
    """A set of text has another order in every process; the same seed must give the same run."""
    wrong = [
        module.at(node)
        for module in modules()
        for node in ast.walk(module.tree)
        if (isinstance(node, ast.For | ast.AsyncFor | ast.comprehension) and is_set(node.iter))
        or (
            isinstance(node, ast.Call)
            and dotted(node.func) in ("list", "tuple")
            and node.args
            and is_set(node.args[0])
        )
    ]
    assert not wrong, "\n".join(["", *wrong])


def test_every_test_can_fail() -> None:
    asserting = asserting_functions()
    idle = [
        f"{module.at(function)} {function.name}"
        for module in modules_of_tests()
        for function in functions_of(module.tree)
        if module.path.name.startswith("test_")
        and function.name.startswith("test_")
        and not asserts(function, asserting)
    ]
    assert not idle, "\n".join(["", *idle])


def test_a_test_without_assertion_is_recognised() -> None:
    idle = ast.parse("def test_nothing():\n    run()\n").body[0]
    busy = ast.parse("def test_it():\n    with pytest.raises(Bug):\n        run()\n").body[0]
    assert not asserts(idle, {})
    assert asserts(busy, {})


def catches_all(handler: ast.ExceptHandler) -> bool:
    caught = handler.type
    names = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    return any(name is None or dotted(name) in ("Exception", "BaseException") for name in names)


def raises_at_end(handler: ast.ExceptHandler) -> bool:
    return isinstance(handler.body[-1], ast.Raise)


def dotted(node: ast.expr) -> str:
    """`a.b` of such an expression, an empty text for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (base := dotted(node.value)):
        return f"{base}.{node.attr}"
    return ""


def is_set(node: ast.expr) -> bool:
    return isinstance(node, ast.Set | ast.SetComp) or (
        isinstance(node, ast.Call) and dotted(node.func) in ("set", "frozenset")
    )


def is_assertion_error(node: ast.AST) -> bool:
    return isinstance(node, ast.Raise) and "AssertionError" in ast.dump(node)


def asserting_functions() -> dict[str, None]:
    """Names of helpers that assert, themselves or through another such helper."""
    helpers = [
        f
        for module in modules_of_tests()
        for f in functions_of(module.tree)
        if not f.name.startswith("test_")
    ]
    found: dict[str, None] = {}
    while True:
        new = {f.name: None for f in helpers if f.name not in found and asserts(f, found)}
        if not new:
            return found
        found.update(new)


def asserts(function: ast.AST, helpers: dict[str, None]) -> bool:
    for node in ast.walk(function):
        if isinstance(node, ast.Assert) or is_assertion_error(node):
            return True
        if isinstance(node, ast.Call):
            name = dotted(node.func)
            if name in FAILING_CALLS:
                return True
            if name.rpartition(".")[2] in helpers:
                return True
    return False

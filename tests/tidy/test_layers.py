"""Who may import whom: the architecture, checked."""

from __future__ import annotations

import ast

from support.source import Module, imports_of, modules

LAYERS = ("base", "formats", "kernels", "store", "net", "flow", "services", "node", "faces")

# Modules that may load the compiled core; everybody else goes through them.
CORE_USERS = ("kernels.", "net.libp2p")

# In the layers below, whatever is not listed here is pure: time, randomness and I/O are arguments.
PURE_LAYERS = ("base", "formats", "kernels", "store", "net")
OUTSIDE_WORLD = (
    "aiohttp",
    "asyncio",
    "concurrent",
    "ctypes",
    "fcntl",
    "multiprocessing",
    "os",
    "select",
    "selectors",
    "signal",
    "socket",
    "sqlite3",
    "ssl",
    "subprocess",
    "tempfile",
    "threading",
    "time",
)
ADAPTERS = {
    "base.clock": "the one place that reads the time of the machine",
}

TIME_READERS = (
    "datetime.now",
    "time.monotonic",
    "time.monotonic_ns",
    "time.perf_counter",
    "time.perf_counter_ns",
    "time.time",
    "time.time_ns",
)


def name_of(target: str) -> str:
    """The module of this package that an import reaches, or an empty text for others."""
    if target != "quire" and not target.startswith("quire."):
        return ""
    known = {m.name for m in modules()}
    name = target.removeprefix("quire").removeprefix(".")
    while name and name not in known and name != "_core":
        name = name.rpartition(".")[0]
    return name


def test_every_package_belongs_to_a_layer() -> None:
    assert sorted({m.layer for m in modules() if m.layer} - {*LAYERS, "sim"}) == []


def test_imports_only_go_to_the_left() -> None:
    wrong = [
        f"{module.shown}:{found.line} {module.layer} imports {name_of(found.target)}"
        for module in modules()
        if module.layer in LAYERS
        for found in imports_of(module)
        if (layer := name_of(found.target).partition(".")[0]) in LAYERS
        and LAYERS.index(layer) > LAYERS.index(module.layer)
    ]
    assert wrong == []


def test_the_simulator_is_imported_by_its_command_alone() -> None:
    wrong = [
        f"{module.shown}:{found.line} imports {found.target}"
        for module in modules()
        if module.layer != "sim"
        for found in imports_of(module)
        if name_of(found.target).partition(".")[0] == "sim"
        and not (module.name.startswith("faces.cli") and found.is_lazy)
    ]
    assert wrong == []


def test_there_are_no_import_cycles() -> None:
    graph = {
        module.name: sorted(
            {
                reached
                for found in imports_of(module)
                if not found.is_lazy
                if (reached := name_of(found.target)) and reached not in ("_core", module.name)
            }
        )
        for module in modules()
    }
    assert cycle_in(graph) == []


def test_the_search_for_cycles_finds_one() -> None:
    assert cycle_in({"a": ["b"], "b": ["c"], "c": ["b"]}) == ["b", "c", "b"]
    assert cycle_in({"a": ["b", "c"], "b": ["c"], "c": []}) == []


def test_the_compiled_core_has_one_face() -> None:
    wrong = [
        f"{module.shown}:{found.line}"
        for module in modules()
        for found in imports_of(module)
        if found.target.startswith("quire._core") and not module.name.startswith(CORE_USERS)
    ]
    assert wrong == []


def test_pure_modules_do_not_reach_the_outside_world() -> None:
    wrong = [
        f"{module.shown}:{found.line} imports {found.target}"
        for module in modules()
        if module.layer in PURE_LAYERS and module.name not in ADAPTERS
        for found in imports_of(module)
        if not found.is_typing_only and found.target.partition(".")[0] in OUTSIDE_WORLD
    ]
    assert wrong == []


def test_every_adapter_that_is_listed_needs_to_be() -> None:
    """The list only shrinks by itself: whoever becomes pure leaves it."""
    known = {module.name: module for module in modules()}
    idle = [name for name in ADAPTERS if name not in known or not _reaches_outside(known[name])]
    assert idle == []


def test_time_is_read_in_one_place() -> None:
    wrong = [
        module.at(node)
        for module in modules()
        if module.name != "base.clock"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Attribute)
        and (node.attr in ("utcnow", "today") or ast.unparse(node) in TIME_READERS)
    ]
    wrong += [
        f"{module.shown}:{found.line}"
        for module in modules()
        for found in imports_of(module)
        if found.target in TIME_READERS
    ]
    assert wrong == []


def test_randomness_is_an_argument() -> None:
    wrong = [
        f"{module.at(node)} random.{node.attr}"
        for module in modules()
        if module.name != "base.rng"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "random"
        and node.attr != "Random"
    ]
    assert wrong == []


def _reaches_outside(module: Module) -> bool:
    return any(
        found.target.partition(".")[0] in OUTSIDE_WORLD and not found.is_typing_only
        for found in imports_of(module)
    )


def cycle_in(graph: dict[str, list[str]]) -> list[str]:
    """One cycle as a path whose ends are equal, or an empty list."""
    done: dict[str, None] = {}
    path: list[str] = []

    def visit(name: str) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return []
        path.append(name)
        for reached in graph.get(name, []):
            found = visit(reached)
            if found:
                return found
        done[path.pop()] = None
        return []

    for start in graph:
        found = visit(start)
        if found:
            return found
    return []

"""Who may import whom: the architecture, checked."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from support.source import Module, imports_of, modules

LAYERS = (
    "base",
    "formats",
    "kernels",
    "dataset",
    "store",
    "chain",
    "channels",
    "net",
    "market",
    "point",
    "aggregation",
    "flow",
    "services",
    "node",
    "faces",
)

# Modules that may load the compiled core; everybody else goes through them.
CORE_USERS = (
    "kernels.",
    "net.libp2p",
    "node.doctor",  # says which version of it is loaded
)

# In these layers, whatever is not listed below is pure: time, randomness and I/O are arguments.
PURE_LAYERS = (
    "base",
    "formats",
    "kernels",
    "dataset",
    "store",
    "chain",
    "channels",
    "net",
    "market",
    "point",
    "aggregation",
)
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
TYPE_ONLY = ("concurrent.futures.Executor",)  # an argument


@dataclass(frozen=True)
class Exemption:
    """Modules that may import some of the outside world, and why."""

    why: str
    may_import: tuple[str, ...]
    modules: tuple[str, ...]


EXEMPTIONS = (
    Exemption("the one place that reads the time of the machine", ("time",), ("base.clock",)),
    Exemption("a call of the C library, which nothing else offers", ("ctypes",), ("base.heap",)),
    Exemption(
        "the adapter to real files",
        ("concurrent", "ctypes", "fcntl", "os", "threading"),
        ("store.files", "store.open"),
    ),
    Exemption("the adapter to SQLite", ("sqlite3", "threading"), ("store.meta", "store.rows")),
    Exemption(
        "the journal in a file of its own, written by a thread of its own",
        ("asyncio", "concurrent", "sqlite3"),
        ("store.journal_file",),
    ),
    Exemption(
        "worker threads share it: a lock",
        ("threading",),
        ("store.holds", "store.lru", "store.packs", "store.pins"),
    ),
    Exemption(
        "drivers of the store: they hand work to threads and wait for it",
        ("asyncio",),
        (
            "store.committer",
            "store.core",
            "store.intake",
            "store.partial",
            "store.protected_tree",
            "store.reclaim",
            "store.resumable",
            "store.slot_files",
            "store.store",
            "store.upload",
        ),
    ),
    Exemption(
        "the adapter to rust-libp2p",
        ("asyncio", "socket"),
        ("net.libp2p", "net.libp2p_addresses", "net.libp2p_channel", "net.libp2p_swarm"),
    ),
    Exemption(
        "the adapter to the node of a chain",
        ("aiohttp", "asyncio"),
        ("chain.rpc_http", "chain.rpc_limits", "chain.rpc_retry", "chain.rpc_ws"),
    ),
    Exemption(
        "drivers of chain access: tasks, timeouts and locks around pure decisions",
        ("asyncio",),
        (
            "chain.clock",
            "chain.follow",
            "chain.heads",
            "chain.outbox",
            "chain.outgoing",
            "chain.sender",
        ),
    ),
    Exemption(
        "small files of the node", ("os",), ("chain.key_file", "net.identity", "net.peerbook")
    ),
    Exemption(
        "the network in memory, on the timers of the loop",
        ("asyncio",),
        ("net.memory", "net.memory_channel"),
    ),
    Exemption(
        "the market in memory: whoever sent a transaction waits for a block",
        ("asyncio",),
        ("chain.memory.clock", "chain.memory.follow", "chain.memory.account"),
    ),
    Exemption(
        "the embedded chain: a child process, found on disk",
        ("asyncio", "os", "signal", "socket", "tempfile"),
        ("chain.anvil_program", "chain.dev_chain"),
    ),
    Exemption(
        "tokens set aside for calls under way: locks",
        ("asyncio",),
        ("chain.evm.funds", "chain.evm.hub"),
    ),
    Exemption(
        "drivers of the network: tasks, timeouts and channels around pure decisions",
        ("asyncio",),
        (
            "net.answering",
            "net.connector",
            "net.requests",
            "net.single_flight",
            "net.discovery.announcer",
            "net.discovery.finder",
            "net.blockexc.link",
            "net.blockexc.presence",
            "net.blockexc.reading",
            "net.blockexc.responder",
            "net.blockexc.run",
            "net.blockexc.session",
            "net.exchange.leaf_hunt",
            "net.exchange.candidates",
            "net.exchange.outbox",
            "net.exchange.pump",
            "net.exchange.responder",
            "net.exchange.session",
            "net.exchange.search",
            "net.exchange.sessions",
            "net.exchange.swarm",
            "net.exchange.transfer",
        ),
    ),
)

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
    assert not wrong, "\n".join(["", *wrong])


def test_the_simulator_is_imported_by_its_command_alone() -> None:
    wrong = [
        f"{module.shown}:{found.line} imports {found.target}"
        for module in modules()
        if module.layer != "sim"
        for found in imports_of(module)
        if name_of(found.target).partition(".")[0] == "sim"
        and not (module.name.startswith("faces.cli") and found.is_lazy)
    ]
    assert not wrong, "\n".join(["", *wrong])


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
    assert not wrong, "\n".join(["", *wrong])


def test_pure_modules_do_not_reach_the_outside_world() -> None:
    wrong = [
        f"{module.shown} imports {root}"
        for module in modules()
        if module.layer in PURE_LAYERS
        for root in outside_imports(module)
        if root not in allowed_to(module.name)
    ]
    assert not wrong, "\n".join(["", *wrong])


def test_every_exemption_is_needed() -> None:
    """The lists only shrink: whoever becomes pure leaves them."""
    known = {module.name: module for module in modules()}
    idle = [
        name
        for exemption in EXEMPTIONS
        for name in exemption.modules
        if name not in known or not outside_imports(known[name])
    ]
    idle += [
        f"{root} ({exemption.why})"
        for exemption in EXEMPTIONS
        for root in exemption.may_import
        if not any(n in known and root in outside_imports(known[n]) for n in exemption.modules)
    ]
    assert not idle, "\n".join(["", *idle])


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
    assert not wrong, "\n".join(["", *wrong])


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
    assert not wrong, "\n".join(["", *wrong])


def outside_imports(module: Module) -> list[str]:
    """What a module imports of the outside world, by first name, other than as types."""
    roots = {
        found.target.partition(".")[0]: None
        for found in imports_of(module)
        if not found.is_typing_only and found.target not in TYPE_ONLY
    }
    return [root for root in roots if root in OUTSIDE_WORLD]


def allowed_to(name: str) -> tuple[str, ...]:
    return next((e.may_import for e in EXEMPTIONS if name in e.modules), ())


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

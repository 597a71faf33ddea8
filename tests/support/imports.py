"""The import graph of the project's modules, imports inside functions included."""

import ast
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

Graph = Mapping[str, frozenset[str]]


def name_of(path: Path, root: Path) -> str:
    """Return the dotted name of a module by its file."""
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(path: Path) -> set[str]:
    """Return every name that a file imports, wherever in the file."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def read_graph(root: Path, packages: tuple[str, ...]) -> Graph:
    """Return the modules of these packages, each with those that it imports."""
    paths = {name_of(path, root): path for name in packages for path in (root / name).rglob("*.py")}
    return {
        module: frozenset(_modules_of(path, paths.keys()) - {module})
        for module, path in paths.items()
    }


def _modules_of(path: Path, modules: Collection[str]) -> set[str]:
    """Return the modules that a file imports: `from a import b` is a.b if that is one, else a."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            members = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in modules else node.module for name in members}
    return found & set(modules)


def circles(graph: Graph) -> Iterator[list[str]]:
    """Yield every set of modules that import each other in a circle (Tarjan 1972)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []

    def visit(node: str) -> Iterator[list[str]]:
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in sorted(graph[node]):
            if other not in index:
                yield from visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            circle = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            if len(circle) > 1:
                yield sorted(circle)

    for node in graph:
        if node not in index:
            yield from visit(node)


def room(module: str) -> str:
    """Return the first two parts of a module's name: its sub-package, or itself."""
    return ".".join(module.split(".")[:2])

"""Checks kernel source against the subset of Python that NKI traces, and its calls against the API's signatures.

NKI evaluates a kernel while it specialises it: no keyword-only arguments, no `is` but with None, no list arguments, no
try, no global state, no comprehensions.  The simulator takes any Python, so this check stands beside it.
"""

from __future__ import annotations

import ast
import inspect
from dataclasses import dataclass

from reverie.kernels.neuron.nkisim import isa, language

FORBIDDEN: dict[type[ast.AST], str] = {
    ast.Try: "try", ast.Raise: "raise", ast.Global: "global", ast.Nonlocal: "nonlocal", ast.Lambda: "lambda",
    ast.Yield: "yield", ast.YieldFrom: "yield", ast.Await: "await", ast.AsyncFunctionDef: "async",
    ast.ClassDef: "class", ast.While: "while: use nl.while_loop", ast.ListComp: "comprehension",
    ast.DictComp: "comprehension", ast.SetComp: "comprehension", ast.GeneratorExp: "generator", ast.Delete: "del",
    ast.NamedExpr: ":=", ast.Match: "match",
}  # fmt: skip
BUILTINS = {"range", "len", "min", "max", "int", "float", "slice", "abs", "isinstance"}


@dataclass(frozen=True, slots=True)
class Finding:
    line: int
    reason: str


def check(source: str) -> list[Finding]:
    """What NKI would refuse, in the order of lines."""
    tree = ast.parse(source)
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    names = BUILTINS | set(functions) | _imported(tree)
    found: list[Finding] = []
    for function in functions.values():
        found += _arguments(function)
        for node in ast.walk(function):
            found += [Finding(getattr(node, "lineno", 0), reason) for reason in _refused(node, names)]
    return sorted(found, key=lambda finding: finding.line)


def _imported(tree: ast.Module) -> set[str]:
    names = (alias for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom)) for alias in node.names)
    return {alias.asname or alias.name.split(".")[0] for alias in names}


def _arguments(function: ast.FunctionDef) -> list[Finding]:
    spec = function.args
    if spec.kwonlyargs or spec.kwarg or spec.vararg:
        return [Finding(function.lineno, f"{function.name}: NKI takes no keyword-only or variable arguments")]
    return []


def _refused(node: ast.AST, names: set[str]) -> list[str]:
    if reason := FORBIDDEN.get(type(node), ""):
        return [f"NKI traces no {reason}"]
    if isinstance(node, ast.Compare):
        alone = [op for op, right in zip(node.ops, node.comparators, strict=True)
                 if isinstance(op, (ast.Is, ast.IsNot)) and not _none(right)]  # fmt: skip
        return ["NKI has `is` with None only"] if alone else []
    return _call(node, names) if isinstance(node, ast.Call) else []


def _none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _call(node: ast.Call, names: set[str]) -> list[str]:
    if isinstance(node.func, ast.Name):
        return [] if node.func.id in names else [f"{node.func.id} is not known where a kernel is traced"]
    if not (isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name)):
        return []
    module, name = node.func.value.id, node.func.attr
    api = {"nisa": isa, "nl": language}.get(module)
    if api is None:
        return []
    if not hasattr(api, name):
        return [f"{module}.{name} is not in the API"]
    try:
        inspect.signature(getattr(api, name)).bind(*node.args, **{k.arg: k.value for k in node.keywords if k.arg})
    except TypeError as error:
        return [f"{module}.{name}: {error}"]
    return []

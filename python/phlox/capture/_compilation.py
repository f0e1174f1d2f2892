"""Makes functions from rewritten trees, with the program's file, lines, names and closure cells."""

from __future__ import annotations
import __future__

import ast
import inspect
from collections.abc import Callable, Iterable, Mapping
from types import CellType, CodeType, FunctionType
from typing import Any

from ._plan import FunctionPlan, Plan, Site
from ._scopes import function_scope
from ._statements import Statements
from ._trees import HELPER, UNIT, located, names_of, nonlocals_within

_OUTER, _INNER = ".outer", ".inner"
_FUTURE_FLAGS = 0
for _name in __future__.all_feature_names:
    _FUTURE_FLAGS |= getattr(__future__, _name).compiler_flag


_made: dict[int, CodeType] = {}  # all code that was made here, nested functions included, by identity


def is_converted(code: CodeType) -> bool:
    """Whether the code is rewritten."""
    return id(code) in _made or any(name.startswith(UNIT) for name in code.co_freevars)


def _noted(code: CodeType) -> CodeType:
    _made[id(code)] = code
    for part in code.co_consts:
        if (
            isinstance(part, CodeType) and part.co_flags & inspect.CO_OPTIMIZED
        ):  # no class, whose methods are as they were
            _noted(part)
    return code


def future_flags(code: CodeType) -> int:
    return code.co_flags & _FUTURE_FLAGS


def compile_function(plan: Plan, node: Any, frees: Iterable[str]) -> CodeType:
    """The code of a whole function, whose free variables are `frees`."""
    frees = list(frees)
    plan.shared = nonlocals_within(node) - set(frees)
    scope = function_scope(node, None)
    scope.frees = frozenset(frees)
    if isinstance(node, ast.Lambda):
        outer = function_scope(node, None)
        outer.bound, outer.frees = set(), scope.frees
        statements = Statements(plan, outer, FunctionPlan("<lambda>", node), False)
        inner: ast.stmt = located(ast.Return(statements.visit_Lambda(node)), node)
    else:
        scope.nonlocals &= scope.frees
        statements = Statements(plan, scope, FunctionPlan(node.name, node), False)
        fields = {**dict(ast.iter_fields(node)), "body": statements.block(node.body)}
        fields.update(name=_INNER, args=_bare(node.args), decorator_list=[], returns=None)
        inner = located(type(node)(**fields), node)
    return _compile(plan, inner, getattr(node, "name", "<lambda>"), frees, node)


def compile_region(
    plan: Plan, site: Site, part: Any, parameters: tuple[str, ...], frees: tuple[str, ...]
) -> CodeType:
    """The code of a function that runs some statements of a function, or computes one of its expressions."""
    statements = Statements(plan, site.scope, site.function, True)
    like = part if isinstance(part, ast.AST) else part[0]
    if isinstance(part, ast.expr):
        body: list[ast.stmt] = [located(ast.Return(statements.visit(part)), like)]
        names = names_of([part])
    else:
        body = statements.block(part)
        names = names_of(part)
    shared = sorted((names.bound - site.scope.globals - site.own) & set(frees))
    outer_globals = sorted(names.bound & site.scope.globals | names.globals)
    if shared:
        body.insert(0, located(ast.Nonlocal(shared), like))
    if outer_globals:
        body.insert(0, located(ast.Global(outer_globals), like))
    arguments = _arguments(parameters)
    inner = ast.FunctionDef(name=_INNER, args=arguments, body=body, decorator_list=[])
    return _compile(plan, located(inner, like), site.function.name, frees, like)


def _compile(plan: Plan, inner: ast.stmt, name: str, frees: Iterable[str], like: ast.AST) -> CodeType:
    helpers = [p.id for p in ast.walk(inner) if isinstance(p, ast.Name) and p.id.startswith(HELPER)]
    names = tuple(dict.fromkeys([*frees, UNIT, *helpers]))
    outer = ast.FunctionDef(name=_OUTER, args=_arguments(names), body=[inner], decorator_list=[])
    for part in ast.walk(outer):
        if "type_params" in part._fields and not hasattr(part, "type_params"):
            part.type_params = []  # type: ignore[attr-defined]
    tree = ast.Module([located(outer, like)], [])
    module = compile(tree, plan.filename, "exec", flags=plan.flags, dont_inherit=True)
    made = getattr(inner, "name", "<lambda>")
    code = _inner(_inner(module, _OUTER), made)
    return _noted(_with_names(code, f"{_OUTER}.<locals>.{made}", plan.qualname).replace(co_name=name))


def _inner(code: CodeType, name: str) -> CodeType:
    return next(c for c in code.co_consts if isinstance(c, CodeType) and c.co_name == name)


def _with_names(code: CodeType, prefix: str, qualname: str) -> CodeType:
    """The code with qualified names that begin with the program's function instead of the one around it."""

    def renamed(value: Any) -> Any:
        if isinstance(value, CodeType):
            return _with_names(value, prefix, qualname)
        if isinstance(value, str) and value.startswith(prefix):
            return qualname + value[len(prefix) :]
        return value

    changes: dict[str, Any] = {"co_consts": tuple(renamed(value) for value in code.co_consts)}
    if hasattr(code, "co_qualname"):
        changes["co_qualname"] = renamed(code.co_qualname)
    return code.replace(**changes)


def _arguments(names: Iterable[str]) -> ast.arguments:
    args = [ast.arg(name) for name in names]
    return ast.arguments(posonlyargs=[], args=args, kwonlyargs=[], kw_defaults=[], defaults=[])


def _bare(node: ast.arguments) -> ast.arguments:
    """Parameters without annotations; defaults that are never evaluated, as the function brings its own."""
    none: list[ast.expr] = [ast.Constant(None) for _ in node.defaults]
    keyword_only = [default and ast.Constant(None) for default in node.kw_defaults]
    bare = {
        name: [ast.arg(p.arg) for p in getattr(node, name)] for name in ("posonlyargs", "args", "kwonlyargs")
    }
    vararg = node.vararg and ast.arg(node.vararg.arg)
    kwarg = node.kwarg and ast.arg(node.kwarg.arg)
    return ast.arguments(**bare, vararg=vararg, kwarg=kwarg, kw_defaults=keyword_only, defaults=none)


def bind(code: CodeType, module: dict[str, Any], cells: Mapping[str, CellType]) -> Callable[..., Any]:
    """A function of this code over existing cells."""
    unit = cells[UNIT].cell_contents
    closure = tuple(unit.helper(n) if n.startswith(HELPER) else cells[n] for n in code.co_freevars)
    return FunctionType(code, module, code.co_name, None, closure)

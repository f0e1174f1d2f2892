"""Rewrites expressions so that conditions, loads and calls go through the functions of `Unit`.

Each rewritten operation is still carried out in the program's own frame, at its own place: `a.b` becomes
`.px.attribute(.t := a, "b", .t.b)`. `.t` is always used up at once, before any other code of the program runs.
"""

from __future__ import annotations

import ast
from typing import Any

from ._plan import Chain, FunctionPlan, Plan, Site
from ._refusals import refuse
from ._scopes import Scope, comprehension_scope, function_scope, is_builtin
from ._trees import (
    UNIT,
    Copier,
    ask,
    calls,
    constant,
    load,
    located,
    mentioned,
    pair,
    rebuilt,
    store,
    thunk,
    walrus,
)

_T = ".t"


def _is_none(node: ast.Compare) -> bool:
    """Whether it is `x is None`, which no value of the graph is."""
    return any(
        isinstance(part, ast.Constant) and part.value is None for part in (node.left, *node.comparators)
    )


class Expressions(Copier):
    """One function's expressions. `region` tells that its statements are part of another function's."""

    def __init__(self, plan: Plan, scope: Scope, function: FunctionPlan, region: bool) -> None:
        self.plan, self.scope, self.function, self.region = plan, scope, function, region
        self._chain_count = 0
        self._no_walrus = 0  # in the iterables of a comprehension

    def site(self, node: Any, chain: Chain = (), leaves: frozenset[str] = frozenset()) -> ast.Constant:
        made = Site(node, self.scope, self.function, chain, leaves, self.region)
        return constant(self.plan.add(made))

    def cells(self, nodes: Any) -> ast.Lambda:
        """A function that is never called: its closure holds the variables that a construct uses."""
        nodes = list(nodes)
        shared = self.plan.shared if self.plan.shared and calls(nodes) else ()
        names = sorted({*mentioned(nodes), *shared, UNIT})
        return thunk(ast.Tuple([load(name) for name in names], ast.Load()))

    def symbolic(self, value: ast.expr) -> ast.expr:
        """Sets .t and asks whether it is symbolic; bools, which most conditions are, without a call."""
        first = ast.Compare(walrus(_T, value), [ast.IsNot()], [constant(True)])
        second = ast.Compare(load(_T), [ast.IsNot()], [constant(False)])
        return ast.BoolOp(ast.And(), [first, second, ask("symbolic", load(_T))])

    # --- loads

    def visit_Name(self, node: ast.Name) -> ast.expr:  # noqa: N802
        name = node.id
        if not isinstance(node.ctx, ast.Load) or "." in name or name in ("__class__", "__debug__"):
            return node
        kind = self.scope.kind(name)
        if kind == "local":
            return located(ask("value", node), node) if self.scope.is_unsure(name) else node
        if kind == "global" and is_builtin(name, self.plan.globals):
            return node
        return located(ask(f"read_{kind}", node, constant(name)), node)

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:  # noqa: N802
        owner = self.visit(node.value)
        if isinstance(owner, ast.Name):
            again: ast.expr = owner
        else:
            owner, again = located(walrus(_T, owner), node.value), located(load(_T), node.value)
        read = rebuilt(node, {"value": again, "attr": node.attr, "ctx": node.ctx})
        return located(ask("attribute", owner, constant(node.attr), read), node)

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:  # noqa: N802
        if isinstance(node.value, ast.Name) and isinstance(node.slice, (ast.Name, ast.Constant)):
            parts = [self.visit(node.value), self.visit(node.slice)]
            if all(isinstance(part, (ast.Name, ast.Constant)) for part in parts):
                read = rebuilt(node, {"value": parts[0], "slice": parts[1], "ctx": node.ctx})
                return located(ask("item", *parts, read), node)
        both = walrus(_T, self.owner_and_key(node))
        owner = ast.Subscript(load(_T), constant(0), ast.Load())
        key = ast.Subscript(load(_T), constant(1), ast.Load())
        read = located(ast.Subscript(owner, key, ast.Load()), node)
        return located(ask("item_of", both, read), node)

    def owner_and_key(self, node: ast.Subscript) -> ast.expr:
        return located(pair(self.visit(node.value), self.visit(node.slice)), node)

    def visit_Slice(self, node: ast.Slice) -> ast.expr:  # noqa: N802
        bounds = [self.visit(b) if b else constant(None) for b in (node.lower, node.upper, node.step)]
        return located(ask("slice", *bounds), node)

    # --- calls and new objects

    def visit_Call(self, node: ast.Call) -> ast.expr:  # noqa: N802
        function = self.visit(node.func)
        if not (isinstance(node.func, ast.Name) and node.func.id == "super"):
            function = located(ask("callee", function), node.func)
        fields = {"func": function, "args": self.part(node.args), "keywords": self.part(node.keywords)}
        return rebuilt(node, fields)

    def _display(self, node: Any) -> ast.expr:
        made = self.copy(node)
        return (
            located(ask("new", made), node)
            if isinstance(getattr(node, "ctx", None), (ast.Load, type(None)))
            else made
        )

    visit_List = visit_Dict = visit_Set = _display  # noqa: N815

    def visit_Lambda(self, node: ast.Lambda) -> ast.Lambda:  # noqa: N802
        scope = function_scope(node, self.scope)
        inner = Expressions(self.plan, scope, FunctionPlan("<lambda>", node), False)
        return rebuilt(node, {"args": self.parameters(node.args), "body": inner.visit(node.body)})

    def parameters(self, node: ast.arguments) -> ast.arguments:
        """Parameters with their defaults rewritten; annotations stay."""
        fields = dict(ast.iter_fields(node))
        fields["defaults"] = self.part(node.defaults)
        fields["kw_defaults"] = self.part(node.kw_defaults)
        return ast.arguments(**fields)

    # --- conditions

    def _choice(self, test: ast.expr, symbolic: ast.expr, plain: ast.expr, node: ast.expr) -> ast.expr:
        return located(ast.IfExp(test, symbolic, plain), node)

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.expr:  # noqa: N802
        first, others = node.values[0], node.values[1:]
        right = others[0]
        if len(others) > 1:
            right = rebuilt(node, {"op": node.op, "values": others})
            right.lineno, right.col_offset = others[0].lineno, others[0].col_offset
        name = "and_" if isinstance(node.op, ast.And) else "or_"
        symbolic = ask(name, load(_T), self.site(right), self.cells([right]))
        plain = ast.BoolOp(node.op, [load(_T), self.visit(right)])
        return self._choice(self.symbolic(self.visit(first)), symbolic, plain, node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:  # noqa: N802
        if not isinstance(node.op, ast.Not):
            return self.copy(node)
        plain = ast.UnaryOp(node.op, load(_T))
        return self._choice(self.symbolic(self.visit(node.operand)), ask("not_", load(_T)), plain, node)

    def visit_IfExp(self, node: ast.IfExp) -> ast.expr:  # noqa: N802
        symbolic = ask("if_expression", load(_T), self.site(node), self.cells([node.body, node.orelse]))
        plain = ast.IfExp(located(load(_T), node.test), self.visit(node.body), self.visit(node.orelse))
        return self._choice(self.symbolic(self.visit(node.test)), symbolic, located(plain, node), node)

    def visit_Compare(self, node: ast.Compare) -> ast.expr:  # noqa: N802
        """`a < b < c` is `a < (.c1 := b) and .c1 < c`."""
        if len(node.ops) == 1 and isinstance(node.ops[0], (ast.Is, ast.IsNot)) and not _is_none(node):
            name = "is_" if isinstance(node.ops[0], ast.Is) else "is_not"
            return located(ask(name, self.visit(node.left), self.visit(node.comparators[0])), node)
        if len(node.ops) == 1 or self._no_walrus:
            return self.copy(node)
        left, parts = node.left, list[ast.expr]()
        for number, (operator, right) in enumerate(zip(node.ops, node.comparators), 1):
            last = number == len(node.ops)
            self._chain_count += 1
            name = f".c{self._chain_count}.{node.lineno}.{node.col_offset}"
            kept = right if last else located(walrus(name, right), right)
            parts.append(located(ast.Compare(left, [operator], [kept]), node))
            left = located(load(name), right)
        return self.visit(located(ast.BoolOp(ast.And(), parts), node))

    def visit_NamedExpr(self, node: ast.NamedExpr) -> ast.expr:  # noqa: N802
        value = self.stored(node.target.id, self.visit(node.value), node)
        return rebuilt(node, {"target": node.target, "value": value})

    def stored(self, name: str, value: ast.expr, node: ast.AST) -> ast.expr:
        """The value for a variable, which is reported if the variable belongs to the host."""
        kind = "local" if "." in name else self.scope.kind(name)
        return value if kind == "local" else located(ask(f"store_{kind}", value, constant(name)), node)

    # --- comprehensions

    def _comprehension(self, node: Any) -> ast.expr:
        if any(generator.is_async for generator in node.generators):
            refuse("async_function", function=self.function.name)
        first = node.generators[0]
        kind = type(node).__name__
        iterable = located(walrus(_T, ast.List([self.visit(first.iter)], ast.Load())), first.iter)
        if kind == "ListComp":
            symbolic = ask("list_comprehension", load(_T), self.site(node), self.cells([node]))
        else:
            symbolic = ask("refuse_comprehension", constant(kind))
        plain = self._native_comprehension(node)
        if kind != "GeneratorExp":
            plain = located(ask("new", plain), node)
        return self._choice(ask("symbolic_iterable", iterable), symbolic, plain, node)

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _comprehension  # noqa: N815

    def _native_comprehension(self, node: Any) -> ast.expr:
        outer, self.scope = self.scope, comprehension_scope(node, self.scope)
        generators = []
        for number, generator in enumerate(node.generators):
            if number == 0:
                pop = ast.Attribute(load(_T), "pop", ast.Load())
                iterable = located(ast.Call(pop, [], []), generator.iter)
            else:
                self._no_walrus += 1
                iterable = _WithoutWalrus().visit(self.visit(generator.iter))
                self._no_walrus -= 1
                iterable = located(ask("host_iterable", iterable), generator.iter)
            conditions: list[ast.expr] = [located(ask("plain", self.visit(c)), c) for c in generator.ifs]
            generators.append(
                ast.comprehension(self.target(generator.target), iterable, conditions, generator.is_async)
            )
        fields = {name: self.part(value) for name, value in ast.iter_fields(node) if name != "generators"}
        self.scope = outer
        return rebuilt(node, {**fields, "generators": generators})

    def target(self, node: ast.expr) -> ast.expr:
        """The target of a comprehension, in which nothing but the owners of attributes and elements is rewritten."""
        if isinstance(node, (ast.Attribute, ast.Subscript)):
            return node
        return self.copy(node) if not isinstance(node, ast.Name) else node

    # --- what is not rewritten

    def visit_Yield(self, node: Any) -> Any:  # noqa: N802
        if self.region:
            refuse("yield_in_region", function=self.function.name)
        return self.copy(node)

    visit_YieldFrom = visit_Yield  # noqa: N815

    def visit_Await(self, node: ast.Await) -> Any:  # noqa: N802
        refuse("async_function", function=self.function.name)


class _WithoutWalrus(Copier):
    """Keeps .t elsewhere than in a variable: Python allows no := in the iterables of a comprehension."""

    def visit_NamedExpr(self, node: ast.NamedExpr) -> ast.expr:  # noqa: N802
        return located(ask("keep", self.visit(node.value)), node)

    def visit_Name(self, node: ast.Name) -> ast.expr:  # noqa: N802
        return located(ask("kept"), node) if node.id == _T else node


def assigned(name: str, value: ast.expr, node: ast.AST) -> ast.stmt:
    return located(ast.Assign([store(name)], value), node)

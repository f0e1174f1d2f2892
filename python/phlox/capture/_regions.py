"""Runs constructs that met a symbolic value: their blocks become functions, the variables these assign become state.

Variables are the closure cells that a block shares with the program's function. A branch starts from what they hold
before it and leaves its values in them; they are read from there, and the merged ones written back. How a block ended
(`return`, `break`, `continue`) is an `Outcome`, whose flags are part of the state.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Sequence
from types import CellType
from typing import Any

from . import _values as values
from ._backend import Session, Undefined, current, place
from ._compilation import bind, compile_region
from ._interception import report_change
from ._plan import Site
from ._refusals import refuse
from ._trees import calls, changed_in_place, leaves, mentioned, names_of
from ._values import Outcome, packed, read, slots_of, unpacked, write

Run = Callable[[], Any]
RETURN = frozenset(("return",))


class Runner:
    """One construct at one time: its variables, and what runs with them."""

    def __init__(self, unit: Any, site: Site, cells: Callable, iterators: Iterable[Any]) -> None:
        assert current.session is not None
        self.unit, self.site, self.iterators = unit, site, list(iterators)
        self.session: Session = current.session
        self.backend = self.session.backend
        self.cells: dict[str, CellType] = dict(zip(cells.__code__.co_freevars, cells.__closure__ or ()))
        self.place = place()

    def region(self, part: Any, parameters: tuple[str, ...] = (), site: Site | None = None) -> Callable:
        """Some statements, or an expression, as a function over the variables."""
        if isinstance(part, (list, tuple)) and not part:
            return lambda *_: None
        site = site or self.site
        key = id(part) if isinstance(part, ast.AST) else tuple(id(p) for p in part)
        code = site.regions.get(key)
        if code is None:
            code = compile_region(self.unit.plan, site, part, parameters, tuple(sorted(self.cells)))
            site.regions[key] = code
        return bind(code, self.unit.globals, self.cells)

    def inside(self, run: Callable, *arguments: Any) -> Any:
        """Runs a part of a branch or loop."""
        self.session.depth += 1
        try:
            return run(*arguments)
        except Exception as error:
            self.session.escaped = self.session.escaped or error
            raise
        finally:
            self.session.depth -= 1

    def assigned(self, parts: Iterable[Any]) -> tuple[list[str], set[str]]:
        """The variables that are state of these statements, and those of them whose object may be changed."""
        parts = list(parts)
        names = names_of(parts)
        bound = names.bound - self.site.scope.globals
        if self.unit.plan.shared and calls(parts):
            bound |= self.unit.plan.shared
        changed = changed_in_place(parts)
        containers = set()
        for name in changed & self.cells.keys():
            (value,) = read(self.cells, [name])
            if type(value) in (list, dict, set):
                containers.add(name)
                self._check_aliases(name, value, parts)
        state = {name for name in bound if "." not in name} | containers
        return sorted(state & self.cells.keys()), containers

    def _check_aliases(self, name: str, value: Any, parts: list[Any]) -> None:
        """Each variable of a branch has a copy of its own, so that two of them may not be one object."""
        others = sorted((mentioned(parts) & self.cells.keys()) - {name})
        for other, now in zip(others, read(self.cells, others)):
            if now is value:
                refuse("aliases", name=name, other=other, kind=type(value).__name__)

    # --- two ways

    def both(
        self,
        test: Any,
        runs: tuple[Run, Run],
        parts: Iterable[Any],
        leaving: frozenset[str] = frozenset(),
        at_end: bool = False,
        label: str = "the return value",
    ) -> Outcome | None:
        """cond(): each run gives its Outcome. `at_end` tells that a function that goes on returns None."""
        names, containers = self.assigned(parts)
        slots = slots_of(leaving)
        initial = read(self.cells, names)
        ends: list[list[Any] | None] = [None, None]
        given: list[list[Any]] = [[], []]
        copies: list[list[Any]] = [[], []]

        def branch(which: int) -> list[Any]:
            copies[which] = [self._copy(v) if n in containers else v for n, v in zip(names, initial)]
            write(self.cells, names, copies[which])
            outcome = runs[which]()
            if at_end and outcome is None:
                outcome = Outcome(returned=True, value=None)
            ends[which] = end = [*read(self.cells, names), *packed(outcome, slots)]
            given[which] = list(end)
            self._check(label, [*names, *slots], containers, ends, given)
            return given[which]

        results = self.backend.cond(
            test, lambda: self.inside(branch, 0), lambda: self.inside(branch, 1), [*names, *slots], self.place
        )
        merged = [self._merged(n, v, ends, i) for i, (n, v) in enumerate(zip([*names, *slots], results))]
        for i, name in enumerate(names):
            if merged[i] is results[i]:
                around = any(end is not None and self.session.is_around(end[i]) for end in ends)
                self.session.add_containers(merged[i], of_program=around)
            untouched = all(end is None or end[i] is copy[i] for end, copy in zip(ends, copies))
            if name in containers and untouched:
                merged[i] = self.changed_container(initial[i], merged[i])
        write(self.cells, names, merged)
        return unpacked(slots, merged[len(names) :])

    def _merged(self, name: str, result: Any, ends: list[list[Any] | None], i: int) -> Any:
        known = [end[i] for end in ends if end is not None]
        missing = [v for v in known if isinstance(v, Undefined)]
        if len(missing) == len(known) and known:
            return missing[0]
        if missing:
            return Undefined(name, "on one side of a condition", self.place.line)
        return known[0] if len(known) == 2 and values.same(*known) else result

    def _check(
        self,
        label: str,
        names: Sequence[str],
        containers: set[str],
        ends: list[list[Any] | None],
        given: list[list[Any]],
    ) -> None:
        """Once both sides have run: their values must be of one kind. A variable that only they have is lost if not."""
        if ends[0] is None or ends[1] is None:
            return
        for i, (name, first, second) in enumerate(zip(names, ends[0], ends[1])):
            if isinstance(first, Undefined) or isinstance(second, Undefined):
                continue
            if not (found := values.difference(self.backend, first, second)):
                continue
            if not self.site.scope.is_unsure(name) or name in containers:
                shown = label if name == ".value" else name
                where = {"first_where": "if the condition holds", "second_where": "if it does not"}
                refuse("kinds_differ", name=shown, first=found[0], second=found[1], **where)
            lost = Undefined(name, "on one side of a condition", self.place.line, found)
            ends[0][i] = ends[1][i] = given[0][i] = given[1][i] = lost

    def _copy(self, value: Any) -> Any:
        return self.session.add_new(value.copy())

    def changed_container(self, original: Any, value: Any) -> Any:
        """Gives the list, dict or set itself what a copy of it became."""
        if type(value) is not type(original):
            return self._replaced(original, value)
        if len(value) == len(original) and _elements(value) == _elements(original):
            return original
        report_change("method", original, "append" if type(original) is list else "update", value)
        original.clear()
        original.extend(value) if type(original) is list else original.update(value)
        return original

    def _replaced(self, original: Any, value: Any) -> Any:
        """The variable has another object now; other names of the old one must not be read."""
        if type(original) is list:
            report_change("method", original, "append", value)
            original[:] = [Undefined("a list", "in a loop that depends on a tensor", self.place.line)]
        return value

    def guarded(
        self, outcome: Outcome | None, run: Run, part: Sequence[Any], at_end: bool = False
    ) -> Outcome | None:
        """Runs a part unless the outcome so far says that it is not reached."""
        stop = self.stopped(outcome)
        if stop is False:
            return run()
        if stop is True:
            return outcome
        assert outcome is not None
        kept = outcome.sure()  # where it stopped
        leaving = outcome.ways() | leaves(part) | (RETURN if at_end else frozenset())
        return self.both(stop, (lambda: kept, run), part, leaving, at_end)

    def stopped(self, outcome: Outcome | None) -> Any:
        """Whether a block was left: a bool or symbolic."""
        found: Any = False
        for flag in (outcome.returned, outcome.broke, outcome.continued) if outcome else ():
            if flag is True:
                return True
            if flag is not False:
                found = flag if found is False else self._or(found, flag)
        return found

    def _or(self, a: Any, b: Any) -> Any:
        return self.backend.logical_or(a, lambda: b, self.place)


def _elements(value: Any) -> list[int]:
    """What a list, dict or set holds, by identity."""
    if isinstance(value, dict):
        return [id(part) for entry in value.items() for part in entry]
    return [id(part) for part in value] if isinstance(value, list) else sorted(id(part) for part in value)

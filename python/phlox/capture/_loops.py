"""Loops that met a symbolic value, and what follows a construct that may have left one, or its function."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Callable, Sequence
from typing import Any

from . import _values as values
from ._backend import Undefined
from ._plan import Rest, Site, Turn
from ._refusals import refuse
from ._regions import RETURN, Runner
from ._trees import leaves, load, located
from ._values import Outcome, packed, read, slots_of, unpacked, write

_ENDLESS = (itertools.count, itertools.cycle, itertools.repeat)


class _Finished:
    def __repr__(self) -> str:
        return "<the loop has ended>"


#: A loop has ended, and with it all that a construct in it had to do.
FINISHED: _Finished = _Finished()


class LoopRunner(Runner):
    """A construct that loops or leaves."""

    def check_barriers(self) -> None:
        """Refuses what would have to leave a `try` or `with` block."""
        ways = self.site.leaves
        for frame in self.site.chain:
            if isinstance(frame, Rest):
                ways |= leaves(frame.statements)
            elif isinstance(frame, Turn):
                ways = (ways | leaves(frame.site.node.body)) & RETURN
            elif ways:
                refuse(f"leave_{frame.kind}", leave=min(ways))
            if not ways:
                return

    def follow(self, outcome: Outcome | None, skip: int = 0) -> Any:
        """Goes on after the construct to the end of the function; FINISHED if only a loop was left."""
        chain = self.site.chain[skip:]
        for i, frame in enumerate(chain):
            if isinstance(frame, Rest):
                at_end = i == len(chain) - 1 and not self.site.in_region
                outcome = self.guarded(outcome, self.region(frame.statements), frame.statements, at_end)
            elif isinstance(frame, Turn):
                outcome = self.finish_loop(frame.site, outcome, self.iterators.pop(0))
                if outcome is None:
                    return FINISHED
        if self.site.in_region:
            return outcome
        if outcome is None or outcome.returned is False:
            return Outcome(returned=True, value=None)
        if outcome.returned is not True:
            kept = Outcome(returned=True, value=outcome.value)
            outcome = self.both(outcome.returned, (lambda: kept, lambda: None), (), RETURN, True)
        return outcome

    # --- the end of a turn, and of a loop

    def body(self, site: Site) -> Callable:
        """A turn of a loop; that of a `for` takes the element."""
        run = self.region(turn_part(site), (".item",) if isinstance(site.node, ast.For) else (), site)

        def turn(*element: Any) -> Outcome | None:
            outcome = run(*element)
            return outcome.within_loop() if outcome else None

        return turn

    def finish_loop(self, site: Site, outcome: Outcome | None, iterator: Any) -> Outcome | None:
        """The turns after one that may have left the loop, and its `else`; None if nothing but the loop has ended."""
        outcome = outcome.within_loop() if outcome else None
        if isinstance(site.node, ast.While):
            return self.finish_while(site, outcome, self.next_test(site, outcome))
        body, part = self.body(site), turn_part(site)
        if isinstance(iterator, _ENDLESS):
            refuse("endless_iterator", name=type(iterator).__name__)
        while self.stopped(outcome) is not True:
            try:
                element = next(iterator)
            except StopIteration:
                break
            outcome = self.guarded(outcome, lambda: body(element), part)
            outcome = outcome.within_loop() if outcome else None
        return self.end_loop(site, outcome)

    def end_loop(self, site: Site, outcome: Outcome | None) -> Outcome | None:
        """The `else` of a loop, which runs unless the loop was left."""
        if outcome and _ends_by_return(site.node):
            return Outcome(returned=True, value=outcome.value)
        orelse = site.node.orelse
        left = outcome.after_loop() if outcome else None
        if not orelse:
            return left
        if leaves(orelse) - RETURN:
            refuse("loop_else_leaves")
        run, stop = self.region(orelse), self.stopped(outcome)
        if stop is True:
            return left
        if stop is False:
            return run()
        ways = leaves(orelse) | (left.ways() if left else frozenset())
        return self.both(stop, (lambda: left, run), orelse, ways)

    def next_test(self, site: Site, outcome: Outcome | None) -> Any:
        """Whether a `while` loop has another turn."""
        test, stop = self.region(site.node.test), self.stopped(outcome)
        if stop is True:
            return False
        if stop is False:
            return test()
        go_on = self.backend.logical_not(stop)
        if not self.assigned([site.node.test])[0]:
            return self.backend.logical_and(go_on, lambda: self.inside(test), self.place)
        runs = (lambda: Outcome(returned=True, value=test()), lambda: Outcome(returned=True, value=False))
        made = self.both(go_on, runs, [site.node.test], RETURN, label="the condition of the loop")
        assert made is not None
        return made.value

    # --- loops of the graph

    def finish_while(self, site: Site, outcome: Outcome | None, go: Any) -> Outcome | None:
        """A `while` loop from the value of its condition on: in Python as long as that is known."""
        body = self.body(site)
        while not self.backend.is_symbolic(go):
            if not go:
                return self.end_loop(site, outcome)
            outcome = self.guarded(outcome, body, site.node.body)
            outcome = outcome.within_loop() if outcome else None
            go = self.next_test(site, outcome)

        def turn(extra: list[Any]) -> tuple[list[Any], Outcome | None]:
            ended = body()
            return [self.next_test(site, ended)], ended

        parts = [*site.node.body, site.node.test]
        return self.end_loop(site, self._while_loop(site, parts, [".go"], [go], turn, outcome))

    def for_loop(self, site: Site, count: Any, element: Callable[[Any], Any]) -> Outcome | None:
        """A `for` loop over `count` elements."""
        body, part = self.body(site), turn_part(site)
        if not leaves(site.node.body) & {"return", "break"}:
            state = _State(self, site, part, None)

            def step(index: Any, values: list[Any]) -> list[Any]:
                state.enter(values)
                return state.leave(body(element(index)))

            after = self.backend.for_loop(
                count, lambda i, s: self.inside(step, i, s), state.labels, state.initial, self.place
            )
            return self.end_loop(site, state.finish(after))

        def turn(extra: list[Any]) -> tuple[list[Any], Outcome | None]:
            index = extra[1]
            ended = body(element(index))
            stop, following = self.stopped(ended), index + 1
            more: Any = False
            if stop is False:
                more = following < count
            elif stop is not True:
                go_on = self.backend.logical_not(stop)
                more = self.backend.logical_and(go_on, lambda: following < count, self.place)
            return [more, following], ended

        outcome = self._while_loop(site, part, [".go", ".index"], [0 < count, 0], turn, None)
        return self.end_loop(site, outcome)

    def _while_loop(
        self,
        site: Site,
        parts: Sequence[Any],
        extra_names: list[str],
        extra: list[Any],
        turn: Callable[[list[Any]], tuple[list[Any], Outcome | None]],
        outcome: Outcome | None,
    ) -> Outcome | None:
        """while_loop(), whose first entry of the state tells whether there is another turn."""
        state, count = _State(self, site, parts, outcome), len(extra)

        def step(values: list[Any]) -> list[Any]:
            state.enter(values[count:])
            following, ended = turn(values[:count])
            return [*following, *state.leave(ended)]

        names, initial = [*extra_names, *state.labels], [*extra, *state.initial]
        after = self.backend.while_loop(
            lambda s: s[0], lambda s: self.inside(step, s), names, initial, self.place
        )
        return state.finish(after[count:])


class _State:
    """The variables that a loop carries. One without a value before the loop has none after it either."""

    def __init__(self, runner: Runner, site: Site, parts: Sequence[Any], outcome: Outcome | None) -> None:
        self._runner, self._cells = runner, runner.cells
        all_names, self._containers = runner.assigned(parts)
        before = dict(zip(all_names, read(self._cells, all_names)))
        self._missing = [n for n, v in before.items() if isinstance(v, Undefined)]
        self._names = [n for n in all_names if n not in self._missing]
        self._values = [before[n] for n in self._names]
        self._given: list[Any] = []  # to the turn under way
        self._exchanged: set[str] = set()  # variables that have another container after a turn
        self._around: set[str] = set()  # those whose container the captured call did not make
        line = site.node.lineno
        self._lost = [Undefined(n, f"in the loop in line {line}", line) for n in self._missing]
        ways = outcome.ways() if outcome else frozenset[str]()
        self._slots = slots_of(leaves(site.node.body) & {"return", "break"} | ways)
        self.labels = [*self._names, *self._slots]
        self.initial = [*self._values, *packed(outcome, self._slots)]

    def enter(self, state: Sequence[Any]) -> None:
        """Sets the variables for a turn."""
        given = [v.copy() if type(v) in (list, dict, set) else v for v in state[: len(self._names)]]
        for value in given:
            self._runner.session.add_containers(value)
        write(self._cells, self._missing, self._lost)
        write(self._cells, self._names, given)
        self._given = given

    def leave(self, outcome: Outcome | None) -> list[Any]:
        """The state after a turn."""
        end = read(self._cells, self._names)
        for name, first, given, second in zip(self._names, self._values, self._given, end):
            if second is not first and second is not given:
                self._exchanged.add(name)
                if self._runner.session.is_around(second):
                    self._around.add(name)
            if isinstance(second, Undefined):
                refuse("undefined", name=name, where=second.where or "before the loop", line=second.line)
            if type(first) is list and name in self._containers:
                continue  # what is appended to may have another length
            if found := values.difference(self._runner.backend, first, second):
                where = {"first_where": "before the loop", "second_where": "after a turn of it"}
                refuse("kinds_differ", name=name, first=found[0], second=found[1], **where)
        return [*end, *packed(outcome, self._slots)]

    def finish(self, after: Sequence[Any]) -> Outcome | None:
        """Sets the variables after the loop."""
        result = list(after[: len(self._names)])
        for i, name in enumerate(self._names):
            first = self._values[i]
            same = name not in self._exchanged and type(first) in (list, dict, set)
            if (same or name in self._containers) and result[i] is not first:
                result[i] = self._runner.changed_container(first, result[i])
            else:
                self._runner.session.add_containers(result[i], of_program=name in self._around)
        write(self._cells, self._names, result)
        write(self._cells, self._missing, self._lost)
        return unpacked(self._slots, after[len(self._names) :])


def turn_part(site: Site) -> list[ast.stmt]:
    """The statements of a turn: the body, for a `for` after its element is stored."""
    if not isinstance(site.node, ast.For):
        return site.node.body
    if site.turn is None:
        target = site.node.target
        first = located(ast.Assign([target], load(".item")), target)
        site.turn = [first, *site.node.body]
    return site.turn


def _ends_by_return(node: Any) -> bool:
    """Whether it is `while True` without `break`."""
    endless = isinstance(node, ast.While) and isinstance(node.test, ast.Constant) and node.test.value
    return bool(endless) and "break" not in leaves(node.body)

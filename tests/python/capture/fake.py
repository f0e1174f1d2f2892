"""A backend whose symbolic values are numbers in boxes: it runs the functional form, so results can be compared.

As a tracer would, it runs both branches and each body at least once; what is not taken runs `dead`, where nothing fails.
"""

from contextlib import contextmanager
from operator import add, eq, floordiv, ge, gt, le, lt, mod, mul, ne, neg, sub

from phlox.capture import ANYTHING, Backend, Undefined, capturing, convert

MOST_TURNS = 2000


class Box:
    """A number that nobody may look at."""

    def __init__(self, number):
        assert not isinstance(number, Box)
        self.number = number

    def __bool__(self):
        raise TypeError("the truth of a box is not known")

    def __iter__(self):
        raise TypeError("a box is not iterable")

    __index__ = __int__ = __float__ = __bool__
    __hash__ = object.__hash__

    def __repr__(self):
        return f"Box({self.number!r})"


def operator(name, function):
    def forward(self, other):
        return compute(function, self, other)

    def backward(self, other):
        return compute(function, other, self)

    setattr(Box, f"__{name}__", forward)
    if name in ("add", "sub", "mul", "mod", "floordiv"):
        setattr(Box, f"__r{name}__", backward)


def compute(function, a, b):
    a, b = unboxed(a), unboxed(b)
    if not isinstance(a, (int, float)) or not isinstance(b, (int, float)):
        return NotImplemented
    try:
        return Box(function(a, b))
    except ZeroDivisionError:
        return Box(0)


for _function in (add, sub, mul, mod, floordiv, lt, le, gt, ge, eq, ne):
    operator(_function.__name__, _function)
Box.__neg__ = lambda self: Box(neg(self.number))


class Row:
    """A symbolic iterable of numbers."""

    def __init__(self, *numbers):
        self.numbers = numbers


def unboxed(value):
    """The value with plain numbers in place of boxes."""
    if isinstance(value, Box):
        return value.number
    if isinstance(value, (list, tuple)):
        return type(value)(unboxed(part) for part in value)
    if isinstance(value, dict):
        return {key: unboxed(part) for key, part in value.items()}
    return list(value.numbers) if isinstance(value, Row) else value


def boxed(value):
    return Box(value) if isinstance(value, (bool, int, float)) else value


class FakeBackend(Backend):
    def __init__(self):
        self.dead = 0
        self.calls = []
        self.observed = []
        self.mutated = []

    @contextmanager
    def maybe_dead(self, dead):
        self.dead += dead
        yield
        self.dead -= dead

    def is_symbolic(self, value):
        return isinstance(value, Box)

    def is_symbolic_iterable(self, value):
        return isinstance(value, Row)

    def length(self, value):
        return Box(len(value.numbers))

    def item(self, value, index):
        index = unboxed(index)
        return Box(value.numbers[index] if -1 < index < len(value.numbers) else 0)

    def range(self, *arguments):
        return Row(*range(*unboxed(arguments)))

    def cond(self, test, true_function, false_function, names, place):
        self.calls.append(("cond", list(names)))
        with self.maybe_dead(not test.number):
            first = true_function()
        with self.maybe_dead(bool(test.number)):
            second = false_function()
        assert len(first) == len(second) == len(names)
        return [self._merged(test.number, a, b) for a, b in zip(first, second)]

    def _merged(self, test, a, b):
        if isinstance(a, Undefined) or isinstance(b, Undefined):
            return None
        if a is b:
            return a
        if a is ANYTHING or b is ANYTHING:
            return boxed(b if a is ANYTHING else a)
        if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
            return type(a)(self._merged(test, x, y) for x, y in zip(a, b, strict=True))
        return boxed(a if test else b)

    def while_loop(self, test, body, names, initial, place):
        self.calls.append(("while_loop", list(names)))
        state = [boxed(v) for v in initial]
        with self.maybe_dead(1):
            body([v.copy() if isinstance(v, list) else v for v in state])  # what a tracer does
        turns = 0
        while not self.dead and unboxed(test(state)):
            state = [boxed(v) for v in body(state)]
            assert len(state) == len(names)
            turns += 1
            assert turns < MOST_TURNS, "the loop has no end"
        return state

    def for_loop(self, count, body, names, initial, place):
        self.calls.append(("for_loop", list(names)))
        state = [boxed(v) for v in initial]
        with self.maybe_dead(1):
            body(Box(0), [v.copy() if isinstance(v, list) else v for v in state])
        for index in range(0 if self.dead else unboxed(count)):
            state = [boxed(v) for v in body(Box(index), state)]
        return state

    def logical_and(self, left, right, place):
        with self.maybe_dead(not unboxed(left)):
            value = unboxed(right())
        return Box(bool(unboxed(left)) and bool(value))

    def logical_or(self, left, right, place):
        with self.maybe_dead(bool(unboxed(left))):
            value = unboxed(right())
        return Box(bool(unboxed(left)) or bool(value))

    def logical_not(self, value):
        return Box(not unboxed(value))

    def assert_(self, test, message, source, place):
        self.calls.append(("assert", source))
        if message:
            message()  # as a tracer would
        if not self.dead and not unboxed(test):
            value = message() if message else None
            raise value if isinstance(value, Exception) else AssertionError(value)

    def observe(self, kind, owner, name, value, place):
        self.observed.append((kind, name, value))

    def mutate(self, kind, owner, name, value, place):
        self.mutated.append((kind, name, value))


def run_symbolic(function, *arguments, backend=None):
    """The result on boxes, unboxed."""
    backend = backend or FakeBackend()
    given = [Row(*a) if isinstance(a, tuple) else boxed(a) for a in arguments]
    with capturing(backend):
        return unboxed(convert(function)(*given))

"""Functions for test_syntax_plain.py: scopes, closures, classes, calls, assignments, generators."""

# ruff: noqa
# fmt: off

import functools
import itertools

from comparison import note

COUNTER = 0
TABLE = {"a": [1, 2]}


def closures_in_loops(a):
    made = []
    for i in range(3):
        made.append(lambda: i * a)
    return [f() for f in made]


def closures_with_defaults(a):
    return [f() for f in [lambda i=i: i for i in range(3)]]


def nonlocal_counter(a):
    count = 0

    def step():
        nonlocal count
        count += a
        return count

    return step(), step(), count


def nonlocal_two_levels(a):
    def middle():
        def inner():
            nonlocal a
            a += 1
            return a

        return inner() + inner()

    return middle(), a


def global_statement(a):
    global COUNTER
    COUNTER = 5
    COUNTER += a
    return COUNTER


def global_deleted(a):
    global _temporary
    _temporary = a
    del _temporary
    return _temporary  # noqa: F821


def default_evaluated_once(a):
    def add(x, seen=[]):  # noqa: B006
        seen.append(x)
        return seen

    add(a)
    return add(2)


def defaults_in_order(a):
    def f(x=note(1), *, y=note(2), z=note(3)):
        return x, y, z

    return f(), f(5, z=6)


def arguments(a):
    def f(p, /, q, *r, s=1, **t):
        return p, q, r, s, sorted(t.items())

    return f(1, 2), f(1, q=2), f(1, 2, 3, 4, s=5, u=6), f(*[1, 2, 3], s=4, v=5)


def star_expressions(a):
    x = [1, 2]
    return [*x, a, *x], (*x, *x), {*x}, {"a": 1, "b": 2}, note(*[3])


def star_order(a):
    def f(*x, **y):
        return x, y

    return f(note(1), *[note(2)], k=note(3), m=note(4))


def starred_assignment(a):
    first, *middle, last = range(6)
    (x, y), [z, *w] = (1, 2), "abc"
    return first, middle, last, x, y, z, w


def failing_unpacking(a):
    x, y = [1, 2, 3]
    return x


def chained_assignment(a):
    x = y = note([])
    x.append(1)
    return x, y, x is y


def assignment_order(a):
    items = [0, 0, 0]
    i = 0
    i = items[i] = 2
    items[note(0)], items[note(1)] = note(5), note(6)
    return i, items


def augmented_subscript_once(a):
    items = [1, 2, 3]

    def index():
        note("index")
        return 1

    def owner():
        note("owner")
        return items

    owner()[index()] += note(10)
    owner()[0] <<= 2
    return items


def augmented_attribute_once(a):
    class Box:
        value = 3

    box = Box()

    def owner():
        note("owner")
        return box

    owner().value += note(4)
    owner().value **= 2
    return box.value, Box.value


def augmented_list_in_tuple(a):
    t = ([1],)
    t[0] += [2]
    return t


def augmented_list_in_place(a):
    x = y = [1]
    x += [2]
    x *= 2
    return x, y, x is y


def attribute_assignment(a):
    class Box:
        pass

    box = Box()
    box.x = box.y = [a]
    box.x, (box.z, *box.w) = 1, (2, 3, 4)
    del box.y
    return sorted(vars(box).items())


def setters_are_called_in_order(a):
    class Traced:
        def __setattr__(self, name, value):
            note((name, value))
            object.__setattr__(self, name, value)

        def __setitem__(self, key, value):
            note((key, value))

        def __delitem__(self, key):
            note(("del", key))

        def __getitem__(self, key):
            return note(key)

    t = Traced()
    t.a, t[1], t.b = 1, 2, 3
    t[1:2] = t[::3] = a
    t[..., None] += 1
    del t[0], t[1:]
    return t[1, 2:3]


def annotated_assignment(a):
    x: int = a
    y: undefined_name  # noqa: F821

    class Box:
        z: int = 3

    box = Box()
    box.w: text = 4  # noqa: F821
    return x, Box.__annotations__, box.w


def annotated_without_value_is_unbound(a):
    y: int
    return y  # noqa: F821


def shadowed_builtins(a):
    len = lambda x: "mine"  # noqa: E731

    def range(n):
        return [n]

    return len([]), [i for i in range(4)]


def comprehension_scopes(a):
    i = "outer"
    out = [i for i in range(3)]
    return i, out, {i: j for i, j in zip("ab", [1, 2])}, {i % 2 for i in range(5)}


def comprehension_nested(a):
    return [[x * y for y in range(x)] for x in range(4)], [y for x in ([1, 2], [3]) for y in x if y != a]


def comprehension_order(a):
    return [note(x) for x in note([1, 2]) for _ in note([3]) if note(x > 0)]


def comprehension_of_attribute_iterables(a):
    class Tree:
        def __init__(self, *parts):
            self.parts = parts
            self.table = {"k": parts}

    t = Tree(Tree(1, 2), Tree(3))
    return [p for s in t.parts for p in s.parts], [p for s in t.parts for p in s.table["k"] if p or s and p]


def comprehension_unbound(a):
    return [z for _ in range(1)]  # noqa: F821


def generator_expression_is_lazy(a):
    g = (note(x) for x in range(3))
    note("before")
    return next(g), list(g)


def generator_expression_evaluates_first_iterable_at_once(a):
    g = (x for x in note([1]) if x)
    note("after")
    return list(g)


def interleaved_generators(a):
    class Table:
        rows = [10, 20, 30]

    t = Table()
    g = (t.rows[i] if i or True else 0 for i in range(3))
    h = (t.rows[i] and i < next(g) < 99 for i in range(2))
    return next(h), t.rows[next(g) // 20], list(h), list(g)


def generator(a):
    def count(n):
        try:
            while n:
                got = yield n
                if got:
                    note(got)
                n -= 1
            return "end"
        finally:
            note("finally")

    def outer():
        result = yield from count(2)
        yield result

    g = count(3)
    return next(g), g.send("hello"), g.close(), list(outer())


def generator_function(a):
    for i in range(a):
        if i == 2:
            continue
        yield note(i)
    yield from "ab"


def consume_generator_function(a):
    return list(generator_function(a))


def generator_throw(a):
    def g():
        while True:
            try:
                yield 1
            except KeyError as error:
                note(error)

    made = g()
    next(made)
    return made.throw(KeyError("k"))


def class_in_function(a):
    x = "function"

    class Inner:
        x = "class"
        y = x
        items = [i for i in range(2)]

        def method(self):
            return x, self.x, self.y

        @property
        def twice(self):
            return self.items * 2 if self.items else None

        @staticmethod
        def static(v):
            return v and v + 1

        @classmethod
        def make(cls):
            return cls()

    made = Inner.make()
    return made.method(), made.twice, Inner.static(a), Inner.__qualname__, made.method.__qualname__


class Base:
    kind = "base"

    def __init__(self, value):
        self.value = value

    def who(self, extra=""):
        return "base " + extra + str(self.value)

    @property
    def double(self):
        return self.value * 2

    @classmethod
    def create(cls, value):
        return cls(value)

    @staticmethod
    def helper(x):
        return x + 1

    def __private(self):
        return "private", self.value

    def reach(self):
        self.__hidden = 3
        return self.__private(), self.__hidden


class Derived(Base):
    kind = "derived"

    def __init__(self, value):
        super().__init__(value + 1)

    def who(self, extra=""):
        return "derived " + super().who(extra="x") + super().kind + __class__.__name__

    @classmethod
    def create(cls, value):
        return super().create(value)

    @property
    def double(self):
        return super().double + 1

    def __call__(self, x):
        return [self.value] if x else None

    def nested(self):
        def inner(s):
            return super().who()

        return inner(self), [self.who() for _ in range(1)]

    def reassigned(self):
        other = Base(7)
        self, kept = other, self
        return self.who(), kept.value


def inheritance(a):
    d = Derived(a)
    return d.who(), d.double, d.kind, Derived.create(3).value, d(1), d.nested(), d.reassigned()


def mangled_names(a):
    return Base(a).reach(), sorted(vars(Base(1)))


def mangled_in_nested_class(a):
    class Inner:
        __secret = 4

        def __method(self):
            return self.__secret if self.__secret > 3 else 0

        def open(self):
            return self.__method()

    return Inner().open(), hasattr(Inner, "_Inner__secret")


def class_with_metaclass_and_keywords(a):
    class Meta(type):
        def __new__(mcs, name, bases, space, tag=None):
            space["tag"] = tag
            return super().__new__(mcs, name, bases, space)

        def __call__(cls, *arguments):
            note("call")
            return super().__call__(*arguments)

    class Tagged(metaclass=Meta, tag=a):
        def __init__(self, x):
            self.x = x

    return Tagged(1).x, Tagged.tag


def class_with_new(a):
    class Number(int):
        def __new__(cls, x):
            return super().__new__(cls, x + 1)

    class Other:
        def __new__(cls):
            return 5

    return Number(a) + 1, Other()


def class_with_init_that_fails(a):
    class Wrong:
        def __init__(self, x):
            self.x = 1 / x

    return Wrong(0)


def class_with_init_that_returns(a):
    class Wrong:
        def __init__(self):
            return 1

    return Wrong()


def class_called_with_too_much(a):
    class Empty:
        pass

    return Empty(1)


def dataclasses_and_named_tuples(a):
    import dataclasses
    from typing import NamedTuple

    @dataclasses.dataclass(order=True)
    class Point:
        x: int
        y: list = dataclasses.field(default_factory=list)

    class Pair(NamedTuple):
        a: int
        b: int = 2

    p = Point(a)
    p.y.append(1)
    return p, Point(1) < Point(2), Pair(a)._replace(b=3)


def decorators(a):
    def twice(f):
        note("decorating " + f.__name__)

        @functools.wraps(f)
        def wrapper(*args, **kwargs):
            return f(*args, **kwargs) * 2

        return wrapper

    def tagged(tag):
        def decorate(f):
            f.tag = tag
            return f

        return decorate

    @twice
    @tagged(note("tag"))
    def g(x):
        """Doc."""
        return x + 1

    return g(a), g.__name__, g.__doc__, g.__wrapped__.tag


def decorator_is_not_applied_again(f):
    note("applied")
    return f


@decorator_is_not_applied_again
def decorated(a):
    return a + 1


def recursion(a):
    return 1 if a < 2 else a * recursion(a - 1)


def inner_recursion(a):
    def fibonacci(n):
        if n < 2:
            return n
        return fibonacci(n - 1) + fibonacci(n - 2)

    return fibonacci(a + 5)


def mutual_recursion(a):
    even = lambda n: True if n == 0 else odd(n - 1)  # noqa: E731
    odd = lambda n: False if n == 0 else even(n - 1)  # noqa: E731
    return even(a), odd(a)


def endless_recursion(a):
    def deeper(n):
        if n > 50:
            raise RecursionError("deep enough")
        return deeper(n + 1)

    return deeper(0)


def partials(a):
    def f(x, y, z=0):
        return x * 100 + y * 10 + z

    p = functools.partial(f, 1, z=3)
    return p(2), functools.partial(p, 4)(), functools.reduce(lambda x, y: x + y if y else x, [1, 2, 3])


def builtins_with_functions(a):
    return (
        sorted([3, 1, 2], key=lambda v: -v if v else 0),
        list(map(lambda v: v and v + 1, [0, 1])),
        list(filter(lambda v: v > 1 or v == 0, range(4))),
        max("abc", key=lambda c: c == "b"),
        any(v > 2 for v in range(a + 3)),
        list(zip([1, 2], "ab")),
        list(enumerate("ab", 1)),
        len("abc"),
        list(itertools.chain([1], (2,))),
    )


def lambda_forms(a):
    f = lambda x, *y, z=a, **w: (x, y, z, w)  # noqa: E731
    return f(1), f(1, 2, z=3, q=4), (lambda: (yield_ := a))(), (lambda x: (lambda y: x + y)(1))(2)


def f_strings(a):
    name = "n"
    return f"{a=} {a!r:>5} {name:{'<'}{6}}| {a if a else 'none'} {a > 1 and 'x'} {[i for i in range(2)]} {{}} {TABLE['a'][0]=}"


def host_reads(a):
    return TABLE["a"][1], len(TABLE), COUNTER * 0, functools.__name__, note.__name__


def slices(a):
    x = list(range(10))
    x[1:3] = [a]
    return x[1:], x[:-1], x[::2], x[slice(1, 3)], "text"[1:3]


def function_attributes(a):
    def f():
        f.calls += 1
        return f.calls

    f.calls = 0
    f()
    return f(), f.__qualname__, f.__module__


def imports(a):
    import os
    import os.path as p
    from math import floor  # noqa: I001
    from math import sqrt as root

    return p.basename("/a/b"), root(4), floor(2.5), os.path is p


def exception_groups_of_context(a):
    def fail(n):
        if n == 0:
            raise KeyError("bottom")
        try:
            fail(n - 1)
        except KeyError as error:
            raise ValueError(n) from error

    fail(2)


def kwargs_only_error(a):
    def f(*, x):
        return x

    return f()


def locals_of_class_body(a):
    class C:
        if a:
            x = 1
        else:
            x = 2
        for y in range(3):
            pass
        z = [q for q in range(y)] if x else None

    return C.x, C.y, C.z


def delete_attribute_of_missing(a):
    class C:
        pass

    del C().x


def complicated_targets(a):
    d = {}
    d["x"], d["y"] = d["z"] = (1, 2)
    [d["p"], *d["q"]] = range(3)
    return sorted(d.items(), key=str)


def string_and_bytes(a):
    return "ab", b"x" + b"y", "%s" % a, f"{a}"


def numbers(a):
    return -a, +a, ~a, a // 2, a % 3, a @ 1 if False else a, 2**a, 1_000, 1j * a, a << 1 & 7 | 8 ^ 3


def conditional_lambda_default(a):
    def f(x=a if a > 1 else 0, y=[i for i in range(a)]):  # noqa: B006
        return x, y

    return f()


def generator_left_open(a):
    def g():
        with note_block("g"):
            yield 1
            yield 2

    for x in g():
        return x


class note_block:  # noqa: N801
    def __init__(self, name):
        self.name = name

    def __enter__(self):
        note("enter " + self.name)

    def __exit__(self, *details):
        note("exit " + self.name)


def star_in_index(a):
    d = {(1, 2): "x"}
    return d[1, 2], d[(1, 2)]


def docstring_and_annotations(a: int, b: "str" = "x") -> float:
    """Text."""

    def inner(c: int = 1) -> "list[int]":
        """Inner."""
        return c

    return inner.__annotations__, inner.__doc__, b


def nested_functions_three_deep(a):
    x = 1

    def one():
        y = 2

        def two():
            z = 3

            def three():
                nonlocal x, y
                x, y = x + z, y + a
                return x, y, z

            return three()

        return two(), y

    return one(), x


def try_star_free_names(a):
    items = []
    append = items.append
    for i in range(3):
        append(i)
    return items, [].append is append


def sets_and_dicts_changed(a):
    s, d = {1}, {}
    s.add(a)
    s |= {7}
    d.setdefault("k", []).append(a)
    d.update(x=1)
    return s, d, d.pop("x"), s.discard(1)

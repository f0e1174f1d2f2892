"""What a captured function meets in the program around it: followed when it changes, refused where it would be used up
or changed once."""

# shard: graph

import abc
import array
import bisect
import collections
import configparser
import contextlib
import contextvars
import copy
import dataclasses
import enum
import functools
import heapq
import io
import json
import logging
import math
import operator
import os
import pathlib
import queue
import random
import tempfile
import threading
import time
import types
import weakref

import numpy as np
import pytest
from jit_helpers import follows, t

import phlox as px
from phlox import nn

X = t(1, -2)


class Thing:
    def __init__(self, **attributes):
        self.__dict__.update(attributes)


def setting(owner, name, value):
    return lambda: setattr(owner, name, value)


# --- what is followed: each gives a function and changes of what it reads

FOLLOWED = {}


def followed(make):
    FOLLOWED[make.__name__] = make
    return make


@pytest.mark.parametrize("name", FOLLOWED)
def test_changes_are_followed(name, monkeypatch):
    parameters = (monkeypatch,) if FOLLOWED[name].__code__.co_argcount else ()
    function, *changes = FOLLOWED[name](*parameters)
    jitted = follows(function, (X,), (X,), *(entry for change in changes for entry in (change, (X,), (X,))))
    assert jitted.capture_count <= len(changes) + 1


@followed
def property_that_is_exchanged():
    class Box:
        rate = property(lambda self: 1.0)

    class Other(Box):
        pass

    box, other = Box(), Other()
    return (
        lambda x: x * box.rate + other.rate,
        setting(Box, "rate", property(lambda self: 9.0)),
        setting(Other, "rate", property(lambda self: 7.0)),
        setting(Box, "rate", 5.0),
    )


@followed
def class_of_an_object():
    class First:
        rate = property(lambda self: 1.0)

        def act(self, x):
            return x + 1

        def __mul__(self, x):
            return x * 3

    class Second:
        rate = property(lambda self: 2.0)

        def act(self, x):
            return x + 2

        def __mul__(self, x):
            return x * 5

    box, kept = First(), First()

    def run(x, kept=kept):
        kinds = (7 if isinstance(box, Second) else 8) + (1 if type(kept) is Second else 2)
        return [box.act(x), box * x, x * box.rate, x * kinds]

    return run, setting(box, "__class__", Second), setting(kept, "__class__", Second)


@followed
def operators_that_are_exchanged():
    class Box:
        def __mul__(self, x):
            return x * 3

        def __len__(self):
            return 3

        def __call__(self, x):
            return x * 4

        def __str__(self):
            return "2"

    box = Box()
    return (
        lambda x: box * x * len(box) + box(x) + float(f"{box}"),
        setting(Box, "__mul__", lambda self, x: x * 9),
        setting(Box, "__len__", lambda self: 9),
        setting(Box, "__call__", lambda self, x: x * 100),
        setting(Box, "__str__", lambda self: "7"),
    )


@followed
def attributes_of_classes_and_their_bases():
    class Base:
        rate = 1.0

        @classmethod
        def scaled(cls, x):
            return x * cls.rate

        @staticmethod
        def plain(x):
            return x * 2

    class Box(Base):
        def act(self, x):
            return x * type(self).rate + self.__class__.rate + self.rate

    box = Box()
    return (
        lambda x: box.act(x) + Box.scaled(x) + Box.plain(x),
        setting(Base, "rate", 3.0),
        setting(Box, "rate", 4.0),
        setting(box, "rate", 5.0),
        setting(Base, "scaled", classmethod(lambda cls, x: x * 10)),
        setting(Base, "plain", staticmethod(lambda x: x * 11)),
    )


@followed
def context_variables():
    rate, other = contextvars.ContextVar("rate", default=2.0), contextvars.ContextVar("other")
    return lambda x: x * rate.get() + other.get(1.0), lambda: rate.set(3.0), lambda: other.set(4.0)


@followed
def containers_of_collections():
    things = collections.UserList([1.0, 2.0])
    table = collections.UserDict(a=1.0)
    first = {"a": 1.0}
    chain = collections.ChainMap({}, first)
    box = Thing(things=things)
    return (
        lambda x: (
            x * len(things) + sum(box.things) + table["a"] + len(table) + chain["a"] + chain.get("z", 0)
        ),
        lambda: things.append(3.0),
        lambda: things.data.insert(0, 7.0),
        lambda: table.update(a=3.0),
        lambda: first.update(a=4.0),
        lambda: first.update(z=4.0),
        lambda: chain.maps[0].update(a=8.0),
    )


@followed
def what_shows_a_container():
    table, buffer = {"a": 1.0}, bytearray(b"ab")
    proxy, values, memory = types.MappingProxyType(table), table.values(), memoryview(buffer)
    return (
        lambda x: x * proxy["a"] + sum(values) + len(proxy) + memory[0],
        lambda: table.update(a=3.0),
        lambda: table.update(b=3.0),
        lambda: buffer.__setitem__(0, 3),
    )


@followed
def tensors_around_of_which_only_the_type_is_read():
    weight, other = px.zeros(1), nn.Parameter(px.zeros(1))
    return (
        lambda x: x + weight.shape[0] + len(weight) + (1 if other.dtype == px.float64 else 2),
        lambda: weight.resize_(3),
        lambda: setattr(other, "data", other.data.double()),
    )


@followed
def functions_of_modules(monkeypatch):
    change = lambda *entry: lambda: monkeypatch.setattr(*entry)  # noqa: E731
    return (
        lambda x: px.relu(x) + nn.functional.relu(x) + math.sqrt(4) + float(np.sum([1, 2])),
        change(px, "relu", px.neg),
        change(nn.functional, "relu", px.neg),
        change(math, "sqrt", lambda value: 7.0),
        change(np, "sum", lambda value: 9.0),
        monkeypatch.undo,
    )


@followed
def modules_with_getattr():
    module, table = types.ModuleType("module"), {"rate": 2.0}
    module.__getattr__ = lambda name: table[name]
    return lambda x: x * module.rate, lambda: table.update(rate=3.0), setting(module, "rate", 9.0)


@followed
def environment_in_other_ways(monkeypatch):
    monkeypatch.setenv("PHLOX_TEST_RATE", "2")
    return (
        lambda x: x * float(os.environb[b"PHLOX_TEST_RATE"]) + float(os.path.expandvars("$PHLOX_TEST_RATE")),
        lambda: monkeypatch.setenv("PHLOX_TEST_RATE", "5"),
    )


@followed
def working_directory(monkeypatch):
    return lambda x: x * len(os.getcwd()), lambda: monkeypatch.chdir("/")


@followed
def files_that_come_and_go():
    path = pathlib.Path(tempfile.mkdtemp()) / "here"
    return (
        lambda x: x * (2 if os.path.exists(path) else 3) + path.is_file(),
        path.touch,
        path.unlink,
    )


@followed
def caches():
    table = {"rate": 2.0}

    @functools.lru_cache
    def rate(k):
        return k * table["rate"]

    @functools.lru_cache
    def positions(n):
        return px.arange(float(n))

    def change():
        table["rate"] = 3.0
        rate.cache_clear()
        positions.cache_clear()

    return lambda x: x * rate(2) + positions(2), change, lambda: table.update(rate=9.0)


@followed
def cached_properties():
    class Box:
        rate = 2.0

        @functools.cached_property
        def twice(self):
            return self.rate * 2

    box = Box()

    def change():
        box.rate = 4.0
        del box.twice

    return lambda x: x * box.twice, change


@followed
def slots_and_descriptors():
    class Slotted:
        __slots__ = ("rate", "table")

    class Held:
        def __init__(self):
            self.value = 2.0

        def __get__(self, instance, owner=None):
            return self if instance is None else self.value

    class Box:
        held = Held()

    slotted, box = Slotted(), Box()
    slotted.rate, slotted.table = 2.0, {"a": [1.0]}
    return (
        lambda x: x * slotted.rate + slotted.table["a"][0] + box.held,
        setting(slotted, "rate", 3.0),
        lambda: slotted.table["a"].__setitem__(0, 4.0),
        setting(vars(Box)["held"], "value", 5.0),
    )


@followed
def getattr_that_looks_in_a_table():
    class Box:
        def __init__(self):
            self.table = {"rate": 2.0}

        def __getattr__(self, name):
            return self.table[name]

    box = Box()
    return lambda x: x * box.rate, lambda: box.table.update(rate=3.0), setting(box, "rate", 9.0)


@followed
def enums_and_tuples_with_names():
    class Kind(enum.Enum):
        A = 1.0
        B = 2.0

    Pair = collections.namedtuple("Pair", "first second")
    box, table = Thing(kind=Kind.A, pair=Pair(1.0, [2.0])), {Kind.A: 1.0, Kind.B: 5.0}
    return (
        lambda x: x * box.kind.value + table[box.kind] + box.pair.first + box.pair.second[0] + len(Kind),
        setting(box, "kind", Kind.B),
        lambda: table.update({Kind.B: 7.0}),
        lambda: box.pair.second.__setitem__(0, 3.0),
        lambda: setattr(box, "pair", box.pair._replace(first=5.0)),
    )


@dataclasses.dataclass
class Settings:
    rate: float = 1.0
    names: list = dataclasses.field(default_factory=lambda: [2.0])


@dataclasses.dataclass(slots=True)
class SlottedSettings:
    rate: float = 1.0


@followed
def objects_that_libraries_read():
    settings, slotted, box = Settings(), SlottedSettings(), Thing(rate=1.0, names=[1.0])

    def run(x):
        total = dataclasses.asdict(settings)["rate"] + dataclasses.astuple(slotted)[0]
        total += (
            dataclasses.replace(settings, names=[]).rate + copy.copy(box).rate + copy.deepcopy(box).names[0]
        )
        total += json.loads(json.dumps(box, default=vars))["rate"] + float("{.rate}".format(box))  # noqa: UP032
        return x * total

    return (
        run,
        setting(settings, "rate", 2.0),
        setting(slotted, "rate", 3.0),
        setting(box, "rate", 4.0),
        lambda: box.names.__setitem__(0, 5.0),
    )


@followed
def objects_of_libraries():
    values, waiting, local = configparser.ConfigParser(), queue.Queue(), threading.local()
    values["a"] = {"rate": "2"}
    local.rate = 1.0
    return (
        lambda x: x * float(values["a"]["rate"]) + waiting.qsize() + local.rate,
        lambda: values["a"].update(rate="3"),
        lambda: waiting.put(1),
        setting(local, "rate", 3.0),
    )


@followed
def texts_and_numbers_of_objects():
    class Box:
        rate = 1.0

        def __str__(self):
            return str(self.rate)

        def __float__(self):
            return self.rate

        def __index__(self):
            return int(self.rate)

        def __hash__(self):
            return int(self.rate)

    box = Box()
    return (
        lambda x: x * float(str(box)) + float(box) + [5.0, 6.0, 7.0][box] + hash(box),
        setting(box, "rate", 2.0),
    )


@followed
def elements_by_attributes():
    things = [Thing(rate=1.0, size=0.0), Thing(rate=2.0, size=5.0)]
    return (
        lambda x: x * sorted(things, key=operator.attrgetter("rate"))[0].size + sum(a.rate for a in things),
        setting(things[0], "rate", 7.0),
    )


@followed
def defaults_of_parameters():
    def inner(x, table={"a": 1.0}, *, rate=1.0):  # noqa: B006
        return x * sum(table.values()) * rate

    def change():
        inner.__kwdefaults__["rate"] = 6.0

    return lambda x: inner(x), lambda: inner.__defaults__[0].update(b=5.0), change


@followed
def functions_without_source():
    names = {"rate": 2.0, "table": {"a": 1.0}, "box": Thing(rate=3.0)}
    exec("def scaled(x): return x * rate + table['a'] + inner()\ndef inner(): return box.rate", names)
    return (
        names["scaled"],
        lambda: names.update(rate=3.0),
        lambda: names["table"].update(a=7.0),
        setting(names["box"], "rate", 11.0),
    )


@followed
def decorators_of_libraries():
    table = {"rate": 2.0}

    @contextlib.contextmanager
    def scope():
        yield table["rate"]

    @functools.singledispatch
    def kind(value):
        return 1.0

    @kind.register
    def _(value: float):
        return table["rate"] * value

    def run(x):
        with scope() as rate:
            return x * rate + kind("a") + kind(2.0)

    return run, lambda: table.update(rate=3.0), lambda: kind.register(str, lambda value: 8.0)


@followed
def classes_that_are_registered():
    class Base(abc.ABC):  # noqa: B024
        pass

    class Box:
        pass

    box, made = Box(), []
    return (
        lambda x: x * (2 if isinstance(box, Base) else 3) + len(Box.__subclasses__()),
        lambda: Base.register(Box),
        lambda: made.append(type("Derived", (Box,), {})),
    )


@followed
def names_of_attributes_and_levels():
    box, log = Thing(rate=1.0), logging.getLogger(__name__ + ".levels")

    def run(x):
        log.debug("captured %s", box)
        return x * len([name for name in dir(box) if name[0] != "_"]) + log.isEnabledFor(logging.DEBUG)

    return run, setting(box, "more", 1.0), lambda: log.setLevel(logging.DEBUG)


RATES = {"rate": 2.0}


@dataclasses.dataclass
class Shown:
    rate: float = 1.0


class Scaling(px.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * RATES["rate"]

    @staticmethod
    def backward(ctx, gradient):
        return gradient * RATES["rate"] * 2


gradient_of_sum = px.func.grad(lambda row: (row * RATES["rate"]).sum())


def with_forward_hooks():
    layer, own = nn.Linear(2, 2), nn.Identity()
    layer.register_forward_hook(lambda module, inputs, output: output * RATES["rate"])
    layer.register_forward_pre_hook(lambda module, inputs: (inputs[0] + RATES["rate"],))
    own.register_forward_hook(lambda m, inputs, named, output: output - RATES["rate"], with_kwargs=True)
    return lambda x: own(layer(x)).detach()


def with_gradient_hooks():
    weight, other = nn.Parameter(px.ones(2)), nn.Parameter(px.ones(2))
    weight.register_hook(lambda gradient: gradient * RATES["rate"])
    other.register_post_accumulate_grad_hook(lambda leaf: leaf.grad.mul_(RATES["rate"]))

    def run(x):
        other.grad = None
        (other * x).sum().backward()
        return px.autograd.grad((weight * x).sum(), weight)[0] + other.grad

    return run


def with_functions_of_gradients():
    weight = nn.Parameter(px.ones(2))

    def run(x):
        y = Scaling.apply(weight * x)
        return y.detach(), px.autograd.grad(y.sum(), weight)[0], gradient_of_sum(x)

    return run


def factory():
    return RATES["rate"]


class Created:
    def __new__(cls):
        made = super().__new__(cls)
        made.rate = RATES["rate"]
        return made


CALLED = {
    "hooks of modules": with_forward_hooks,
    "hooks of tensors": with_gradient_hooks,
    "gradients of one's own": with_functions_of_gradients,
    "factories": lambda: lambda x: x * collections.defaultdict(factory)["a"],
    "__new__": lambda: lambda x: x * Created().rate,
    "numpy.vectorize": lambda: lambda x: x * float(np.vectorize(lambda value: value * RATES["rate"])(2.0)),
    "heapq": lambda: lambda x: x * heapq.nlargest(1, [1, 2], key=lambda v: v * (3 - RATES["rate"]))[0],
}


@pytest.mark.parametrize("name", CALLED)
def test_functions_that_others_call(name, monkeypatch):
    change = lambda rate: lambda: monkeypatch.setitem(RATES, "rate", rate)  # noqa: E731
    follows(CALLED[name](), (X,), (X,), change(5.0), (X,), change(7.0), (X,))


@followed
def patterns_and_texts_of_dataclasses():
    shown = Shown()

    def run(x):
        match shown:
            case Shown(rate=1.0):
                return x * 2
            case Shown(rate=rate):
                return x * rate + len(str(shown))

    return run, setting(shown, "rate", 2.0), setting(shown, "rate", 12.25)


@followed
def flags_of_what_is_computed():
    weight = nn.Parameter(px.ones(2))
    return lambda x: x + float((x * weight).requires_grad), lambda: weight.requires_grad_(False)


SCALE = [2.0]


def scaled_row(row):
    return row * SCALE[0]


batched = px.vmap(scaled_row)


@followed
def functions_that_transformations_call():
    before = SCALE[0]
    return (
        lambda x: (
            px.vmap(scaled_row)(x)
            + batched(x)
            + px.func.vjp(scaled_row, x)[1](x)[0]
            + px.checkpoint(scaled_row, x)
        ),
        lambda: SCALE.__setitem__(0, 5.0),
        lambda: SCALE.__setitem__(0, before),
    )


def test_what_the_function_makes_itself_may_change():
    def run(x):
        numbers, counts, sums = [3, 1], collections.Counter(), np.zeros(2)
        heapq.heapify(numbers)
        heapq.heappush(numbers, 0)
        bisect.insort(numbers, 2)
        counts.update("ab")
        np.add(sums, 1, out=sums)
        sums += 1
        table = json.loads('{"a": {"b": 1}}')
        table["c"] = 2
        text = io.StringIO()
        text.write("5")
        random.Random(3).shuffle(numbers)
        return x * numbers[0] + counts["a"] + float(sums.sum()) + table["c"] + float(text.getvalue())

    assert follows(run, (X,), (X,)).capture_count == 1


# --- what is refused

BATCHES = px.data.DataLoader(px.data.TensorDataset(px.arange(4.0)), batch_size=2, shuffle=True, seed=0)


class Numbers(px.data.Dataset):
    def __len__(self):
        return 4

    def __getitem__(self, index):
        return px.tensor(float(index))


@pytest.mark.parametrize(
    "loader", [BATCHES, px.data.DataLoader(Numbers(), batch_size=2)], ids=["C++", "Python"]
)
def test_loaders(loader):
    def comprehension(x):
        return [x.sum() + batch[0] for batch in loader]

    def loop(x):
        for number, batch in enumerate(loader):
            x = x + batch[0] * number
        return x

    for function in (
        comprehension,
        loop,
        lambda x: next(iter(loader))[0] + x,
        lambda x: list(zip([1], loader)),
    ):
        with pytest.raises(px.GraphError, match=r"gives other batches each time(.|\n)*pass each batch"):
            px.jit(function)(X)
    with pytest.raises(px.GraphError, match="gives other batches each time"):
        px.trace(comprehension, X)
    follows(lambda x: x / len(loader), (X,), (X,))


QUEUE, COUNTS, ARRAY = [1, 2], collections.Counter("a"), np.array([3.0, 1.0])
CHANGES = {
    "heappush": (QUEUE, lambda q: heapq.heappush(q, 0), "a list by heappush"),
    "heappop": (QUEUE, heapq.heappop, "a list by heappop"),
    "insort": (QUEUE, lambda q: bisect.insort(q, 1.5), "a list by insort"),
    "in a dictionary": ({"a": [1]}, lambda d: heapq.heappush(d["a"], 1), "a list by heappush"),
    "partial": (QUEUE, lambda q: functools.partial(heapq.heappush, q, 3)(), "a list by heappush"),
    "map": (QUEUE, lambda q: list(map(q.append, [1, 2])), "a list by append"),
    "methodcaller": (QUEUE, lambda q: operator.methodcaller("append", 3)(q), "a list by methodcaller"),
    "Counter": (COUNTS, lambda c: c.update("ab"), "a Counter by update"),
    "numpy out": (ARRAY, lambda a: np.add(a, 1, out=a), "an ndarray by add"),
    "numpy fill": (ARRAY, lambda a: a.fill(3), "an ndarray by fill"),
    "numpy sort": (ARRAY, lambda a: a.sort(), "an ndarray by sort"),
    "numpy put": (ARRAY, lambda a: np.put(a, [0], 7), "an ndarray by put"),
    "numpy iadd": (ARRAY, lambda a: operator.iadd(a, 1), "an ndarray by iadd"),
    "array": (array.array("d", [1.0]), lambda a: a.append(1), "an array by append"),
    "set": ({1}, lambda s: s.add(2), "a set by add"),
    "setdefault": ({}, lambda d: d.setdefault("a", 1), "a dict by setdefault"),
    "defaultdict": (collections.defaultdict(list), lambda d: d["a"], "a defaultdict, which line"),
    "UserList": (collections.UserList(), lambda u: u.append(1), "a UserList by append"),
    "ChainMap": (collections.ChainMap({}), lambda c: c.update(a=1), "a ChainMap by update"),
    "queue": (queue.Queue(), lambda q: q.put(1), "a Queue by put"),
    "simple queue": (queue.SimpleQueue(), lambda q: q.put(1), "a SimpleQueue by put"),
    "vars": (Thing(), lambda b: vars(b).update(a=2), "a dict by update"),
    "object.__setattr__": (Thing(), lambda b: object.__setattr__(b, "a", 2), r"`\.a` of a Thing"),
    "bound __setattr__": (Thing(), lambda b: b.__setattr__("a", 2), r"`\.a` of a Thing"),
    "weak set": (weakref.WeakSet(), lambda s: s.add(Thing), "a WeakSet by add"),
    "context variable": (contextvars.ContextVar("rate"), lambda v: v.set(3.0), "a ContextVar by set"),
    "memory": (memoryview(bytearray(b"abc")), lambda m: operator.setitem(m, 0, 2), "a memoryview by setitem"),
    "file": (io.StringIO(), lambda f: f.write("abc"), r"write\(\) reads or changes files"),
    "file of another": (io.StringIO(), lambda f: json.dump([1], f), "a StringIO that the program keeps"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_changes_of_what_lies_around_are_refused(name):
    container, change, message = CHANGES[name]
    box = Thing(held=container)

    def run(x):
        change(box.held)
        return x * 2

    with pytest.raises(px.GraphError, match=message) as error:
        px.jit(run)(X)
    assert error.value.code == "E1002" and "test_jit_surroundings.py:" in str(error.value)
    assert "try" in str(error.value)


def test_changes_under_a_condition():
    def run(x):
        numbers = []
        if x.sum() > 0:
            heapq.heappush(numbers, 1)
        return x * len(numbers)

    with pytest.raises(px.GraphError, match="the list is changed under a condition"):
        px.jit(run)(X)


KEPT, OTHER, RATED, UNRATED = [1.0, 2.0], [3.0, 4.0], {"rate": 1.0}, {"rate": 2.0}


def chosen_list(x):
    chosen = KEPT if x.sum() > 0 else OTHER
    chosen.append(1.0)


def chosen_list_of_tensors(x):
    if x.sum() > 0:
        chosen = KEPT
    else:
        chosen = [x.sum(), x.mean()]
    chosen[0] = 1.0


def chosen_dict(x):
    if x.sum() > 0:
        chosen = RATED
    else:
        chosen = UNRATED
    chosen["rate"] = 3.0


def list_that_a_loop_leaves_alone(x):
    kept = KEPT
    for _ in range(x.numel() + px.tensor(0)):
        kept = kept  # noqa: PLW0127
    kept.append(1.0)


def list_that_a_loop_finds(x):
    kept = [1.0, 2.0]
    while x.sum() < 10:
        x = x + 10
        kept = KEPT
    kept.append(1.0)


@pytest.mark.parametrize(
    "change",
    [
        chosen_list,
        chosen_list_of_tensors,
        chosen_dict,
        list_that_a_loop_leaves_alone,
        list_that_a_loop_finds,
    ],
)
def test_changes_of_what_conditions_and_loops_choose_are_refused(change):
    def run(x):
        change(x)
        return x * 2

    with pytest.raises(px.GraphError, match="which exists outside of the captured function"):
        px.jit(run)(X)


def test_flags_that_conditions_set():
    def run(x):
        found, missing = False, not x[0]
        for value in x:
            if value > 2:
                found = True
            missing += not value
        x = x * 10 if found is True else x
        return x if found is not False else x + 1, missing, not x.sum()

    follows(run, (t(1, 3),), (t(1, 1),), (t(0, 0),))


@pytest.mark.parametrize(
    "run",
    [
        lambda x, y: x if (x if x.sum() > y.sum() else y) is x else y,
        lambda x, y: x if x is not X else y,
        lambda x, y: sum(i for i in range(3) if (1 if x.sum() > 0 else 2) is i) + x,
    ],
)
def test_which_object_it_is_may_not_be_known(run):
    with pytest.raises(px.GraphError, match="are one object is known only when the graph runs"):
        px.jit(run)(t(1, 2), t(3, 4))


def test_which_tensor_it_is():
    first, second = t(1, 2), t(3, 4)
    run = lambda x, y: (x * 2 if x is y else x, x is None, x.relu() is not x, y is x)  # noqa: E731
    follows(run, (first, first), (first, second))


def test_names_of_results():
    result = px.jit(lambda x: {"a": x.max(0), "b": [x.sort()]})(px.randn(3, 4))
    assert result["a"].values.shape == (4,) and result["b"][0].indices.shape == (3, 4)
    assert type(result["a"]) is type(px.ones(2, 2).max(0))


def test_reads_of_what_conditions_and_loops_choose():
    def run(x):
        chosen = KEPT if x.sum() > 0 else OTHER
        while x.sum() < 10:
            x = x + 10
            chosen = OTHER
        return x * chosen[0]

    follows(run, (X,), (X,), lambda: OTHER.__setitem__(0, 9.0), (X,), lambda: OTHER.__setitem__(0, 3.0), (X,))


def lines():
    return io.StringIO("1\n2\n3\n")


TEXT, ITERATORS = lines(), [iter([1.0, 2.0])]


@functools.lru_cache
def kept(x):
    return x * 2


REFUSED = {
    "lines": (lambda x: x * float(TEXT.readline()), r"readline\(\) reads or changes files"),
    "file in a loop": (lambda x: [x * float(line) for line in TEXT], "a StringIO that the program keeps"),
    "iterator in a list": (lambda x: [x * k for k in ITERATORS[0]], "a list_iterator that the program keeps"),
    "open": (lambda x: x * len(open(__file__).read()), r"open\(\) reads"),  # noqa: SIM115
    "read_text": (lambda x: x * len(pathlib.Path(__file__).read_text()), r"read_text\(\) reads"),
    "numpy.load": (lambda x: x * np.load("values.npy"), r"load\(\) reads"),
    "px.load": (lambda x: x * px.load("values.safetensors")["a"], r"load\(\) reads"),
    "strftime": (lambda x: x * float(time.strftime("%S")), r"strftime\(\) gives another value"),
    "generator without a seed": (lambda x: x * random.Random().random(), "random.Random"),
    "numpy without a seed": (lambda x: x * np.random.default_rng().random(), "default_rng"),
    "SystemRandom": (lambda x: x * random.SystemRandom().random(), "SystemRandom"),
    "cache of tensors": (lambda x: kept(x), r"kept\(\) is kept by functools.lru_cache"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_acts_once_is_refused(name):
    function, message = REFUSED[name]
    with pytest.raises(px.GraphError, match=message) as error:
        px.jit(function)(X)
    assert error.value.code == "E1002" and "try" in str(error.value)


# --- which tensors come out, and what is left behind


def test_tensors_that_were_there_come_back_themselves():
    weight, buffer, module = nn.Parameter(px.ones(2)), px.zeros(2), nn.Linear(2, 2)
    jitted = px.jit(lambda x: (weight, {"a": [buffer, x]}, x * 2, list(module.parameters())))
    for x in (X, X.clone().requires_grad_()):
        first, table, doubled, parameters = jitted(x)
        assert first is weight and table["a"][0] is buffer and table["a"][1] is x
        assert px.equal(doubled, x * 2) and all(a is b for a, b in zip(parameters, module.parameters()))

    def step(x):
        buffer.add_(x)
        x.mul_(2)
        return buffer, x

    jitted, x = px.jit(step), X.clone()
    for factor in (1, 3):
        written, same_x = jitted(x)
        assert written is buffer and same_x is x and px.equal(buffer, X * factor)
    y, again = px.jit(lambda x: (x * 2, x * 2))(X)
    assert y is not again
    y, again = (lambda y: (y, y))(X) and px.jit(lambda x: (lambda y: (y, y))(x * 2))(X)
    assert y is again


def test_leaves_that_the_function_makes():
    made = px.jit(lambda x: nn.Parameter(x * 2))(X)
    assert (
        type(made) is nn.Parameter and made.requires_grad and made.is_leaf and px.equal(made.detach(), X * 2)
    )
    made = px.jit(lambda x: px.zeros(2, requires_grad=True))(X)
    assert made.requires_grad and made.is_leaf

    def beside(x):
        leaf = (x * 2).detach().requires_grad_()
        return leaf, (leaf * leaf).sum()

    with pytest.raises(px.GraphError, match="a leaf that the function made, beside"):
        px.jit(beside)(X)


def test_what_the_function_leaves_behind():
    weight = nn.Parameter(px.ones(2))

    def off(x):
        px.set_grad_enabled(False)
        return x * 2

    def off_and_on(x):
        px.set_grad_enabled(False)
        y = x * weight
        px.set_grad_enabled(True)
        return y

    with pytest.raises(px.GraphError, match="leaves gradients off"):
        px.jit(off)(X)
    assert px.is_grad_enabled()
    assert not px.jit(off_and_on)(X).requires_grad
    hidden = weight * 2
    with pytest.raises(px.GraphError, match=r"retain_grad: a captured function changes"):
        px.jit(lambda h, x: (h.retain_grad(), (h * x).sum())[1])(hidden, X)
    with pytest.raises(px.GraphError, match="requires_grad of an argument changes"):
        px.jit(lambda x: x.requires_grad_() * 2)(X.clone())

    def retained(x):
        h = weight * x
        h.retain_grad()
        return h, h.sum()

    with pytest.raises(px.GraphError, match=r"a tensor with retain_grad\(\)"):
        px.jit(retained)(X)

    def tagged(x):
        y = x * 2
        y.tag = "a"
        return y

    with pytest.raises(px.GraphError, match=r"sets `\.tag` of a tensor, which a graph does not keep"):
        px.jit(tagged)(X)


@pytest.mark.parametrize("name", ["jvp", "vjp", "grad"])
def test_gradients_flow_to_parameters_around_transformations(name):
    weight = nn.Parameter(t(2, 3))

    def cube(q):
        return q * q * q * weight

    function = {
        "jvp": lambda x: px.func.jvp(cube, (x,), (x,))[1],
        "vjp": lambda x: px.func.vjp(cube, x)[1](x)[0],
        "grad": lambda x: px.func.grad(lambda q: cube(q).sum())(x),
    }[name]
    gradients = []
    for run in (function, px.jit(function)):
        (gradient,) = px.autograd.grad(run(X).sum(), weight)
        gradients.append(gradient)
    assert px.equal(*gradients)


def test_checkpointed_batch_norm_counts_once():
    batch = px.randn(4, 2, requires_grad=True)
    for wrap in (lambda f: f, px.jit):
        plain, frugal = nn.BatchNorm1d(2), nn.BatchNorm1d(2)
        plain(batch)
        wrap(lambda x, norm=frugal: px.checkpoint(norm, x).sum())(batch).backward()
        for a, b in zip(plain.buffers(), frugal.buffers()):
            assert px.allclose(a.double(), b.double())


def test_cycles_of_objects_do_not_keep_tensors():
    def caught(x):
        y = x * 2
        try:
            raise ValueError(y)
        except ValueError as error:
            kept = error  # which holds this frame, and that the variable
        return x * 3 if kept.args else x

    def cycle(x):
        first, second = Thing(), Thing()
        first.other, second.other, first.tensor = second, first, x * 2
        return first.tensor + 1

    follows(caught, (X,), (X,))
    follows(cycle, (X,), (X,))

"""A captured function gives what the eager one gives, whatever changes around it between calls."""

# shard: graph

import array
import collections
import copy
import gc
import math
import pickle
import weakref

import numpy as np
import pytest
from jit_helpers import same

import phlox as px
from phlox import nn


def follows(function, *calls):
    """Compares for each entry: arguments, or a change of the program that comes before the next ones."""
    jitted = px.jit(function)
    for call in calls:
        if callable(call):
            call()
            continue
        expected, actual = function(*call), jitted(*call)
        assert same(actual, expected) and type(actual) is type(expected), (call, actual, expected)
    return jitted


def t(*values):
    return px.tensor([float(v) for v in values])


X = t(1, -2)


class Listed(list):
    rate = 1.0


MUTABLE = {
    "set": ({1.0}, lambda s: s.add(7)),
    "frozen set in a list": ([frozenset({1.0})], lambda s: s.append(2)),
    "list": ([1.0], lambda s: s.append(2)),
    "deque": (collections.deque([1.0]), lambda s: s.append(2)),
    "ordered": (collections.OrderedDict(a=1, b=2), lambda s: s.move_to_end("a")),
    "default": (collections.defaultdict(int, {1.0: 2}), lambda s: s.update({3: 4})),
    "counter": (collections.Counter("ab"), lambda s: s.update("ccc")),
    "bytearray": (bytearray(b"ab"), lambda s: s.append(2)),
    "array": (array.array("d", [1.0]), lambda s: s.append(2)),
    "numpy": (np.ones(3), lambda s: s.__setitem__(0, 4)),
    "numpy of objects": (np.array([1, "a"], dtype=object), lambda s: s.__setitem__(0, 4)),
    "own list": (Listed([1.0]), lambda s: s.append(2)),
    "attribute of an own list": (Listed([1.0]), lambda s: setattr(s, "rate", 3.0)),
}


def amount(container):
    """A number that depends on everything that a container holds, and on its order."""
    if isinstance(container, np.ndarray):
        container = container.tolist()
    items = container.items() if isinstance(container, dict) else container
    return sum(math.fmod(len(str(item)) + hash(str(item)) % 97, 89) * (i + 1) for i, item in enumerate(items))


@pytest.mark.parametrize("name", MUTABLE)
def test_containers_that_are_arguments(name):
    container, change = MUTABLE[name]
    container = copy.deepcopy(container)

    def scaled(x, c):
        return x * amount(c) * getattr(c, "rate", 1.0)

    jitted = follows(scaled, (X, container), (X, container), lambda: change(container), (X, container))
    assert jitted.capture_count == 2


@pytest.mark.parametrize("name", MUTABLE)
def test_containers_around(name):
    container, change = MUTABLE[name]
    container = copy.deepcopy(container)
    jitted = follows(lambda x: x * amount(container), (X,), (X,), lambda: None, (X,))
    assert jitted.capture_count == 1
    if name != "attribute of an own list":
        follows(lambda x: x * amount(container), (X,), lambda: change(container), (X,))


def test_structures_keep_their_classes():
    def doubled(tensors):
        made = tensors.copy()
        for key in tensors:
            made[key] = tensors[key] * 2
        return made

    ordered = collections.OrderedDict(b=X, a=X + 1)
    moved = ordered.copy()
    moved.move_to_end("b")
    jitted = follows(doubled, (ordered,), (moved,), ({"b": X},), (collections.defaultdict(list, b=X),))
    assert list(jitted(moved)) == ["a", "b"]
    assert jitted(collections.defaultdict(list, b=X))["new"] == []


def test_floating_point_numbers_are_compared_by_their_bits():
    def sign(x, k):
        return x * math.copysign(1.0, k)

    jitted = follows(sign, (X, 0.0), (X, -0.0), (X, math.nan), (X, -math.nan), (X, math.nan))
    assert jitted.capture_count == 4
    holder = Listed()
    holder.rate, holder.z = 0.0, 1 + 0j
    follows(
        lambda x: x * math.copysign(1.0, holder.rate) + math.copysign(1.0, holder.z.imag),
        (X,),
        lambda: setattr(holder, "rate", -0.0),
        (X,),
        lambda: setattr(holder, "z", complex(1, -0.0)),
        (X,),
    )


def test_the_sign_of_zero_survives_a_branch():
    def signs(x):
        k = 0.0 if x.sum() > 0 else -0.0
        return px.copysign(px.ones(2), px.as_tensor(k))

    follows(signs, (t(1, 2),), (t(-1, -2),))


def test_numbers_of_numpy_change():
    holder = Listed()
    for number in (np.float64, np.float32, np.int64, np.bool_):
        holder.rate = number(0)
        follows(lambda x: x * float(holder.rate), (X,), lambda: setattr(holder, "rate", number(1)), (X,))  # noqa: B023


class Same:
    """Equal to all others of its class."""

    def __init__(self, rate):
        self.rate = rate

    def __eq__(self, other):
        return isinstance(other, Same)

    def __hash__(self):
        return 0


def test_objects_are_compared_by_identity():
    follows(lambda x, s: x * s.rate, (X, Same(2)), (X, Same(3)))


def test_which_arguments_are_the_same_tensor():
    y, z = t(1, -2), t(3, 4)
    follows(lambda a, b: a * 2 if a is b else a * 3, (X, y), (X, X), (y, X))
    follows(
        lambda a, b, c: a * 2 if a is c else b * 3 if b is c else c,
        (X, y, z),
        (X, y, X),
        (X, y, y),
        (X, X, y),
    )
    many = [t(i) for i in range(20)]
    follows(lambda a: a[0] * 2 if a[0] is a[19] else a[0] * 3, (many,), ([*many[:19], many[0]],))


def test_classes_of_tensors():
    follows(lambda x: x * 2 if isinstance(x, nn.Parameter) else x * 3, (X,), (nn.Parameter(X),), (X,))


def test_the_default_dtype():
    def run(x):
        return x + px.zeros(2).sum() + px.tensor(1.5)

    try:
        follows(run, (t(1, 2),), lambda: px.set_default_dtype(px.float64), (t(1, 2),))
    finally:
        px.set_default_dtype(px.float32)


def test_branches_with_dicts_of_other_orders_are_refused():
    def run(x):
        if x.sum() > 0:
            made = {"a": x, "b": x * 2}
        else:
            made = {"b": x, "a": x * 2}
        return made

    with pytest.raises(px.GraphError, match="'a', 'b'.*'b', 'a'"):
        px.jit(run)(X)


class Stepper:
    def __init__(self, rate):
        self.rate = rate

    @px.jit
    def step(self, x):
        return x * self.rate

    @px.script
    def scripted(self, x: "f32[n]"):  # noqa: F821
        return x * self.rate


class Slotted:
    __slots__ = ("rate",)

    def __init__(self, rate):
        self.rate = rate

    @px.jit
    def step(self, x):
        return x * self.rate


@pytest.mark.parametrize("method", ["step", "scripted"])
def test_copies_of_objects_have_methods_of_their_own(method):
    first = Stepper(2.0)
    assert same(getattr(first, method)(X), X * 2)
    for copied in (copy.copy(first), copy.deepcopy(first), pickle.loads(pickle.dumps(first))):
        copied.rate = 3.0
        assert same(getattr(copied, method)(X), X * 3)
        assert same(getattr(first, method)(X), X * 2)
    assert getattr(first, method).capture_count == 1
    gone = weakref.ref(first)
    del first, copied
    gc.collect()
    assert gone() is None


def test_methods_of_objects_with_slots():
    a, b = Slotted(2.0), Slotted(3.0)
    assert same(a.step(X), X * 2) and same(b.step(X), X * 3)
    a.rate = 4.0
    assert same(a.step(X), X * 4)


def test_many_values_of_an_argument_are_an_error():
    jitted = px.jit(lambda x, k: x * k)
    for i in range(32):
        jitted(X, 0.1 * i)
    with pytest.raises(px.GraphError, match=r"32 different values(.|\n)*px.tensor"):
        jitted(X, 5.0)
    assert same(jitted(X, 0.0), X * 0)  # those that were captured stay
    assert same(jitted(t(1, 2, 3), 0.5), t(1, 2, 3) * 0.5)  # tensors of another size begin anew

    class Fresh:
        rate = 2.0

    jitted = px.jit(lambda x, k: x * k.rate)
    with pytest.raises(px.GraphError, match="32 different values"):
        for _ in range(100):
            jitted(X, Fresh())

"""Whole texts of what is refused, with the line that it says."""

# shard: graph

import asyncio
import contextlib
import functools
import itertools
import logging
import random
import re
from pathlib import Path

import fake
import pytest
from phlox.capture import REFUSALS, convert
from phlox.errors import GraphError

import phlox as px

# The fake backend stands where a real one does, within the package, so that errors do not speak of its lines.
_hidden = {"__name__": "fake_within"}
_file = str(Path(convert.__code__.co_filename).with_name("fake.py"))
exec(compile(Path(fake.__file__).read_text(), _file, "exec"), _hidden)
run_symbolic, Row, FakeBackend = _hidden["run_symbolic"], _hidden["Row"], _hidden["FakeBackend"]


def async_function(a):
    """
    async_function: [E1002] fetch: an `async` function cannot be captured
      at   test_syntax_refusals.py:LINE   asyncio.run(fetch(a))
      try  an ordinary function; await outside of what is captured
    """

    async def fetch(x):
        return x

    asyncio.run(fetch(a))


def yield_in_region(a):
    """
    yield_in_region: [E1002] numbers: `yield` under a condition or in a loop that depends on a tensor cannot be captured
      at   test_syntax_refusals.py:LINE   if a > 0:
      try  append to a list and return it
    """

    def numbers():
        if a > 0:
            yield 1

    return list(numbers())


def frame_access(a):
    """
    frame_access: [E1002] locals() cannot be captured, it needs the names of the running function
      at   test_syntax_refusals.py:LINE   return locals()
      try  write out what it does, or call it in a function marked @px.capture.do_not_convert
    """
    return locals()


def evaluated(a):
    """
    frame_access: [E1002] eval() cannot be captured, it needs the names of the running function
      at   test_syntax_refusals.py:LINE   return eval("a + 1")
      try  write out what it does, or call it in a function marked @px.capture.do_not_convert
    """
    return eval("a + 1")


def leave_try(a):
    """
    leave_try: [E1002] `return` out of a `try` block cannot depend on a tensor
      at   test_syntax_refusals.py:LINE   if a > 0:
      try  set a variable in the block and test it after the block
    """
    try:
        if a > 0:
            return a
    finally:
        a = 1
    return a


def leave_try_in_loop(a):
    """
    leave_try: [E1002] `break` out of a `try` block cannot depend on a tensor
      at   test_syntax_refusals.py:LINE   if a > 0:
      try  set a variable in the block and test it after the block
    """
    for _ in range(3):
        try:
            if a > 0:
                break
        except KeyError:
            pass
    return a


def leave_with(a):
    """
    leave_with: [E1002] `return` out of a `with` block cannot depend on a tensor
      at   test_syntax_refusals.py:LINE   if a > 0:
      try  set a variable in the block and test it after the block
    """
    with contextlib.nullcontext():
        if a > 0:
            return a
    return a


def raise_in_region(a):
    """
    raise_in_region: [E1002] `raise` cannot depend on a tensor
      at   test_syntax_refusals.py:LINE   raise ValueError("negative")
      try  check before the call, or raise for what is no tensor
    """
    if a > 0:
        b = 1
    else:
        raise ValueError("negative")
    return b


def comprehension_condition(a):
    """
    comprehension_condition: [E1002] the condition of a comprehension cannot depend on a tensor
      at   test_syntax_refusals.py:LINE   return [x for x in (1, 2) if a > x]
      try  px.where(condition, a, b), or a loop
    """
    return [x for x in (1, 2) if a > x]


def comprehension_iterable(a):
    """
    comprehension_iterable: [E1002] a generator expression cannot run over a range() of a tensor, as its length is not known
      at   test_syntax_refusals.py:LINE   return sum(x for x in Row(1, 2))
      try  a `for` loop
    """
    return sum(x for x in Row(1, 2))


def inner_iterable(a):
    """
    inner_iterable: [E1002] only the first `for` of a comprehension can run over a tensor
      at   test_syntax_refusals.py:LINE   return [x for _ in (1, 2) for x in Row(1, 2)]
      try  nested `for` loops
    """
    return [x for _ in (1, 2) for x in Row(1, 2)]


def match_subject(a):
    """
    match_subject: [E1002] `match` cannot look at a tensor
      at   test_syntax_refusals.py:LINE   match a:
      try  if/elif/else
    """
    match a:
        case 1:
            return 2


def undefined(a):
    """
    undefined: [E1002] `b` is read, but it has a value only on one side of a condition
      at   test_syntax_refusals.py:LINE   return b
      try  give b a value before line LINE
    """
    if a > 0:
        b = 1
    return b


def undefined_in_loop(a):
    """
    undefined: [E1002] `b` is read, but it has a value only in the loop in line LINE
      at   test_syntax_refusals.py:LINE   return b
      try  give b a value before line LINE
    """
    while a > 0:
        b = a
        a = a - 1
    return b


def undefined_at_the_start_of_a_turn(a):
    """
    undefined: [E1002] `b` is read, but it has a value only in the loop in line LINE
      at   test_syntax_refusals.py:LINE   a = a - b  # noqa: F821
      try  give b a value before line LINE
    """
    while a > 0:
        a = a - b  # noqa: F821
        b = a  # noqa: F841
    return a


def kinds_differ(a):
    """
    kinds_differ: [E1002] `b` is a tuple if the condition in line LINE holds, but a tensor if it does not
      at   test_syntax_refusals.py:LINE   return b
      try  the same kind of value in both
    """
    if a > 0:
        b = (a, 1)
    else:
        b = a
    return b


def kinds_of_returns_differ(a):
    """
    kinds_differ: [E1002] `the return value` is a tensor if the condition holds, but None if it does not
      at   test_syntax_refusals.py:LINE   if a > 0:
      try  the same kind of value in both
    """
    if a > 0:
        return a


def kinds_in_loop_differ(a):
    """
    kinds_differ: [E1002] `best` is None before the loop, but a tensor after a turn of it
      at   test_syntax_refusals.py:LINE   while a > 0:
      try  the same kind of value in both
    """
    best = None
    while a > 0:
        best = a
        a = a - 1
    return best


def texts_differ(a):
    """
    kinds_differ: [E1002] `mode` is 'up' if the condition holds, but 'down' if it does not
      at   test_syntax_refusals.py:LINE   if a > 0:
      try  the same kind of value in both
    """
    mode = "up"
    if a > 0:
        pass
    else:
        mode = "down"
    return mode


def lengths_differ(a):
    """
    kinds_differ: [E1002] `out` is a list of 1 if the condition holds, but a list of 0 if it does not
      at   test_syntax_refusals.py:LINE   if a > 0:
      try  the same kind of value in both
    """
    out = []
    if a > 0:
        out.append(a)
    return out


class Holder:
    def __init__(self):
        self.value = 0
        self.items = []


def mutation_in_region(a):
    """
    mutation_in_region: [E1002] `value` of the Holder is changed under a condition or in a loop that depends on a tensor
      at   test_syntax_refusals.py:LINE   holder.value = 1
      try  change a variable of the function in the branch, and the object after it
    """
    holder = Holder()
    if a > 0:
        holder.value = 1
    return holder.value


def list_of_an_object_in_region(a):
    """
    mutation_in_region: [E1002] the list is changed under a condition or in a loop that depends on a tensor
      at   test_syntax_refusals.py:LINE   holder.items.append(1)
      try  change a variable of the function in the branch, and the object after it
    """
    holder = Holder()
    for _ in Row(1, 2):
        holder.items.append(1)
    return holder.items


def unconverted_iteration(a):
    """
    unconverted_iteration: [E1002] list() cannot run over a range() of a tensor, as its length is not known
      at   test_syntax_refusals.py:LINE   return list(enumerate(Row(1, 2)))
      try  a `for` loop over the range
    """
    return list(enumerate(Row(1, 2)))


def zip_of_kinds(a):
    """
    zip_of_kinds: [E1002] zip() of a range() of a tensor, whose length is not known, and of a list
      at   test_syntax_refusals.py:LINE   for x, y in zip(Row(1, 2), [3, 4]):
      try  a `for` loop over the range, and a tensor in place of the list: y = px.tensor(values)[i]
    """
    for x, y in zip(Row(1, 2), [3, 4]):
        a = a + x * y
    return a


def endless_iterator(a):
    """
    endless_iterator: [E1002] a loop over itertools.count() whose end depends on a tensor has no length
      at   test_syntax_refusals.py:LINE   if a > n:
      try  while True
    """
    for n in itertools.count():
        if a > n:
            break
    return n


def loop_else_leaves(a):
    """
    loop_else_leaves: [E1002] the `else` of a loop that depends on a tensor cannot leave the loop around it
      at   test_syntax_refusals.py:LINE   while a > 0:
      try  set a variable in the `else` and test it after the loop
    """
    for _ in range(3):
        while a > 0:
            a = a - 1
        else:
            break
    return a


def impure(a):
    """
    impure: [E1002] random.random() gives another value at each call, and a captured function would keep the first
      at   test_syntax_refusals.py:LINE   return a * random.random()
      try  call it outside and pass the value; random numbers are px.rand() and px.randn()
    """
    return a * random.random()


def setting(a):
    """
    setting: [E1002] manual_seed() changes the program around, which a captured function would do once
      at   test_syntax_refusals.py:LINE   px.manual_seed(3)
      try  call it outside of the captured function
    """
    px.manual_seed(3)
    return a


def shown(a):
    """
    print: [E1002] print() shows values that are known only when the graph runs
      at   test_syntax_refusals.py:LINE   print(a)
      try  px.debug.print("loss {}", loss)
    """
    print(a)


def logged(a):
    """
    logging: [E1002] logging.warning() shows values that are known only when the graph runs
      at   test_syntax_refusals.py:LINE   logging.warning("the sum is %s", a)
      try  px.debug.callback(lambda value: logging.warning("%s", value), x)
    """
    logging.debug("not shown, and so allowed: %s", a)
    logging.warning("the sum is %s", a)


def aliases(a):
    """
    aliases: [E1002] `out` and `same` are one list, which is changed under a condition or in a loop that depends on a tensor
      at   test_syntax_refusals.py:LINE   if a > 0:
      try  use it under one name there
    """
    out = [a]
    same = out
    if a > 0:
        out[0] = 2
        a = same[0]
    return a


def caught_outside(a):
    """
    caught_outside: [E1002] KeyError is raised under a condition or in a loop that depends on a tensor, and caught outside of that
      at   test_syntax_refusals.py:LINE   except KeyError:
      try  catch it in the branch; or look before: `if key in table`
    """
    try:
        if a > 0:
            a = {}["missing"]
    except KeyError:
        a = 7
    return a


BATCHES = iter([1, 2])


def iterator(a):
    """
    iterator: [E1002] a list_iterator that the program keeps is used up by the first call of a captured function
      at   test_syntax_refusals.py:LINE   return a * next(BATCHES)
      try  pass a list, or the elements one by one: step(next(batches))
    """
    return a * next(BATCHES)


def opened(a):
    """
    system: [E1002] open() reads or changes files or the system, which a captured function would do once
      at   test_syntax_refusals.py:LINE   with open(__file__) as file:
      try  call it outside, and pass what it gives
    """
    with open(__file__) as file:
        return a * len(file.read())


LOADER = px.data.DataLoader([1, 2])


def loader(a):
    """
    loader: [E1002] a DataLoader gives other batches each time, and a captured function would keep those of its first call
      at   test_syntax_refusals.py:LINE   for batch in LOADER:
      try  iterate outside, and pass each batch: for x, y in loader: step(x, y)
    """
    for batch in LOADER:
        a = a + batch
    return a


@functools.lru_cache
def kept(a):
    return 2


def cached(a):
    """
    cache: [E1002] kept() is kept by functools.lru_cache, which finds results by their arguments, and a tensor has no value yet
      at   test_syntax_refusals.py:LINE   return a * kept(a)
      try  kept.__wrapped__(...); or pass what is no tensor
    """
    return a * kept(a)


CASES = [f for f in list(globals().values()) if getattr(f, "__doc__", None) and "[E1002]" in f.__doc__]


@pytest.mark.parametrize("function", CASES, ids=lambda f: f.__name__)
def test_text(function):
    with pytest.raises(GraphError) as error:
        run_symbolic(function, 2)
    assert error.value.code == "E1002"
    text = f"{error.value.refusal}: {error.value}"
    first = function.__code__.co_firstlineno
    number = int(re.search(r"test_syntax_refusals\.py:(\d+)", text)[1])
    assert number > first
    shown = re.sub(r"((?:py:|line ))\d+", r"\1LINE", text)
    assert shown == "\n".join(line.removeprefix("    ") for line in function.__doc__.strip("\n ").split("\n"))


def test_each_refusal_has_a_case():
    assert {f.__doc__.split(":")[0].strip() for f in CASES} == set(REFUSALS)


def test_async_function_is_refused_when_it_is_converted():
    async def fetch():
        return 1

    with pytest.raises(GraphError, match="async"):
        convert(fetch)


def test_only_what_depends_on_a_tensor_is_refused():
    for function in (leave_try, leave_with, kinds_differ, undefined, lengths_differ, mutation_in_region):
        assert convert(function)(2) == function(2)

"""What scripts refuse when they are defined: whole texts, with the line that they say."""

# shard: graph
# ruff: noqa: F722, F821 - annotations are types of tensors

import asyncio
import linecache
import re
from pathlib import Path

import pytest
from phlox.capture._refusals import SCRIPT_REFUSALS

import phlox as px
from phlox import nn

PAGE = (Path(__file__).parents[2] / "docs" / "script.md").read_text()


def without_source():
    """
    script_source: [E1002] made: its source is not at hand, so it cannot be part of a script
      at   <generated>:1
      try  define it in a file; or mark it with @px.capture.do_not_convert, if a script only calls it
    """
    space = {}
    exec(compile("def made(x):\n    return x", "<generated>", "exec"), space)
    px.script(space["made"])


def async_function():
    """
    script_construct: [E1002] fetch: an `async` function cannot be part of a script
      at   test_script_refusals.py:LINE   async def fetch(x):
      try  an ordinary function
    """

    async def fetch(x):
        await asyncio.sleep(0)
        return x

    px.script(fetch)


def generator():
    """
    script_construct: [E1002] numbers: `yield` cannot be part of a script
      at   test_script_refusals.py:LINE   yield i + 1
      try  append to a list and return it
    """

    def numbers(n: int):
        for i in range(n):
            yield i + 1

    px.script(numbers)


def try_block():
    """
    script_construct: [E1002] guarded: `try` cannot be part of a script
      at   test_script_refusals.py:LINE   try:
      try  test what may fail with `if` beforehand, or catch what the call of the script raises
    """

    def guarded(x):
        try:
            return x.sum()
        except ValueError:
            return x

    px.script(guarded)


def frame_access():
    """
    script_construct: [E1002] evaluated: eval() cannot be part of a script
      at   test_script_refusals.py:LINE   return eval("x + 1")
      try  write out what it does
    """

    def evaluated(x):
        return eval("x + 1")

    px.script(evaluated)


def in_a_function_that_is_called():
    """
    script_construct: [E1002] helper: `import` cannot be part of a script
      at   test_script_refusals.py:LINE   import math
      try  import before the script
    """

    def helper(x):
        import math

        return x * math.pi

    def outer(x):
        return helper(x) if x.sum() > 0 else x

    px.script(outer)


class Part(nn.Module):
    def forward(self, x):
        del self.old
        return x


def in_a_module_of_a_module():
    """
    script_construct: [E1002] forward: `del` cannot be part of a script
      at   test_script_refusals.py:LINE   del self.old
      try  leave the variable as it is
    """
    px.script(nn.Sequential(nn.ReLU(), Part()))


def unknown_name():
    """
    script_name: [E1002] f: `scale_of_things` has no value where the script is defined
      at   test_script_refusals.py:LINE   return x * scale_of_things
      try  define or import scale_of_things before the script
    """

    def f(x):
        return x * scale_of_things

    px.script(f)


def name_defined_later():
    """
    script_name: [E1002] f: `later` has no value where the script is defined
      at   test_script_refusals.py:LINE   return [later(row) for row in x]
      try  define or import later before the script
    """

    def f(x):
        return [later(row) for row in x]

    px.script(f)

    def later(x):
        return x


def unknown_operation():
    """
    script_attribute: [E1002] f: `px.reluu` does not exist
      at   test_script_refusals.py:LINE   return px.reluu(x)
      try  px.relu or px.rrelu or px.relu6
    """

    def f(x):
        return px.reluu(x)

    px.script(f)


class Scaled(nn.Module):
    def forward(self, x):
        self.seen = 1
        return x * self.factor


def unknown_attribute():
    """
    script_attribute: [E1002] forward: `self.factor` does not exist
      at   test_script_refusals.py:LINE   return x * self.factor
      try  give it a value before the script is made
    """
    px.script(Scaled())


def many_parameters():
    """
    script_parameter: [E1002] f: the parameter `xs` of a script has no fixed number of values
      at   test_script_refusals.py:LINE   def f(*xs):
      try  a parameter for each value, or a list
    """

    def f(*xs):
        return xs[0]

    px.script(f)


def unreadable_annotation():
    """
    script_annotation: [E1002] f: the annotation f23[b] is no type of a tensor
      at   test_script_refusals.py:LINE   def f(x: "f23[b]"):
      try  a dtype and sizes, "f32[b, 64]"; a size of a parameter may be a number, a name, or use names before it
    """

    def f(x: "f23[b]"):
        return x

    px.script(f)


def size_without_origin():
    """
    script_annotation: [E1002] f: the annotation f32[2 * b] is no type of a tensor
      at   test_script_refusals.py:LINE   def f(x: "f32[2*b]"):
      try  a dtype and sizes, "f32[b, 64]"; a size of a parameter may be a number, a name, or use names before it
    """

    def f(x: "f32[2*b]"):
        return x

    px.script(f)


def other_result():
    """
    script_result: [E1002] f: the result is f32[5], but annotated as f32[b, 1] with b = 5
      at   test_script_refusals.py:LINE   def f(x: "f32[b, 3]") -> "f32[b, 1]":
      try  what the function returns, or its annotation
    """

    def f(x: "f32[b, 3]") -> "f32[b, 1]":
        return x.sum(1)

    px.script(f)


def number_as_size():
    """
    script_value: [E1002] zeros() needs the value of a number that is known only when the graph runs
      at   test_script_refusals.py:LINE   return px.zeros(n)
      try  leave out the annotation of the parameter: its values are constants then, each with a capture of its own
    """

    def f(n: int):
        return px.zeros(n)

    px.script(f)


def number_as_index():
    """
    script_value: [E1002] this needs the value of a number that is known only when the graph runs
      at   test_script_refusals.py:LINE   return [1, 2, 3][n]
      try  leave out the annotation of the parameter: its values are constants then, each with a capture of its own
    """

    def f(n: int):
        return [1, 2, 3][n]

    px.script(f)


def other_number_as_result():
    """
    script_result: [E1002] f: the result is float, but annotated as int
      at   test_script_refusals.py:LINE   def f(n: int) -> int:
      try  what the function returns, or its annotation
    """

    def f(n: int) -> int:
        return n / 2

    px.script(f)


CASES = [f for f in list(globals().values()) if "[E1002]" in (getattr(f, "__doc__", None) or "")]


@pytest.mark.parametrize("function", CASES, ids=lambda f: f.__name__)
def test_text(function):
    with pytest.raises(px.GraphError) as error:
        function()
    assert error.value.code == "E1002"
    shown = re.sub(r"(refusals\.py:)\d+", r"\1LINE", f"{error.value.refusal}: {error.value}")
    assert shown == "\n".join(line.removeprefix("    ") for line in function.__doc__.strip("\n ").split("\n"))


def test_each_refusal_has_a_case_and_stands_on_the_page():
    assert {f.__doc__.split(":")[0].strip() for f in CASES} == set(SCRIPT_REFUSALS)
    for summary, _ in SCRIPT_REFUSALS.values():
        literal = max(re.split(r"\{\w+\}", summary), key=len).replace("`", "").strip(" :,")
        assert literal in PAGE.replace("`", ""), literal


def test_the_page_shows_what_there_is():
    text = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)[1]
    linecache.cache["script.md"] = (len(text), None, text.splitlines(True), "script.md")
    space = {"px": px}
    exec(compile(text, "script.md", "exec"), space)
    shown = "".join(f"    {line}\n" for line in str(space["power"].graph).strip().split("\n"))
    assert shown in PAGE


def test_results_are_checked_when_a_call_captures():
    @px.script
    def f(x, n: int) -> ("f32[2]", int):
        return x, n

    assert f(px.ones(2), 3)[1] == 3
    with pytest.raises(px.GraphError, match=r"the result is f32\[3\], but annotated as f32\[2\]"):
        f(px.ones(3), 3)

    @px.script
    def g(x) -> ("f32[2]", "f32[2]"):
        return x

    with pytest.raises(px.GraphError, match="but annotated as a tuple of 2"):
        g(px.ones(2))


def test_what_is_no_function():
    with pytest.raises(TypeError, match="a function, a method or a module, not int"):
        px.script(3)


def test_functions_left_alone_are_not_looked_at():
    @px.capture.do_not_convert
    def log(value):
        try:
            return str(value)
        except ValueError:
            return ""

    def f(x):
        log("called")
        return x * 2

    assert px.script(f)(px.ones(1)).item() == 2


def test_a_function_may_call_itself():
    def total(parts):
        if isinstance(parts, list):
            return sum([total(part) for part in parts])
        return parts.sum()

    assert px.script(total)([px.ones(2), [px.ones(3), px.ones(1)]]).item() == 6

"""What cannot be captured, each with its message and its cure; `refuse` is the only place that raises them."""

from typing import NoReturn

from .._failure import fail
from .._phlox import GraphError

# code: (summary, cure)
REFUSALS = {
    "async_function": (
        "{function}: an `async` function cannot be captured",
        "an ordinary function; await outside of what is captured",
    ),
    "yield_in_region": (
        "{function}: `yield` under a condition or in a loop that depends on a tensor cannot be captured",
        "append to a list and return it",
    ),
    "impure": (
        "{name}() gives another value at each call, and a captured function would keep the first",
        "call it outside and pass the value; random numbers are px.rand() and px.randn()",
    ),
    "setting": (
        "{name}() changes the program around, which a captured function would do once",
        "call it outside of the captured function",
    ),
    "iterator": (
        "a {kind} that the program keeps is used up by the first call of a captured function",
        "pass a list, or the elements one by one: step(next(batches))",
    ),
    "loader": (
        "a {kind} gives other batches each time, and a captured function would keep those of its first call",
        "iterate outside, and pass each batch: for x, y in loader: step(x, y)",
    ),
    "system": (
        "{name}() reads or changes files or the system, which a captured function would do once",
        "call it outside, and pass what it gives",
    ),
    "cache": (
        "{name}() is kept by functools.lru_cache, which finds results by their arguments, and a tensor has no value yet",
        "{name}.__wrapped__(...); or pass what is no tensor",
    ),
    "print": (
        "print() shows values that are known only when the graph runs",
        'px.debug.print("loss {{}}", loss)',
    ),
    "logging": (
        "{name}() shows values that are known only when the graph runs",
        'px.debug.callback(lambda value: {name}("%s", value), x)',
    ),
    "frame_access": (
        "{name}() cannot be captured, it needs the names of the running function",
        "write out what it does, or call it in a function marked @px.capture.do_not_convert",
    ),
    "leave_try": (
        "`{leave}` out of a `try` block cannot depend on a tensor",
        "set a variable in the block and test it after the block",
    ),
    "leave_with": (
        "`{leave}` out of a `with` block cannot depend on a tensor",
        "set a variable in the block and test it after the block",
    ),
    "raise_in_region": (
        "`raise` cannot depend on a tensor",
        "check before the call, or raise for what is no tensor",
    ),
    "caught_outside": (
        "{kind} is raised under a condition or in a loop that depends on a tensor, and caught outside of that",
        "catch it in the branch; or look before: `if key in table`",
    ),
    "comprehension_condition": (
        "the condition of a comprehension cannot depend on a tensor",
        "px.where(condition, a, b), or a loop",
    ),
    "comprehension_iterable": (
        "a {kind} cannot run over a range() of a tensor, as its length is not known",
        "a `for` loop",
    ),
    "inner_iterable": (
        "only the first `for` of a comprehension can run over a tensor",
        "nested `for` loops",
    ),
    "match_subject": (
        "`match` cannot look at a tensor",
        "if/elif/else",
    ),
    "undefined": (
        "`{name}` is read, but it has a value only {where}",
        "give {name} a value before line {line}",
    ),
    "kinds_differ": (
        "`{name}` is {first} {first_where}, but {second} {second_where}",
        "the same kind of value in both",
    ),
    "endless_iterator": (
        "a loop over itertools.{name}() whose end depends on a tensor has no length",
        "while True",
    ),
    "loop_else_leaves": (
        "the `else` of a loop that depends on a tensor cannot leave the loop around it",
        "set a variable in the `else` and test it after the loop",
    ),
    "aliases": (
        "`{name}` and `{other}` are one {kind}, which is changed under a condition or in a loop that depends on a tensor",
        "use it under one name there",
    ),
    "mutation_in_region": (
        "{what} is changed under a condition or in a loop that depends on a tensor",
        "change a variable of the function in the branch, and the object after it",
    ),
    "unconverted_iteration": (
        "{name}() cannot run over a range() of a tensor, as its length is not known",
        "a `for` loop over the range",
    ),
    "zip_of_kinds": (
        "zip() of a range() of a tensor, whose length is not known, and of {kind}",
        "a `for` loop over the range, and a tensor in place of the list: y = px.tensor(values)[i]",
    ),
}

# What is refused of Python's numbers that a condition on a tensor decides.
NUMBER_REFUSALS = {
    "number_value": (
        "{what} needs the value of a number that is known only when the graph runs",
        "decide it by what is no tensor; or compute with tensors: px.where(condition, a, b)",
    ),
    "number_kind": (
        "a number that is an int on one way and a float on another meets a tensor of {dtype}, whose result depends on that",
        "the same kind of number on both ways: 1.0 in place of 1",
    ),
    "identity": (
        "whether {what} are one object is known only when the graph runs",
        "compare values, with `==`; leave out `is True`",
    ),
    "complex_number": (
        "a complex number cannot depend on a tensor",
        "px.tensor(1j) in its place",
    ),
}

# What px.script refuses when a script is defined.
SCRIPT_REFUSALS = {
    "script_source": (
        "{function}: its source is not at hand, so it cannot be part of a script",
        "define it in a file; or mark it with @px.capture.do_not_convert, if a script only calls it",
    ),
    "script_construct": (
        "{function}: {construct} cannot be part of a script",
        "{cure}",
    ),
    "script_name": (
        "{function}: `{name}` has no value where the script is defined",
        "define or import {name} before the script",
    ),
    "script_attribute": (
        "{function}: `{name}` does not exist",
        "{cure}",
    ),
    "script_parameter": (
        "{function}: the parameter `{name}` of a script has no fixed number of values",
        "a parameter for each value, or a list",
    ),
    "script_annotation": (
        "{function}: the annotation {annotation} is no type of a tensor",
        'a dtype and sizes, "f32[b, 64]"; a size of a parameter may be a number, a name, or use names before it',
    ),
    "script_value": (
        "{what} needs the value of a number that is known only when the graph runs",
        "leave out the annotation of the parameter: its values are constants then, each with a capture of its own",
    ),
    "script_result": (
        "{function}: the result is {given}, but annotated as {expected}",
        "what the function returns, or its annotation",
    ),
}

# What px.jit refuses in the result of a function, and in what it leaves behind.
RESULT_REFUSALS = {
    "mode_left": (
        "the captured function leaves gradients {state}, which its graph cannot do",
        "with px.no_grad(): in the function; or px.set_grad_enabled() around the call",
    ),
    "flag_of_argument": (
        "requires_grad of an argument changes in the captured function, which its graph cannot do",
        "x.requires_grad_() before the call; or on a tensor of the function: x = x.detach().requires_grad_()",
    ),
    "result_leaf": (
        "the result holds a leaf that the function made, beside a tensor that may be computed from it",
        "make the leaf outside, and pass it; or return the other one without gradients: y.detach()",
    ),
    "result_retains_grad": (
        "the result holds a tensor with retain_grad(), which a graph does not keep",
        "y.retain_grad() after the call",
    ),
    "result_iterator": (
        "the result holds a {kind}, which is used up after the first call",
        "return a list",
    ),
    "result_object": (
        "the result holds a {kind}, which a graph cannot make anew for each call",
        "return a tuple, a list, a dict or a dataclass",
    ),
}


def refuse(refusal: str, **words: object) -> NoReturn:
    """Raises the error of what cannot be captured; `error.refusal` is its name in one of these."""
    summary, cure = {**REFUSALS, **NUMBER_REFUSALS, **SCRIPT_REFUSALS, **RESULT_REFUSALS}[refusal]
    try:
        fail("GraphError", "not_capturable", summary.format(**words), cure.format(**words))
    except GraphError as error:
        setattr(error, "refusal", refusal)  # noqa: B010 - the class is the extension's
        raise

"""Runs a program eagerly and captured, and tells the first difference."""

import re
from collections import Counter
from dataclasses import dataclass

import numpy as np

import phlox as px
from phlox import nn

from .program import CALLS, World


@dataclass
class Outcome:
    """What came of a program.

    same, different; refused: it may not be captured, or not be called like this; invalid: it does not run eagerly.
    """

    kind: str
    what: str = ""


class Difference(Exception):
    pass


def bits(value):
    """Something that is equal exactly when values, shapes, dtypes and signs of zeros are."""
    if isinstance(value, px.Tensor):
        value = value.detach()
        shape, dtype = tuple(value.shape), str(value.dtype)
        value = value.contiguous()
        if value.dtype == px.bfloat16:
            value = value.to(px.float32)  # NumPy has no such dtype
        return dtype, shape, value.numpy().tobytes()
    if isinstance(value, (list, tuple)):
        return [bits(item) for item in value]
    if isinstance(value, dict):
        return {key: bits(item) for key, item in value.items()}
    return value


def snapshot(world):
    """All that the program can change around it."""
    found = {}
    for name, value in world.names.items():
        if isinstance(value, px.Tensor):
            found[name] = bits(value)
            if value.is_leaf:
                found[f"{name}.grad"] = bits(value.grad)
        elif isinstance(value, px.Generator):
            found[name] = bits(value.get_state())
        elif isinstance(value, nn.Module):
            found[name] = bits(dict(value.state_dict()))
            found[f"{name} gradients"] = [bits(p.grad) for p in value.parameters()]
        elif name == "optimizer":
            found[name] = bits(value.state_dict())
    found["random"] = bits(world.random_state)
    return found


# Relative to the largest element: where sums may be added in another order. Products and convolutions choose theirs by
# the layout in memory; gradients of branches and loops compute the inside again, and are rounded on their own.
TOLERANCES = {"bfloat16": 4e-2, "float16": 5e-3, "float32": 2e-5, "complex64": 2e-5}
ORDERED_BY_LAYOUT = ("contraction(", "convolution", "cond(", "while_loop(", "for_loop(")


def looseness(graph):
    """False, or the tolerance of the coarsest product in a graph, whose results may have been cast to a finer dtype since."""
    if not any(name in graph for name in ORDERED_BY_LAYOUT):
        return False
    return coarsest(re.findall(r": (\w+)\[[^\]]*\] = (?:contraction|convolution)", graph))


def looseness_of_gradients(graph):
    """The tolerance of the coarsest dtype in a graph: results that are one value there have their gradients added before
    they are cast back."""
    return coarsest(re.findall(r": (\w+)\[", graph))


def coarsest(dtypes):
    names = {"bf16": "bfloat16", "f16": "float16", "f32": "float32", "c64": "complex64"}
    return max((TOLERANCES[names[dtype]] for dtype in dtypes if dtype in names), default=1e-12)


def same(what, expected, actual, loose=False, scale=0.0):
    if expected == actual:
        return
    if loose and (expected is None or actual is None):  # as a gradient: zeros
        found = expected or actual
        if is_array(found) and not array_of(found).any():
            return
    if isinstance(expected, dict):
        for key in expected:
            same(f"{what}, {key}", expected[key], actual.get(key), loose, scale)
        return
    if isinstance(expected, list) and len(expected) == len(actual):
        for i, (a, b) in enumerate(zip(expected, actual)):
            same(f"{what} {i}", a, b, loose, scale)
        return
    if is_array(expected) and is_array(actual) and equal_arrays(expected, actual, loose, scale):
        return
    raise Difference(f"{what}: eager {shown(expected)}, captured {shown(actual)}")


def is_array(value):
    return isinstance(value, tuple) and len(value) == 3 and isinstance(value[2], bytes)


def array_of(value):
    dtype, shape, content = value
    name = dtype.replace("phlox.", "").replace("bfloat16", "float32")
    return np.frombuffer(content, name).reshape(shape)


def equal_arrays(expected, actual, loose, scale):
    """The same bits, but for those of NaN; with `loose` within the tolerance, relative to the largest element or `scale`."""
    dtype = expected[0].replace("phlox.", "")
    if expected[:2] != actual[:2] or not dtype.startswith(("float", "bfloat", "complex")):
        return False
    a, b = array_of(expected), array_of(actual)
    numbers = ~np.isnan(a)
    if (numbers != ~np.isnan(b)).any():
        return False
    a, b = a[numbers], b[numbers]
    if a.tobytes() == b.tobytes():
        return True
    if not loose or (np.isfinite(a) != np.isfinite(b)).any():
        return False
    finite = np.isfinite(a)
    if (a[~finite] != b[~finite]).any():
        return False
    a, b = a[finite].astype(complex), b[finite].astype(complex)
    scale = max(np.abs(a).max(initial=0), scale)
    return np.abs(a - b).max(initial=0) <= max(TOLERANCES.get(dtype, 1e-12), loose) * scale


def shown(value):
    if is_array(value):
        return f"{value[0]}{list(value[1])} {array_of(value).ravel()[:8].tolist()}"
    return str(value)[:200]


def gradients_of(arguments):
    return [bits(a.grad) if a.is_leaf else None for a in arguments]


def change(tensor):
    """Writes into the memory of a tensor; False where that is not possible."""
    try:
        with px.no_grad():
            look = tensor.detach()
            if look.dtype == px.bool:
                look.logical_not_()
            else:
                look.copy_(look + 1)
    except (px.errors.PhloxError, RuntimeError, ValueError, TypeError):
        return False
    return True


def share_memory(a, b):
    starts = [t.data_ptr() - t.storage_offset() * t.element_size() for t in (a, b)]
    return starts[0] == starts[1]


def reloaded(traced):
    """The same captured function with a graph that was read back from its text."""
    text = str(traced.graph)
    try:
        graph = px.Graph.parse(text, traced.graph.constants)
        graph.verify()
    except px.GraphError as error:
        raise Difference(f"the text cannot be read back: {error}\n{text}") from error
    if str(graph) != text:
        raise Difference(f"the text is another after it was read back:\n{graph}\nbefore:\n{text}")
    return traced._captured.with_graph(graph)


def compare(program):
    """Eager, captured, and captured and read back, call after call."""
    try:
        eager, captured = World(program), World(program)
        eager_arguments = eager.arguments(0)
        function = eager.function()
    except Exception as error:
        return Outcome("invalid", repr(error))
    try:
        return compare_worlds(program, eager, captured, function, eager_arguments)
    except Difference as difference:
        return Outcome("different", str(difference))


def recorded(world):
    """The tensors around the function that were made by an operation that has a gradient."""
    return {n for n, v in world.names.items() if isinstance(v, px.Tensor) and not v.is_leaf}


def compare_worlds(program, eager, captured, function, eager_arguments):
    recorded_before = recorded(eager)
    try:
        expected = eager.run(function, *eager_arguments)
    except Exception as error:
        return Outcome("invalid", repr(error))
    if recorded(eager) != recorded_before:
        # The next call would go on from there; what a captured function leaves behind has no history.
        return Outcome("invalid", "a tensor around the function keeps a history of gradients")
    arguments = captured.arguments(0)
    before = snapshot(captured), bits(arguments), gradients_of(arguments)
    try:
        traced = captured.run(px.trace, captured.function(), *arguments)
    except px.GraphError as error:
        if error.code not in ("E1001", "E1002"):
            raise Difference(f"captured raises {error}") from error
        return Outcome("refused", str(error).splitlines()[0])
    except px.errors.GradientError as error:
        # A branch saves what it was given, where the operations in it may save nothing.
        freed = error.code == "E0602" and "px.cond(" in program.function()
        if error.code != "E0610" and not freed:
            raise Difference(f"captured raises {error!r}") from error
        # And what an argument is a view of is not known while a function is captured.
        return Outcome("refused", str(error).splitlines()[0])
    except px.errors.StateError as error:
        # Eagerly a tensor whose elements share memory may be written with itself.
        if "elements of the tensor share memory" not in str(error):
            raise Difference(f"captured raises {error!r}") from error
        return Outcome("refused", str(error).splitlines()[0])
    except Exception as error:
        if "px.cond(" in program.function() or "px.while_loop(" in program.function():
            return Outcome("refused", "a side of a branch, or a turn, that is not taken eagerly does not run")
        raise Difference(f"captured raises {error!r}") from error
    same("after the capture", before, (snapshot(captured), bits(arguments), gradients_of(arguments)))
    loose, scale = looseness(str(traced.graph)), 0.0
    original = traced._captured
    again = reloaded(traced)
    for call in range(CALLS):
        if call:
            try:
                eager.between()
            except Exception as error:
                return Outcome("invalid", repr(error))
            captured.between()
            try:
                eager_arguments, arguments = eager.arguments(call), captured.arguments(call)
            except Exception as error:
                return Outcome("invalid", repr(error))
            try:
                expected = eager.run(function, *eager_arguments)
            except Exception:
                return Outcome("same", "eager raises")
            if recorded(eager) != recorded_before:
                return Outcome("invalid", "a tensor around the function keeps a history of gradients")
        traced._captured = again if call == 1 else original
        where = f"call {call}"
        try:
            actual = captured.run(traced, *arguments)
        except px.GraphError as error:
            if call or "gradients of a captured function do not" in str(error):
                lines = [
                    line.strip()
                    for line in str(error).splitlines()
                    if "captured for" in line or "called" in line
                ]
                return Outcome("refused", "called: " + (" ".join(lines) or str(error).splitlines()[0]))
            raise Difference(f"{where}: captured raises {error!r}") from error
        except Exception as error:
            raise Difference(f"{where}: captured raises {error!r}") from error

        def check(what, results=True):
            if results:
                same(f"{what}, result", bits(expected), bits(actual), loose)
            same(f"{what}, argument", bits(eager_arguments), bits(arguments), loose, scale)
            gradients = gradients_of(eager_arguments), gradients_of(arguments)
            same(f"{what}, gradient of argument", *gradients, loose, scale)
            same(f"{what}, around", snapshot(eager), snapshot(captured), loose, scale)

        check(where)
        text = program.function()
        regions = "px.cond(" in text or "px.while_loop(" in text
        flows = any(isinstance(r, px.Tensor) and r.requires_grad for r in expected)
        # A leaf whose memory an argument shares is that argument for a capture, which has no gradient.
        shares = any(
            isinstance(value, px.Tensor) and value.requires_grad and share_memory(value, argument)
            for value in eager.names.values()
            for argument in eager_arguments
        )
        if flows and not shares:
            # Its gradients are there in the next call as well.
            loose = max(loose, looseness_of_gradients(str(traced.graph)))
            # Gradients are sums of those of results, and may cancel out.
            scale = max(scale, 2 * largest(expected))
            if kept := follow(where, [expected, actual], check, regions and "backward()" in text):
                return kept
        # Which tensors share memory: what is written into one shows in others.
        for kind, ours, theirs in (("argument", eager_arguments, arguments), ("result", expected, actual)):
            for i, (a, b) in enumerate(zip(ours, theirs)):
                # Results through which gradients flow do not share memory.
                if flows:
                    continue
                if a is None or not change(a):  # its elements share memory
                    continue
                if not change(b):
                    raise Difference(f"{where}: {kind} {i} cannot be written")
                check(f"{where}, after {kind} {i} was written")
    return Outcome("same")


def follow(where, results, check, inner_backward):
    """Follows the results of both worlds backwards, where gradients flow through some; what came of the program if it is
    not possible."""

    def backward(of):
        total = sum((r.square().sum().to(px.float64) for r in of), px.zeros((), dtype=px.float64))
        total.backward()

    # Those that lead to leaves of the function only are plain numbers captured.
    flowing = [[r for r in of if isinstance(r, px.Tensor) and r.requires_grad] for of in results]
    if len(flowing[0]) > len(flowing[1]) and inner_backward:
        # A branch or loop saves its inputs, so that its result is a number when gradients were taken inside.
        return Outcome("refused", "gradients of a branch or loop were taken inside")
    if not flowing[0] or any(r.dtype.is_complex for r in flowing[0]):
        return None
    try:
        backward(flowing[0])
    except px.errors.GradientError:
        # What a gradient needs was overwritten, or used up; some gradients are there all the same.
        return Outcome("same", "eager raises")
    except Exception as error:
        raise Difference(f"{where}, followed backwards: eager raises {error!r}") from error
    try:
        if flowing[1]:
            backward(flowing[1])
    except px.GraphError as error:
        if "gradients of a captured function do not go through" in str(error):
            return Outcome("refused", str(error).splitlines()[0])
        raise Difference(f"{where}, followed backwards: captured raises {error!r}") from error
    except Exception as error:
        raise Difference(f"{where}, followed backwards: captured raises {error!r}") from error
    check(f"{where}, followed backwards", results=False)  # a result may be a gradient, which grows
    return None


def largest(values):
    """The largest finite element of the floating-point tensors among values."""
    tensors = [v.detach() for v in values if isinstance(v, px.Tensor) and v.is_floating_point() and v.numel()]
    return max((t.to(px.float64).abs().nan_to_num(0, 0, 0).max().item() for t in tensors), default=0.0)


def tally(programs):
    """Compares programs one after the other; gives how many came out how, and the findings."""
    counts, findings = Counter(), []
    for program in programs:
        outcome = compare(program)
        counts[outcome.kind] += 1
        if outcome.kind == "different":
            findings.append((program, outcome))
    return counts, findings

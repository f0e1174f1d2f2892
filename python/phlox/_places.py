"""Where in the user's program an error happened, and what the program calls the tensors in it.

The extension asks here after an error; nothing is read before.
"""

import ast
import linecache
import sys
from os import path
from types import FrameType, ModuleType

from ._phlox import Module, Tensor, _identity

_PACKAGE = path.dirname(path.abspath(__file__)) + path.sep
_LONGEST_NAME = 32


def explain(subjects, arguments):
    """Names and origins of tensors: ([(identity, name)], [(identity, origin)]).

    `subjects` are identities of tensors; `arguments` those of the operation, the tensor itself first for a method.
    """
    caller = sys._getframe(1)
    user: FrameType | None = caller
    while user is not None and user.f_code.co_filename.startswith(_PACKAGE):
        user = user.f_back
    names = _names(user, set(subjects), arguments if user is caller else ()) if user else {}
    return list(names.items()), list(_origins(caller, set(subjects)).items())


def _names(frame, subjects, arguments):
    expression = _running_expression(frame)
    if expression is None:
        return {}
    operands = _operands(expression)
    found: dict[int, str] = {}
    for node in operands:
        for part in _parts(node):
            value = _value(part, frame)
            if isinstance(value, Tensor) and _identity(value) in subjects:
                found.setdefault(_identity(value), ast.unparse(part))
    # Intermediate results have no name; they are what the argument in their place says.
    if isinstance(expression, ast.Call) and len(operands) == len(arguments) + 1:
        operands = operands[1:]  # the function's module, or the class of the method
    if len(operands) == len(arguments) and not any(isinstance(node, ast.Starred) for node in operands):
        for node, value in zip(operands, arguments, strict=True):
            if isinstance(value, Tensor) and _identity(value) in subjects - found.keys():
                text = ast.unparse(node)
                if len(text) <= _LONGEST_NAME:
                    found[_identity(value)] = text
    return found


def _running_expression(frame):
    """The syntax tree of what the frame is computing; None where Python does not tell (before 3.11)."""
    if not hasattr(frame.f_code, "co_positions"):
        return None
    positions = list(frame.f_code.co_positions())
    first, last, start, end = positions[frame.f_lasti // 2]
    if None in (first, last, start, end):
        return None
    lines = [
        linecache.getline(frame.f_code.co_filename, number, frame.f_globals).encode()
        for number in range(first, last + 1)
    ]
    lines[-1] = lines[-1][:end]
    lines[0] = lines[0][start:]
    text = b"".join(lines).decode(errors="replace")
    for source, mode in ((f"({text})", "eval"), (text, "exec")):
        try:
            tree = ast.parse(source, mode=mode)
        except (SyntaxError, ValueError):
            continue
        if isinstance(tree, ast.Expression):
            return tree.body
        if isinstance(tree, ast.Module) and tree.body:
            return tree.body[0]
    return None


def _operands(node):
    match node:
        case ast.Call():
            owner = [node.func.value] if isinstance(node.func, ast.Attribute) else []
            return [*owner, *node.args, *(keyword.value for keyword in node.keywords)]
        case ast.BinOp():
            return [node.left, node.right]
        case ast.Compare():
            return [node.left, *node.comparators]
        case ast.UnaryOp():
            return [node.operand]
        case ast.Subscript():
            return [node.value, node.slice]
        case ast.AugAssign():
            return [node.target, node.value]
        case ast.Attribute():
            return [node.value]
    return []


def _parts(node):
    match node:
        case ast.List() | ast.Tuple():
            return [part for element in node.elts for part in _parts(element)]
        case ast.Slice():
            return [part for part in (node.lower, node.upper, node.step) if part is not None]
    return [node]


def _value(node, frame):
    """The value of a name, an attribute or an element, as far as looking at it runs no code of the program."""
    if isinstance(node, ast.Name):
        return frame.f_locals.get(node.id, frame.f_globals.get(node.id))
    if isinstance(node, ast.Attribute):
        owner = _value(node.value, frame)
        if isinstance(owner, Tensor) and node.attr == "grad":
            return owner.grad
        if isinstance(owner, ModuleType) or hasattr(type(owner), "__dict__"):
            return getattr(owner, "__dict__", {}).get(node.attr)
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        owner = _value(node.value, frame)
        if type(owner) in (list, tuple, dict):
            try:
                return owner[node.slice.value]
            except (LookupError, TypeError):
                return None
    return None


def _origins(frame, subjects):
    """Parameters by the outermost module whose forward is running: 'Linear "mlp.0.weight"'."""
    found = {}
    while frame is not None:
        code = frame.f_code
        if code.co_argcount and isinstance(owner := frame.f_locals.get(code.co_varnames[0]), Module):
            for prefix, module in owner.named_modules():
                for name, parameter in module.named_parameters(prefix, recurse=False):
                    if _identity(parameter) in subjects:
                        found[_identity(parameter)] = f'{type(module).__name__} "{name}"'
        frame = frame.f_back
    return found


def unknown_condition():
    """What to say of the condition of the innermost frame of the program, a tensor that has no value yet: a summary, a cure."""
    from .capture._backend import current
    from .capture._compilation import is_converted
    from .capture._libraries import is_left_alone

    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith((_PACKAGE, "<frozen ")):
        frame = frame.f_back
    unknown = "has no value yet while a function is captured"
    if frame is None:
        return f"a condition on a tensor {unknown}", "px.where(condition, a, b)"
    code = frame.f_code
    name = f"{code.co_name}()" if code.co_name.isidentifier() else "a lambda"
    if is_left_alone(code.co_filename):
        return (
            f"{name} of {frame.f_globals.get('__name__', 'a library')} decides by a tensor, which {unknown}",
            "operations of Phlox in its place; or call it outside of the captured function",
        )
    if is_converted(code):
        return _unknown_within(_running_expression(frame), unknown)
    if not linecache.getlines(code.co_filename, frame.f_globals):
        return (
            f"{name} has a condition on a tensor, which is captured from the source, and that is not at hand",
            "define it in a file, in place of python -c, exec() or the prompt; or px.where(), px.cond(), px.while_loop()",
        )
    if current.session is None:
        return (
            f"a condition on a tensor {unknown}, and a trace knows one way only",
            "px.jit in place of px.trace captures both; or px.where(condition, a, b)",
        )
    return (
        f"{name} is not rewritten, and its condition on a tensor {unknown}",
        "leave out @px.capture.do_not_convert; or px.where(condition, a, b)",
    )


def _unknown_within(expression, unknown):
    """The same for a built-in function or operator that asks."""
    match expression:
        case ast.Compare(ops=[ast.In() | ast.NotIn()]):
            return (
                f"`in` compares with a tensor, which {unknown}",
                "(px.tensor([1, 2, 3]) == x).any()",
            )
        case ast.Call(func=ast.Name(id="sorted")):
            return (
                f"sorted() compares by a tensor, which {unknown}",
                "px.sort(x).values; of a list of tensors, px.sort(px.stack(values)).values",
            )
        case ast.Call():
            return (
                f"{ast.unparse(expression.func)}() decides by a tensor, which {unknown}",
                "operations of Phlox in its place: px.where(condition, a, b)",
            )
    return f"a condition on a tensor {unknown}", "px.where(condition, a, b)"

"""Pages of the reference: one for each operation, written from the registry, and one for each function with examples."""

import importlib
import inspect
import re
from pathlib import Path

from reference_examples import ExampleError, home_of, programs, session_of, session_of_docstring

import phlox as px

GENERATED = Path(px.__file__).parents[2] / "generated" / "phlox"
DTYPES = {
    "floats": ["float16", "bfloat16", "float32", "float64"],
    "complex numbers": ["complex64", "complex128"],
    "integers": ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"],
    "truth values": ["bool"],
}
KINDS = {
    "tensor": "tensor",
    "operand": "tensor or number",
    "boolean": "truth value",
    "integer": "integer",
    "integers": "integer or several",
    "floating": "number",
    "floats": "numbers",
    "text": "text",
    "tensors": "sequence of tensors",
    "dtype": "dtype",
    "device": "device",
    "scalar": "number",
    "generator": "generator or None",
}
SYMBOLS = {
    "add": "+", "sub": "-", "mul": "*", "truediv": "/", "floordiv": "//", "mod": "%", "pow": "**", "matmul": "@",
    "and": "&", "or": "|", "xor": "^", "lshift": "<<", "rshift": ">>", "neg": "-", "invert": "~",
    "eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">=",
}  # fmt: skip
# Modules with functions that are written in Python.
MODULES = [
    "phlox", "nn.functional", "nn.utils", "nn.init", "linalg", "fft", "signal", "special", "func", "autograd", "masked",
    "vision", "random", "io", "debug", "memory", "metrics", "testing", "extension", "utils.checkpoint", "data", "train",
]  # fmt: skip


def fenced(text, language=""):
    return f"```{language}\n{text.rstrip()}\n```\n"


def escaped(text):
    """Text in which `<`, `*` and `_` stand for themselves, outside of code; papers and codes of errors become links."""
    parts = text.split("`")
    parts[::2] = [re.sub(r"([<*_])", r"\\\1", part) for part in parts[::2]]
    linked = "`".join(parts)
    linked = re.sub(r"arXiv:(\d{4}\.\d{4,5})", r"[arXiv:\1](https://arxiv.org/abs/\1)", linked)
    return re.sub(r"\b(E\d{4})\b", r"[\1](../docs/errors/\1.md)", linked)


def first_sentence(text):
    return re.split(r"(?<=[.:;])\s", " ".join(text.split()), maxsplit=1)[0].rstrip(":;")


def cpp_signatures():
    """The declarations of functions in C++ by name."""
    text = (GENERATED / "ops" / "functions.h").read_text()
    found = {}
    for result, name, parameters in re.findall(r"^([\w:]+) (\w+)\((.*)\);$", text, re.MULTILINE):
        found[name] = f"{result} phlox::{name}({parameters});"
    return found


def kind_name(kind):
    if kind.startswith("optional_"):
        return f"{KINDS[kind.removeprefix('optional_')]} or None"
    return KINDS[kind]


def parameter_table(operation):
    if not operation.parameters:
        return ""
    rows = ["| parameter | takes | default |", "|---|---|---|"]
    for name, kind, required, default in operation.parameters:
        rows.append(f"| `{name}` | {kind_name(kind)} | {'' if required else f'`{default}`'} |")
    return "\n".join(rows)


def accepts(lines, dtype):
    """Whether a program runs with its floats in another dtype; None when it has none."""
    space = {"px": px}
    kind = getattr(px, dtype)
    for line in lines[:-1]:
        exec(line, space)
    floats = {k: v for k, v in space.items() if isinstance(v, px.Tensor) and v.dtype == px.float32}
    if not floats:
        return None
    exact = not (kind.is_floating_point or kind.is_complex)
    for name, value in floats.items():
        if exact:
            value = value.mul(3).abs().ceil() if dtype.startswith(("u", "b")) else value.mul(3)
        space[name] = value.to(kind)
    try:
        eval(lines[-1], space)
    except (px.PhloxError, TypeError, ValueError, RuntimeError):
        return False
    return True


def dtype_line(operation):
    """Which dtypes the operation takes, found by trying."""
    for lines in programs(operation):
        found = {group: [d for d in members if accepts(lines, d)] for group, members in DTYPES.items()}
        if not any(found.values()):
            continue
        parts = []
        for group, members in found.items():
            if len(members) == len(DTYPES[group]) and group != "truth values":
                parts.append(f"{group} ({', '.join(members)})")
            elif members:
                parts.append(", ".join(members))
        return "Takes " + "; ".join(parts) + "."
    return ""


def forms(operation):
    """The ways to call an operation beside the plain function."""
    name = operation.overload_of or operation.__name__
    rest = ", ".join(
        p if required else f"{p}={default}" for p, _, required, default in operation.parameters[1:]
    )
    found = []
    if operation.is_method:
        first = operation.parameters[0][0]
        found.append(f"`{first}.{name}({rest})`")
        if hasattr(px.Tensor, f"{name}_"):
            found.append(f"in place `{first}.{name}_({rest})`")
    if operation.takes_out:
        found.append("with `out=` into a tensor that is there")
    if operation.is_pointwise and operation.pointwise["operator"] in SYMBOLS:
        symbol = SYMBOLS[operation.pointwise["operator"]]
        found.append(f"`{symbol}input`" if len(operation.parameters) == 1 else f"`input {symbol} other`")
    return found


def facts(operation):
    lines = []
    if others := forms(operation):
        lines.append("Also " + ", ".join(others) + ".")
    if operation.alias:
        lines.append("Other names: " + ", ".join(f"`{a}`" for a in operation.alias.split()) + ".")
    if operation.results:
        lines.append("Results: " + ", ".join(f"`{r}`" for r in operation.results.split()) + ".")
    if dtypes := dtype_line(operation):
        lines.append(dtypes)
    lines.append("Gradients flow through it." if operation.differentiable else "It has no gradient.")
    if operation.reads_values:
        lines.append("It asks for values of tensors, so programs that are captured cannot use it.")
    if operation.reference:
        lines.append(f"In NumPy and SciPy: `{operation.reference}`.")
    if operation.source:
        lines.append(f"Source: {escaped(operation.source)}.")
    place = operation.file.partition("src/phlox/")[2]
    lines.append(f"Defined in `src/phlox/{place}`.")
    return "\n".join(f"- {line}" for line in lines)


def operation_page(operation, overloads, signatures):
    """The page of an operation and of those that share its name in Python."""
    parts = [f"# {home_of(operation)}", escaped(operation.doc)]
    calls = [home_of(o) + o.__text_signature__ for o in (operation, *overloads)]
    parts.append(fenced("\n".join(dict.fromkeys(calls)), "python"))
    parts.append(fenced("\n".join(signatures[o.__name__] for o in (operation, *overloads)), "cpp"))
    parts += [parameter_table(operation), fenced(session_of(operation), "python"), facts(operation)]
    for overload in overloads:
        parts += [f"## {overload.__name__} in C++", escaped(overload.doc), parameter_table(overload)]
        parts += [fenced(session_of(overload), "python"), facts(overload)]
    family = operation.family.replace(" ", "-")
    parts.append(f"[All {operation.family} operations](../operations/{family}.md)")
    return "\n\n".join(filter(None, parts)) + "\n"


def python_functions():
    """Names and functions of the modules that have examples in their docstring."""
    found = {}
    for module_name in MODULES:
        module = px if module_name == "phlox" else importlib.import_module(f"phlox.{module_name}")
        prefix = "px" if module is px else f"px.{module_name}"
        names = getattr(module, "__all__", None) or [n for n in vars(module) if not n.startswith("_")]
        for name in names:
            function = getattr(module, name)
            ours = inspect.isfunction(function) and function.__module__.startswith("phlox")
            if ours and ">>>" in (function.__doc__ or "") and function not in found.values():
                found[f"{prefix}.{name}"] = function
    return found


def function_page(name, function):
    text = inspect.cleandoc(function.__doc__)
    prose = re.split(r"\n\s*(?:Examples?:\s*\n\s*)?>>> ", text, maxsplit=1)[0]
    session = session_of_docstring(name, function.__doc__)
    paragraphs = []
    for paragraph in prose.split("\n\n"):
        is_code = all(line.startswith("    ") for line in paragraph.splitlines())
        paragraphs.append(fenced(inspect.cleandoc(paragraph), "python") if is_code else escaped(paragraph))
    signature = str(inspect.signature(function)).replace("'", "")
    parts = [f"# {name}", *paragraphs[:1], fenced(f"{name}{signature}", "python"), *paragraphs[1:]]
    return "\n\n".join([*parts, fenced(session, "python")]) + "\n"


def table(entries):
    """Names that link to their pages, with the first sentence of each."""
    rows = ["| name | |", "|---|---|"]
    rows += [
        f"| [`{name}`](../reference/{page}) | {escaped(text).replace('|', chr(92) + '|')} |"
        for name, page, text in entries
    ]
    return "\n".join(rows)


def write_reference(pages):
    """Writes pages/reference and an index for each family to pages/operations; returns pairs of title and index.

    Raises ExampleError with all examples that fail.
    """
    reference, indices = pages / "reference", pages / "operations"
    reference.mkdir(parents=True, exist_ok=True)
    indices.mkdir(exist_ok=True)
    signatures = cpp_signatures()
    overloads: dict[str, list] = {}
    for operation in px.operations():
        overloads.setdefault(operation.overload_of, []).append(operation)
    families: dict[str, list] = {}
    failures = []
    for operation in overloads.pop("", []):
        page = f"{operation.__name__}.md"
        entry = (home_of(operation), page, first_sentence(operation.doc))
        families.setdefault(operation.family, []).append(entry)
        try:
            own = overloads.get(operation.__name__, [])
            (reference / page).write_text(operation_page(operation, own, signatures))
        except ExampleError as error:
            failures.append(str(error))
    modules: dict[str, list] = {}
    for name, function in python_functions().items():
        page = f"{name}.md"
        modules.setdefault(name.rpartition(".")[0], []).append((name, page, first_sentence(function.__doc__)))
        try:
            (reference / page).write_text(function_page(name, function))
        except ExampleError as error:
            failures.append(str(error))
    if failures:
        raise ExampleError(f"{len(failures)} examples fail:\n" + "\n".join(failures))
    titles = []
    for family, entries in sorted(families.items()):
        name = f"{family.replace(' ', '-')}.md"
        heading = f"# {family.capitalize()} operations\n\n"
        (indices / name).write_text(heading + table(entries) + "\n")
        titles.append((family.capitalize(), f"operations/{name}"))
    parts = ["# Functions in Python", "What is written in Python around the operations, with examples."]
    for module, entries in sorted(modules.items()):
        parts += [f"## {module}", table(entries)]
    (indices / "functions.md").write_text("\n\n".join(parts) + "\n")
    return [*titles, ("Functions in Python", "operations/functions.md")]

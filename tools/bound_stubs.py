"""Stubs of classes and functions, from the signatures that nanobind or Python keeps for them."""

import inspect
import re

# Names that Tensor and Module have as methods, and px as dtypes: stubs write the built-in ones in another way.
BUILT_IN = {name: f"_{name}" for name in ("int", "float", "bool")}
QUALIFIED = re.compile(r"\b(?:_?phlox\.|collections\.abc\.|typing\.)(?:\w+\.)*")
BARE = {
    "dict": "dict[Any, Any]",
    "list": "list[Any]",
    "tuple": "tuple[Any, ...]",
    "Callable": "Callable[..., Any]",
}
BARE_NAME = re.compile(r"(?<![\w.\"'])(dict|list|tuple|Callable)\b(?![\[(])")
NAME = re.compile(r"(?<![\w.\"'])(int|float|bool)\b(?!\s*[:(])")


def plain_types(text: str) -> str:
    """A type in the words of the stubs, which import all that they name."""
    text = re.sub(r"os\.PathLike\b(?!\[)", "os.PathLike[str]", QUALIFIED.sub("", text))
    text = BARE_NAME.sub(lambda found: BARE[found.group(1)], text)
    return NAME.sub(lambda found: BUILT_IN[found.group(1)], text)


def docstring(text: str | None, indent: str) -> list[str]:
    if not text:
        return []
    lines = inspect.cleandoc(text).replace("\\", "\\\\").replace('"""', "'''").split("\n")
    if lines[-1].endswith('"'):
        lines[-1] += " "
    lines[0] = '"""' + lines[0]
    lines[-1] += '"""'
    return [(indent + line).rstrip() for line in lines]


def is_bound(value: object) -> bool:
    return hasattr(value, "__nb_signature__")


def with_body(head: str, documentation: str | None, indent: str) -> list[str]:
    body = docstring(documentation, indent + "    ")
    return [f"{indent}{head}:", *body] if body else [f"{indent}{head}: ..."]


def default_text(value: object) -> str:
    if value is None or isinstance(value, (bool, int, str)):
        return repr(value)
    if isinstance(value, float):
        return repr(value) if value == value and abs(value) != float("inf") else "..."
    return "..."


def python_head(name: str, function) -> str:
    """`def name(...) -> ...` of a function written in Python."""
    parts, seen_star = [], False
    for p in inspect.signature(function).parameters.values():
        star = {p.VAR_POSITIONAL: "*", p.VAR_KEYWORD: "**"}.get(p.kind, "")
        if p.kind is p.KEYWORD_ONLY and not seen_star:
            parts.append("*")
        seen_star |= p.kind in (p.VAR_POSITIONAL, p.KEYWORD_ONLY)
        text = star + p.name
        if p.name not in ("self", "cls"):
            annotation = "Any" if p.annotation is p.empty else str(p.annotation)
            text += ": " + plain_types(
                annotation.replace("_Any", "Any").replace("_IO", "IO").replace("_os.", "os.")
            )
        if p.default is not p.empty:
            text += " = " + default_text(p.default)
        parts.append(text)
    result = inspect.signature(function).return_annotation
    result = "Any" if result is inspect.Signature.empty else plain_types(str(result)).replace("_Any", "Any")
    return f"def {name}({', '.join(parts)}) -> {result}"


def bound_heads(name: str, function) -> list[tuple[str, str | None]]:
    """The same with the documentation, for each overload of a function of nanobind."""
    heads = []
    for signature, documentation, defaults in function.__nb_signature__:
        text = re.sub(r"\\(\d+)", lambda found: default_text(defaults[int(found.group(1))]), signature)
        text = re.sub(r"^def \w*\(", f"def {name}(", text)
        heads.append((plain_types(text), documentation))
    return heads


def function_stub(name: str, function, indent: str = "", decorator: str = "") -> list[str]:
    if not is_bound(function):
        lines = with_body(python_head(name, function), function.__doc__, indent)
        return [f"{indent}{decorator}", *lines] if decorator else lines
    lines = []
    heads = bound_heads(name, function)
    for head, documentation in heads:
        lines += [f"{indent}@overload"] if len(heads) > 1 else []
        lines += [f"{indent}{decorator}"] if decorator else []
        lines += with_body(head, documentation, indent)
    return lines


def property_stub(name: str, value: property, types: dict[str, str]) -> list[str]:
    getter = value.fget
    if is_bound(getter):
        [(signature, documentation, _)] = getter.__nb_signature__
        result = plain_types(signature.rpartition("-> ")[2])
    else:
        annotation = inspect.signature(getter).return_annotation if getter else inspect.Signature.empty
        result, documentation = (
            "Any" if annotation is inspect.Signature.empty else plain_types(str(annotation)),
            value.__doc__,
        )
    if result == "object":
        result = types.get(name, "Any")
    lines = ["    @property", *with_body(f"def {name}(self) -> {result}", documentation, "    ")]
    if value.fset:
        lines += [f"    @{name}.setter", f"    def {name}(self, value: {result}) -> None: ..."]
    return lines


def parameter_types(function) -> dict[str, str]:
    """The types of a bound function's parameters, by name."""
    [(head, _)] = bound_heads("f", function)
    return dict(re.findall(r"(\w+): ([^=]+?)(?= = |, \w+:|, \*|\) ->)", head))


def tensors_of_layer(layer: type) -> dict[str, str]:
    """The parameters and buffers that a layer registers, by name, with their types."""
    types = parameter_types(layer.__init__)
    required = [
        name for name in types if f"{name}: {types[name]} =" not in bound_heads("f", layer.__init__)[0][0]
    ]
    try:
        made = layer(*[1 for _ in required])
    except Exception:  # one that takes something else has no tensors worth naming
        return {}
    optional = {"bias", "running_mean", "running_var", "num_batches_tracked"} | (
        {"weight", "bias"} & set(types)
        or ({"weight"} if {"affine", "elementwise_affine"} & set(types) else set())
    )
    found = dict.fromkeys(made._parameter_names(), "Parameter")
    found |= dict.fromkeys(made._buffer_names(), "Tensor")
    return {name: f"{kind} | None" if name in optional else kind for name, kind in found.items()}


# Special methods that programs call without naming them.
SHOWN = {"__init__", "__len__", "__getitem__", "__iter__", "__neg__", "__truediv__"}
SHOWN |= {f"__{side}{name}__" for name in ("add", "sub", "mul", "matmul") for side in ("", "r")}


def class_stub(cls: type, is_module: bool) -> list[str]:
    base = cls.__bases__[0].__name__
    lines = [f"class {cls.__name__}" + (f"({base}):" if base != "object" else ":")]
    lines += docstring(cls.__doc__, "    ")
    own = {name: value for name, value in vars(cls).items() if not hasattr(object, name) or is_bound(value)}
    types = parameter_types(own["__init__"]) if "__init__" in own else {}
    if is_module:
        lines += [f"    {name}: {kind}" for name, kind in tensors_of_layer(cls).items()]
    for name, value in own.items():
        special = name.startswith("__") and name not in SHOWN
        if special or (name.startswith("_") and not is_bound(value)):
            continue
        if isinstance(value, property):
            lines += property_stub(name, value, types)
        elif name == "__iter__":
            lines.append("    def __iter__(self) -> Iterator[Any]: ...")
        elif callable(value):
            is_static = is_bound(value) and "(self" not in bound_heads(name, value)[0][0]
            lines += function_stub(name, value, "    ", "@staticmethod" if is_static else "")
            if is_module and name == "forward":  # calling a layer gives what forward() gives
                head, _ = bound_heads("__call__", value)[-1]
                lines += with_body(head, None, "    ")
    return lines if len(lines) > 1 else [lines[0] + " ..."]

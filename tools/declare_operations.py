#!/usr/bin/env python3
"""Declares the operations of src/phlox/ops in C++.

An operation is defined once, by PHLOX_POINTWISE or PHLOX_OPERATION with a plain C++ parameter list (see
src/phlox/ops/registry/operation.h). C++ wants a declaration before a use and methods inside the class, which no macro can
give, so this script reads the parameter lists and writes

    ops/functions.h       phlox::sum(x, ...) for users
    ops/functions.cc      forwards them to the definitions
    ops/declarations.h    the definitions themselves, without default values
    core/tensor_methods.h x.sum(...), included inside class Tensor

Nothing else is derived from text: documentation, bindings, stubs and tests come from the registry of the library.
"""

import argparse
import re
from dataclasses import dataclass
from pathlib import Path

HEADER = "// Made by tools/declare_operations.py from src/phlox/ops. Do not edit.\n"
SCALAR_TYPES = {"double", "std::int64_t", "bool", "Scalar"}


@dataclass
class Parameter:
    type: str
    name: str
    default: str | None

    def declared(self, with_default: bool = True) -> str:
        default = f" = {self.default}" if with_default and self.default is not None else ""
        return f"{self.type} {self.name}{default}"

    @property
    def is_tensor(self) -> bool:
        return self.type in ("const Tensor&", "const Operand&")


@dataclass
class Operation:
    name: str
    result: str
    parameters: list[Parameter]
    pointwise: bool
    method: bool
    in_place: bool
    doc: str


def split_top_level(text: str) -> list[str]:
    """Splits at commas that stand outside of brackets and strings."""
    parts, depth, quoted, current = [], 0, False, ""
    for previous, character in zip(" " + text, text):
        if character == '"' and previous != "\\":
            quoted = not quoted
        if not quoted:
            depth += character in "([{<"
            depth -= character in ")]}>"
            if character == "," and depth == 0:
                parts.append(current.strip())
                current = ""
                continue
        current += character
    if current.strip():
        parts.append(current.strip())
    return parts


def balanced(text: str, start: int) -> str:
    """The text inside the parentheses that open at `start`."""
    depth, quoted = 0, False
    for position in range(start, len(text)):
        character = text[position]
        if character == '"' and text[position - 1] != "\\":
            quoted = not quoted
        if not quoted:
            depth += character == "("
            depth -= character == ")"
            if depth == 0:
                return text[start + 1 : position]
    raise SystemExit(f"declare_operations: no closing parenthesis after {text[start : start + 60]!r}")


def read_parameter(text: str) -> Parameter:
    declaration, equals, default = text.partition("=")
    match = re.fullmatch(r"(.*?[\s&*])(\w+)", declaration.strip())
    if not match:
        raise SystemExit(f"declare_operations: cannot read the parameter {text!r}")
    return Parameter(match[1].strip(), match[2], default.strip() if equals else None)


def first_sentence(traits: str) -> str:
    match = re.search(r'\.doc\s*=\s*((?:"(?:[^"\\]|\\.)*"\s*)+)', traits)
    literals = re.findall(r'"((?:[^"\\]|\\.)*)"', match[1]) if match else []
    return "".join(literals).replace('\\"', '"')


def read_operations(folder: Path) -> list[Operation]:
    found = []
    for path in sorted(folder.rglob("*")):
        if path.suffix not in (".h", ".cc") or path.name in ("operation.h", "pointwise_definition.h"):
            continue
        text = re.sub(r"^\s*//.*$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
        for match in re.finditer(r"^PHLOX_(POINTWISE|OPERATION)\(", text, flags=re.MULTILINE):
            arguments = split_top_level(balanced(text, match.end() - 1))
            pointwise = match[1] == "POINTWISE"
            if pointwise:
                name, body, parameters = arguments[:3]
                result = "Tensor"
                struct = text[text.index(f"struct {body} ") :]
                traits = struct[: struct.index("\n};")]
            else:
                result, name, parameters = arguments[:3]
                traits = ", ".join(arguments[3:])
            found.append(
                Operation(
                    name=name,
                    result=result,
                    parameters=[read_parameter(p) for p in split_top_level(parameters[1:-1])],
                    pointwise=pointwise,
                    method=not re.search(r"\.method\s*=\s*false", traits),
                    in_place=pointwise or bool(re.search(r"\.in_place\s*=\s*true", traits)),
                    doc=first_sentence(traits),
                )
            )
    names = [operation.name for operation in found]
    for name in {n for n in names if names.count(n) > 1}:
        raise SystemExit(f"declare_operations: {name} is defined twice")
    return sorted(found, key=lambda operation: operation.name)


def arguments(operation: Operation, first: str | None = None) -> str:
    names = [p.name for p in operation.parameters]
    if first:
        names[0] = first
    return ", ".join(names)


def declared(parameters: list[Parameter], with_default: bool = True) -> str:
    return ", ".join(p.declared(with_default) for p in parameters)


def call_of(operation: Operation) -> str:
    """The body of phlox::name: a call of the pointwise function or of the definition."""
    if not operation.pointwise:
        return f"return operation_{operation.name}({arguments(operation)});"
    tensors = ", ".join(p.name for p in operation.parameters if p.is_tensor)
    scalars = [p.name for p in operation.parameters if not p.is_tensor]
    lines = f"const Operand inputs[] = {{{tensors}}}; "
    if not scalars:
        return lines + f"return apply_pointwise(definitions::pointwise_{operation.name}, inputs);"
    values = ", ".join(f"kernel_scalar({name})" for name in scalars)
    return (
        lines
        + f"const KernelScalar scalars[] = {{{values}}}; "
        + f"return apply_pointwise(definitions::pointwise_{operation.name}, inputs, scalars);"
    )


def in_place_of(operation: Operation) -> str:
    if not operation.pointwise:
        call = f"{operation.name}({arguments(operation, 'value_before_write(*this)')})"
        return f'return assign_in_place(*this, phlox::{call}, "{operation.name}_");'
    names = [p.name for p in operation.parameters if p.is_tensor]
    scalars = [p.name for p in operation.parameters if not p.is_tensor]
    values = ", ".join(f"kernel_scalar({name})" for name in scalars)
    return (
        f"const Operand inputs[] = {{{', '.join(['*this'] + names[1:])}}}; "
        + (
            f"const KernelScalar scalars[] = {{{values}}}; "
            if scalars
            else "const std::span<const KernelScalar> scalars; "
        )
        + f"return apply_pointwise_into(definitions::pointwise_{operation.name}, inputs, scalars, *this, true);"
    )


def is_method(operation: Operation) -> bool:
    return operation.method and bool(operation.parameters) and operation.parameters[0].is_tensor


def write_functions_header(operations: list[Operation]) -> str:
    lines = [HEADER, "#pragma once", "", '#include "phlox/core/tensor.h"', "", "namespace phlox {", ""]
    for o in operations:
        if o.doc:
            lines.append(f"// {o.doc}")
        lines.append(f"{o.result} {o.name}({declared(o.parameters)});")
    return "\n".join(lines + ["", "}  // namespace phlox", ""])


def write_functions_source(operations: list[Operation]) -> str:
    lines = [
        HEADER,
        '#include "phlox/ops/functions.h"',
        "",
        '#include "phlox/ops/declarations.h"',
        '#include "phlox/ops/in_place.h"',
        '#include "phlox/ops/primitives/pointwise.h"',
        "",
        "namespace phlox {",
        "",
    ]
    for o in operations:
        if o.pointwise:
            lines.append(f"namespace definitions {{ extern const PointwiseFunction& pointwise_{o.name}; }}")
        lines.append(f"{o.result} {o.name}({declared(o.parameters, False)}) {{ {call_of(o)} }}")
        if not is_method(o):
            continue
        rest = o.parameters[1:]
        call = f"{o.name}({arguments(o, '*this')})"
        lines.append(
            f"{o.result} Tensor::{o.name}({declared(rest, False)}) const {{ return phlox::{call}; }}"
        )
        if o.in_place:
            lines.append(
                f"const Tensor& Tensor::{o.name}_({declared(rest, False)}) const {{ {in_place_of(o)} }}"
            )
    return "\n".join(lines + ["", "}  // namespace phlox", ""])


def write_declarations(operations: list[Operation]) -> str:
    lines = [HEADER, "#pragma once", "", '#include "phlox/core/tensor.h"', "", "namespace phlox {", ""]
    for o in operations:
        if not o.pointwise:
            lines.append(f"{o.result} operation_{o.name}({declared(o.parameters, False)});")
    return "\n".join(lines + ["", "}  // namespace phlox", ""])


def write_methods(operations: list[Operation]) -> str:
    lines = [HEADER]
    for o in operations:
        if not is_method(o):
            continue
        rest = declared(o.parameters[1:])
        if o.doc:
            lines.append(f"// {o.doc}")
        lines.append(f"{o.result} {o.name}({rest}) const;")
        if o.in_place:
            lines.append(f"const Tensor& {o.name}_({rest}) const;")
    return "\n".join(lines + [""])


def write_if_changed(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--source", type=Path, required=True, help="the folder src/phlox/ops")
    parser.add_argument("--output", type=Path, required=True, help="where generated/phlox is")
    options = parser.parse_args()
    operations = read_operations(options.source)
    write_if_changed(options.output / "ops/functions.h", write_functions_header(operations))
    write_if_changed(options.output / "ops/functions.cc", write_functions_source(operations))
    write_if_changed(options.output / "ops/declarations.h", write_declarations(operations))
    write_if_changed(options.output / "core/tensor_methods.h", write_methods(operations))


if __name__ == "__main__":
    main()

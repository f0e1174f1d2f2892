"""`phlox graph` and `phlox plan` on functions of Python programs: each is captured, and written to files for the command."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ._failure import fail
from ._jit import Jitted, capture_converted
from ._phlox import Graph, Tensor
from ._structures import flatten
from ._trace import Traced

FUNCTION = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")


def captured_for(
    function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[Callable[[list[Tensor]], Any], list[Tensor]]:
    """What captures a call of the function for other tensors in these arguments, before all passes; and those there now."""
    tensors: list[Tensor] = []
    structure = flatten((args, kwargs), tensors)
    if isinstance(function, Traced):
        return lambda _: function._captured, tensors
    plain = function.__wrapped__ if isinstance(function, Jitted) else function
    return lambda given: capture_converted(plain, structure, given)[0], tensors


def captured_call(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, list[Tensor]]:
    """A call of the function as a graph, before all passes, and the tensors among its arguments."""
    capture, tensors = captured_for(function, args, kwargs)
    return capture(tensors), tensors


def examples(text: str) -> tuple[Tensor, ...]:
    """Tensors for "f32[32,64], i64[32]": normal numbers, and zeros where the dtype is not floating."""
    kinds = re.findall(r"\w+\[[^]]*\]", text)
    rest = re.sub(r"\w+\[[^]]*\]", "", text).replace(",", " ").strip()
    if rest:
        fail(
            "ValueError",
            "invalid_value",
            f"--args: {rest!r} of {text!r} is no tensor",
            "tensors only, such as f32[32,64], i64[32]; a function of the file may give the other arguments",
        )
    parameters = ", ".join(f"%x{i}: {kind}" for i, kind in enumerate(kinds))
    return tuple(Graph.parse(f"graph({parameters}) {{\n  return\n}}\n").random_inputs())


def load(name: str) -> Any:
    """The object that "module:function" names, of a module or a file beside the program."""
    module, path = name.split(":")
    sys.path.insert(0, str(Path.cwd()))
    try:
        found: Any = importlib.import_module(module)
        for part in path.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        hint = f"{module.removesuffix('.py')}:{path}" if module.endswith(".py") else "module:function"
        fail("ValueError", "unknown_name", f"graph: there is no {name}: {error}", hint=hint)
    finally:
        sys.path.pop(0)
    return found


def write(name: str, folder: Path, arguments: str | None) -> Path:
    """Writes the graph of "module:function", with its constants and inputs; the path of its text."""
    from .io import save

    found = load(name)
    tensors: dict[str, Tensor] = {}
    if isinstance(found, Graph) or (arguments is None and isinstance(found, (Traced, Jitted))):
        graph = found if isinstance(found, Graph) else found.graph
    else:
        captured, given = captured_call(found, examples(arguments or ""), {})
        graph = captured.graph
        tensors = dict(zip(graph.input_names, captured.inputs_for(given)))
    tensors |= {f"@{i}": constant for i, constant in enumerate(graph.constants)}
    path = folder / (re.sub(r"\W", "-", name) + ".graph")
    path.write_text(graph.to_text(locations=True), encoding="utf-8")
    if tensors:
        save({key: value.detach() for key, value in tensors.items()}, path.with_suffix(".safetensors"))
    return path


def without_option(words: list[str], option: str) -> tuple[list[str], str | None]:
    """The words without `--option value` or `--option=value`, and that value."""
    for i, word in enumerate(words):
        if word == option and i + 1 < len(words):
            return words[:i] + words[i + 2 :], words[i + 1]
        if word.startswith(option + "="):
            return words[:i] + words[i + 1 :], word[len(option) + 1 :]
    return words, None


def with_files(words: list[str], folder: Path) -> list[str]:
    """The words of the command with files in the place of functions; `--args` gives their arguments."""
    words, arguments = without_option(words, "--args")
    return [
        str(write(word, folder, arguments)) if FUNCTION.fullmatch(word) and not Path(word).exists() else word
        for word in words
    ]


def plan_text(words: list[str]) -> str:
    """What `phlox plan module:function --args "f32[64,10]" --limit 2GB` prints."""
    from .memory import largest_batch, plan

    words, arguments = without_option(words, "--args")
    words, limit = without_option(words, "--limit")
    if len(words) != 2:
        fail(
            "ValueError", "invalid_value", 'plan: phlox plan module:function --args "f32[64,10]" --limit 2GB'
        )
    function, given = load(words[1]), examples(arguments or "")
    text = str(plan(function, *given))
    if limit:
        batch = largest_batch(function, *given, limit=bytes_of(limit))
        text += f"largest batch in {limit}: {'none' if batch is None else batch}\n"
    return text


def bytes_of(size: str) -> int:
    """Bytes of "512MB" or "2GB"."""
    found = re.fullmatch(r"([0-9.]+)\s*([KMGT]?)B?", size, re.IGNORECASE)
    if not found:
        fail("ValueError", "invalid_value", f"'{size}' is no size in bytes", hint="2GB")
    return int(float(found[1]) * 1024 ** " KMGT".index(found[2].upper() or " "))

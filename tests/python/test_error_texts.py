"""The whole text of the errors that the commonest mistakes give: see mistakes/.

`python tests/python/test_error_texts.py --accept` writes the texts as they are now into the docstrings.
"""

import ast
import importlib
import inspect
import re
import sys
import tempfile
import textwrap
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

AREAS = [file.stem for file in sorted((Path(__file__).parent / "mistakes").glob("[a-z]*.py"))]
MISTAKES = {}
for area in AREAS:
    module = importlib.import_module(f"mistakes.{area}")
    for name, function in vars(module).items():
        helper = inspect.isfunction(function) and set(inspect.signature(function).parameters) - {"folder"}
        if inspect.isfunction(function) and function.__module__ == module.__name__ and not helper:
            MISTAKES[f"{area}.{name}"] = function


def text_of(function, folder):
    """The text of the error, without what differs from run to run."""
    arguments = [folder] if inspect.signature(function).parameters else []
    with pytest.raises(Exception) as error:  # noqa: PT011 - the text says which
        function(*arguments)
    kind = type(error.value)
    text = f"{kind.__module__}.{kind.__name__}: {error.value}".replace(str(folder), "FOLDER")
    return re.sub(r"(\w+\.py):\d+", r"\1:LINE", text)


@pytest.mark.parametrize("name", MISTAKES)
def test_text(name, tmp_path):
    expected = inspect.getdoc(MISTAKES[name])
    assert expected, "no text yet; --accept writes it"
    assert text_of(MISTAKES[name], tmp_path) == expected


def test_all_have_a_code_and_their_place():
    for name, function in MISTAKES.items():
        text = inspect.getdoc(function)
        assert re.match(r"phlox\.errors\.\w+: \[E\d{4}\] ", text), name
        assert re.search(r"\w+\.py:LINE   \S", text), name


def accept(area):
    """Writes the texts of an area into its file."""
    file = Path(__file__).parent / "mistakes" / f"{area}.py"
    lines = file.read_text().splitlines()
    for node in reversed(ast.parse("\n".join(lines)).body):
        function = MISTAKES.get(f"{area}.{getattr(node, 'name', '')}")
        if function is None:
            continue
        with tempfile.TemporaryDirectory() as folder:
            text = text_of(function, Path(folder))
        doc = textwrap.indent(f'"""\n{text}\n"""'.replace("\\", "\\\\"), "    ")
        first = node.body[0]
        old = first.end_lineno if ast.get_docstring(node) is not None else first.lineno - 1
        lines[first.lineno - 1 : old] = [line.rstrip() for line in doc.splitlines()]
    file.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    for area in sys.argv[2:] or AREAS:
        accept(area)

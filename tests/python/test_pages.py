"""Programs and examples of pages: what they say is printed is printed, and what they say an expression is, it is."""

# shard: networks
import re
from functools import reduce
from pathlib import Path

import numpy as np
import phlox.nn.functional as F  # noqa: N812
import pytest

import phlox as px

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("name", ["coming-from-numpy.md", "array-api.md"])
def test_programs(name):
    """Lines `print(...)  # text` print the text, lines `expression  # [numbers]` give the numbers."""
    printed, expected = [], []
    space = {"print": lambda *values: printed.append(" ".join(map(str, values)))}
    for program in re.findall(r"```python\n(.*?)```", (DOCS / name).read_text(), re.DOTALL):
        exec(compile(program, name, "exec"), space)
        expected += re.findall(r"^print\(.*?\) +# (.*)$", program, re.MULTILINE)
        for line, numbers in re.findall(r"^(?!print)(\w+\(\w+\)) +# (\[.*\])$", program, re.MULTILINE):
            np.testing.assert_allclose(eval(line, space).numpy(), np.array(eval(numbers)))
            expected.append(line)
            printed.append(line)
    assert printed == expected and expected


def test_names_of_the_page_are_there():
    names = set(re.findall(r"\bpx((?:\.[A-Za-z_]\w*)+)", (DOCS / "coming-from-numpy.md").read_text()))
    for name in names:
        reduce(getattr, name[1:].split("."), px)
    assert len(names) > 40


def examples_of_differences():
    """The examples "`expression` is value" that mention nothing but libraries."""
    for row in (DOCS / "differences.md").read_text().splitlines():
        found = re.search(r"\| `((?:px|F)\.[^`]*)`(?: \S+ \S+)?? is `?([^`| ]+|\[[^`|]+\])`? \|$", row)
        if found and not re.search(r"\b(x|y|i|m|v|q|a|b|c|z)\b(?!\.)", found[1]):
            yield found.groups()


def test_there_are_examples_of_differences():
    assert len(list(examples_of_differences())) >= 12


@pytest.mark.parametrize(("expression", "value"), examples_of_differences())
def test_examples_of_differences(expression, value):
    names = {"px": px, "F": F, "inf": float("inf"), "nan": float("nan"), "float32": px.float32}
    names.update(complex128=px.complex128)
    found = eval(expression, names)
    value = eval(value.strip(), names)
    if isinstance(found, px.Tensor):
        np.testing.assert_allclose(found.to(px.float64).numpy(), np.array(value), rtol=1e-4)
    else:
        assert found == value

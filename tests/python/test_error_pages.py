"""docs/errors: each code has a page, its example makes the error, and its cure does not."""

import linecache
import re
from pathlib import Path

import pytest

import phlox as px

PAGES = Path(__file__).parents[2] / "docs" / "errors"
# What Python cannot bring about: undefined tensors, a second device, gaps of a library.
WITHOUT_PYTHON = {"E0102", "E0401", "E0404", "E1003"}


def test_pages_and_codes_are_the_same():
    assert {file.stem for file in PAGES.glob("*.md")} == set(px.errors.catalog())


def test_explain():
    assert px.errors.explain("E0203") == (PAGES / "E0203.md").read_text()
    with pytest.raises(px.errors.ValueError):
        px.errors.explain("E9999")


@pytest.mark.parametrize("code", sorted(px.errors.catalog()))
def test_page(code, tmp_path, monkeypatch):
    text = (PAGES / f"{code}.md").read_text()
    name, title = px.errors.catalog()[code]
    assert text.startswith(f"# {code}: {title}\n\n")
    _, example, cure = re.split(r"\n## An example\n|\n## The cure\n", text)
    assert re.sub(r"```.*?```", "", cure, flags=re.DOTALL).strip(), "the cure in words"
    made, healed = (re.findall(r"```python\n(.*?)```", part, re.DOTALL) for part in (example, cure))
    if code in WITHOUT_PYTHON:
        assert "```" in example and not made
        return
    monkeypatch.chdir(tmp_path)
    names = {"px": px}
    # Captured functions are read from their source.
    monkeypatch.setitem(linecache.cache, f"{code}.md", (0, None, made[0].splitlines(keepends=True), ""))
    with pytest.raises(px.PhloxError) as error:
        exec(compile(made[0], f"{code}.md", "exec"), names)
    assert error.value.code == code, error.value
    monkeypatch.setitem(linecache.cache, f"{code}.md", (0, None, healed[0].splitlines(keepends=True), ""))
    exec(compile(healed[0], f"{code}.md", "exec"), names)

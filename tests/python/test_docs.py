"""The pages of the documentation: each link leads somewhere, each operation is there, and README's programs run."""

# shard: networks
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import phlox as px

ROOT = Path(__file__).parents[2]
BUILD = Path(px.__file__).parents[2]


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("docs")
    subprocess.run([sys.executable, ROOT / "tools" / "make_docs.py", folder], check=True)
    return folder


def links_of(text):
    """Where the links of a page lead; a lambda of C++ or a call of what an index gives is none."""
    prose = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    return re.findall(r"\]\(([^)#\s]+)", re.sub(r"`[^`\n]*`", "", prose))


def broken_links(folder):
    for page in folder.rglob("*.md"):
        for target in links_of(page.read_text()):
            if not target.startswith(("http:", "https:")) and not (page.parent / target).exists():
                yield f"{page.relative_to(folder)}: {target}"


def test_links_of_the_site_lead_somewhere(pages):
    assert not list(broken_links(pages / "pages"))


def test_links_of_the_repository_lead_somewhere():
    sources = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]
    for page in sources:
        for target in links_of(page.read_text()):
            assert target.startswith("http") or (page.parent / target).exists(), f"{page.name}: {target}"


def linked_from(folder, name):
    """The pages that an index links to."""
    return set(
        re.findall(r"\]\(\.\./reference/([^)]+)\.md\)", (folder / "pages" / "operations" / name).read_text())
    )


def test_each_operation_has_a_page_with_an_example_that_ran(pages):
    reference = pages / "pages" / "reference"
    operations = [o for o in px.operations() if not o.overload_of]
    for operation in operations:
        text = (reference / f"{operation.__name__}.md").read_text()
        (session,) = re.findall(r"```python\n(>>> .*?)```", text.partition("\n## ")[0], re.DOTALL)
        assert re.search(r"^(?!>>> )\S", session, re.MULTILINE), f"{operation.__name__}: no result is shown"
        assert text.startswith("# px.") and f"phlox::{operation.__name__}(" in text
    for operation in px.operations():
        if operation.overload_of:
            text = (reference / f"{operation.overload_of}.md").read_text()
            assert f"## {operation.__name__} in C++" in text
    families = {o.family.replace(" ", "-") for o in operations}
    listed = set().union(*(linked_from(pages, f"{family}.md") for family in families))
    assert listed == {o.__name__ for o in operations}


def test_functions_in_python_have_pages(pages):
    listed = linked_from(pages, "functions.md")
    assert {"px.func.vjp", "px.checkpoint", "px.vmap"} <= listed
    assert {path.stem for path in (pages / "pages" / "reference").glob("px.*.md")} == listed
    assert "tensor([1., 2.])" in (pages / "pages" / "reference" / "px.func.vjp.md").read_text()


def test_a_page_shows_what_a_reader_asks_for(pages):
    text = (pages / "pages" / "reference" / "max.md").read_text()
    for part in (
        "px.max(input, dim, keepdim=False)",
        "TensorPair phlox::max_dim(const Tensor& input, std::int64_t dim, bool keepdim = false);",
        "| `dim` | integer |  |",
        "Takes floats (float16, bfloat16, float32, float64); integers",
        "In NumPy and SciPy: `np.max(input)`.",
        "[All reduction operations](../operations/reduction.md)",
    ):
        assert part in text


def test_the_site_has_a_place_for_each_page(pages):
    configuration = (pages / "mkdocs.yml").read_text()
    for page in (pages / "pages").rglob("*.md"):
        if page.parent.name != "reference":  # these stand in the indices
            assert f'"{page.relative_to(pages / "pages").as_posix()}"' in configuration


def programs(language):
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)


def test_the_python_program_of_the_readme_runs(tmp_path):
    (program,) = programs("python")
    variables = {**os.environ, "PHLOX_NUM_THREADS": "1"}  # tests run side by side
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert set(px.load(tmp_path / "digits.safetensors")) == {
        "conv.weight",
        "conv.bias",
        "head.weight",
        "head.bias",
    }


@pytest.mark.slow
def test_the_cpp_program_of_the_readme_compiles(tmp_path):
    (program,) = programs("cpp")
    (tmp_path / "readme.cc").write_text(program)
    folders = [f"-I{ROOT / 'src'}", f"-I{BUILD / 'generated'}"]
    command = ["c++", "-std=c++20", "-fsyntax-only", *folders, tmp_path / "readme.cc"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr

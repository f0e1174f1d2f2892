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
    """Where the links of a page lead; a lambda of C++ in its examples is none."""
    return re.findall(r"\]\(([^)#\s]+)", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE))


def broken_links(folder):
    for page in folder.rglob("*.md"):
        text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
        for target in links_of(text):
            if not target.startswith(("http:", "https:")) and not (page.parent / target).exists():
                yield f"{page.relative_to(folder)}: {target}"


def test_links_of_the_site_lead_somewhere(pages):
    assert not list(broken_links(pages / "pages"))


def test_links_of_the_repository_lead_somewhere():
    sources = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]
    for page in sources:
        for target in links_of(page.read_text()):
            assert target.startswith("http") or (page.parent / target).exists(), f"{page.name}: {target}"


def test_all_operations_have_an_entry(pages):
    text = "\n".join(page.read_text() for page in (pages / "pages" / "operations").glob("*.md"))
    entries = re.findall(r"^## (\w+)$", text, re.MULTILINE)
    assert sorted(entries) == sorted(o.__name__ for o in px.operations() if not o.overload_of)


def test_the_site_has_a_place_for_each_page(pages):
    configuration = (pages / "mkdocs.yml").read_text()
    for page in (pages / "pages").rglob("*.md"):
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

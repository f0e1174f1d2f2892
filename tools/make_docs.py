#!/usr/bin/env python3
"""Gathers the pages of the documentation site and writes the configuration of MkDocs beside them.

    make_docs.py FOLDER     FOLDER/pages and FOLDER/mkdocs.yml; `mkdocs build -f FOLDER/mkdocs.yml` makes the site

The pages are README.md, docs/*.md, the error pages, the tutorials with what their cells show, and a page of operations
for each family, written from the registry.
"""

import argparse
import base64
import json
import re
import shutil
from pathlib import Path

import phlox as px

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
# What pages point to outside of docs/.
LINKED = [
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "examples/digits.py",
    "examples/digits.cc",
    "tests/conformance/floors.json",
    "tests/python/scripts/spirals.py",
]

CONFIGURATION = """
site_name: Phlox
docs_dir: pages
site_dir: site
theme: readthedocs
use_directory_urls: false
validation: {links: {not_found: warn, unrecognized_links: warn}}
markdown_extensions: [fenced_code, tables, toc]
nav:
"""


def fenced(text, language=""):
    return f"```{language}\n{text.rstrip()}\n```\n"


def notebook_page(path, folder):
    """A notebook as Markdown; pictures become files beside the page."""
    parts = []
    for number, cell in enumerate(json.loads(path.read_text())["cells"]):
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source.replace(".ipynb", ".md"))
            continue
        parts.append(fenced(source, "python"))
        for output in cell["outputs"]:
            data = output.get("data", {})
            if "image/png" in data:
                picture = f"{path.stem}_{number}.png"
                (folder / picture).write_bytes(base64.b64decode(data["image/png"]))
                parts.append(f"![{''.join(data['text/plain'])}]({picture})")
            else:
                lines = output.get("text") or data.get("text/plain") or "\n".join(output.get("traceback", []))
                parts.append(fenced("".join(lines), "text"))
    return "\n\n".join(parts) + "\n"


def escaped(text):
    """Text in which `<`, `*` and `_` stand for themselves, outside of code."""
    parts = text.split("`")
    parts[::2] = [re.sub(r"([<*_])", r"\\\1", part) for part in parts[::2]]
    return "`".join(parts)


def operation_entry(operation):
    """The part of a page that tells of one operation."""
    home = f"{operation.home}." if operation.home else ""
    name = operation.__name__.removeprefix(operation.home.rpartition(".")[2] + "_")
    signature = f"px.{home}{name}{operation.__text_signature__}"
    parts = [f"## {operation.__name__}", fenced(signature, "python"), escaped(operation.__doc__)]
    if operation.samples:
        calls = [call.strip() for call in operation.samples.split(";")]
        parts.append("Such as " + ", ".join(f"`{call}`" for call in calls[:3]) + ".")
    facts = []
    if operation.alias:
        facts.append(f"also called `{operation.alias}`")
    if operation.is_method:
        facts.append("also a method of `Tensor`")
    if not operation.differentiable:
        facts.append("no gradient")
    if facts:
        text = ", ".join(facts)
        parts.append(text[0].upper() + text[1:] + ".")
    return "\n\n".join(parts)


def write_operations(folder):
    """A page for each family; returns pairs of title and file."""
    folder.mkdir(parents=True)
    families: dict[str, list] = {}
    for operation in px.operations():
        if not operation.overload_of:
            families.setdefault(operation.family, []).append(operation)
    pages = []
    for family, members in sorted(families.items()):
        title = f"{family.capitalize()} operations"
        intro = f"# {title}\n\nIn samples `A(3, 4)` is a tensor of floats, `P` of positive ones, `I(n, 4)` of integers below n,\n`B(4)` of truth values."
        text = "\n\n".join([intro, *map(operation_entry, members)])
        name = f"{family.replace(' ', '-')}.md"
        (folder / name).write_text(text + "\n")
        pages.append((family.capitalize(), f"operations/{name}"))
    return pages


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    pages = folder / "pages"
    shutil.rmtree(pages, ignore_errors=True)
    shutil.copytree(DOCS, pages / "docs", ignore=shutil.ignore_patterns("Doxyfile", "*.ipynb"))
    (pages / "index.md").write_text((ROOT / "README.md").read_text())
    for page in (pages / "index.md", *(pages / "docs").glob("*.md")):
        page.write_text(page.read_text().replace(".ipynb", ".md"))
    for name in LINKED:
        (pages / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, pages / name)
    tutorials = pages / "docs" / "tutorials"
    tutorials.mkdir(exist_ok=True)
    for notebook in sorted((DOCS / "tutorials").glob("*.ipynb")):
        (tutorials / f"{notebook.stem}.md").write_text(notebook_page(notebook, tutorials))

    nav: list = [{"Phlox": "index.md"}]
    nav += [
        {"First steps": "docs/tutorials/first_steps.md"},
        {"From eager to graph": "docs/tutorials/from_eager_to_graph.md"},
        {"Control flow": "docs/tutorials/control_flow.md"},
        {"Graph mode for TensorFlow users": "docs/tutorials/graph_mode.md"},
        {"Coming from PyTorch": "docs/coming-from-pytorch.md"},
    ]
    nav.append({"Operations": [{title: file} for title, file in write_operations(pages / "operations")]})
    errors = sorted(path.name for path in (pages / "docs" / "errors").glob("*.md"))
    nav.append({"Errors": [{Path(name).stem: f"docs/errors/{name}"} for name in errors]})
    listed = {"docs/coming-from-pytorch.md"}
    nav += [f"docs/{p.name}" for p in sorted((pages / "docs").glob("*.md")) if f"docs/{p.name}" not in listed]
    nav += ["CONTRIBUTING.md", "CHANGELOG.md"]
    (folder / "mkdocs.yml").write_text(
        CONFIGURATION.lstrip() + "".join(f"  - {json.dumps(entry)}\n" for entry in nav)
    )


if __name__ == "__main__":
    main()

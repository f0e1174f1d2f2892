#!/usr/bin/env python3
"""Gathers the pages of the documentation site and writes the configuration of MkDocs beside them.

    make_docs.py FOLDER     FOLDER/pages and FOLDER/mkdocs.yml; `mkdocs build -f FOLDER/mkdocs.yml` makes the site

The pages are README.md, docs/*.md, the error pages, the tutorials with what their cells show, and the reference
(reference_pages.py): a page for each operation and function, with an example that is run, and an index for each family.
"""

import argparse
import base64
import json
import shutil
from pathlib import Path

from reference_pages import fenced, write_reference

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
# What pages point to outside of docs/.
LINKED = [
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "examples/digits.py",
    "examples/digits.cc",
    "tests/conformance/floors.json",
    "tests/python/provided_names.txt",
    "tests/python/scripts/spirals.py",
]

CONFIGURATION = """
site_name: Phlox
docs_dir: pages
site_dir: site
theme: readthedocs
use_directory_urls: false
validation: {links: {not_found: warn, unrecognized_links: warn}}
not_in_nav: /reference/*
markdown_extensions: [fenced_code, tables, toc]
nav:
"""


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


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    pages = folder / "pages"
    shutil.rmtree(pages, ignore_errors=True)
    shutil.copytree(DOCS, pages / "docs", ignore=shutil.ignore_patterns("Doxyfile", "*.dox", "*.ipynb"))
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
        {"Coming from NumPy": "docs/coming-from-numpy.md"},
    ]
    nav.append({"Operations": [{title: file} for title, file in write_reference(pages)]})
    errors = sorted(path.name for path in (pages / "docs" / "errors").glob("*.md"))
    nav.append({"Errors": [{Path(name).stem: f"docs/errors/{name}"} for name in errors]})
    listed = {"docs/coming-from-pytorch.md", "docs/coming-from-numpy.md"}
    nav += [f"docs/{p.name}" for p in sorted((pages / "docs").glob("*.md")) if f"docs/{p.name}" not in listed]
    nav += ["CONTRIBUTING.md", "CHANGELOG.md"]
    (folder / "mkdocs.yml").write_text(
        CONFIGURATION.lstrip() + "".join(f"  - {json.dumps(entry)}\n" for entry in nav)
    )


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Runs the cells of notebooks in order and writes what they show into them, or checks that it is there already.

    run_notebook.py FILE.ipynb...            runs and writes
    run_notebook.py --check FILE.ipynb...    runs and fails where a cell shows something else than is written

Cells tagged `raises-exception` must raise. What cells tagged `varies` show, such as times, is not compared. It needs
nothing but Python: a cell is compiled, run in the notebook's namespace, and its last expression shown in text, and in
HTML or as a PNG where the value offers that.
"""

import argparse
import ast
import base64
import json
import linecache
import os
import sys
import tempfile
import traceback
from contextlib import contextmanager
from pathlib import Path


class Failed(Exception):
    """A cell did what it should not."""


@contextmanager
def captured(outputs):
    """Adds what is written to the standard streams, also by C++, to `outputs`."""
    files, saved = {}, {}
    for name, number in (("stdout", 1), ("stderr", 2)):
        getattr(sys, name).flush()
        files[name], saved[name] = tempfile.TemporaryFile(), os.dup(number)
        os.dup2(files[name].fileno(), number)
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (open(n, "w", closefd=False, encoding="utf-8") for n in (1, 2))  # noqa: SIM115
    try:
        yield
    finally:
        sys.stdout.flush(), sys.stderr.flush()
        sys.stdout, sys.stderr = before
        for name, number in (("stdout", 1), ("stderr", 2)):
            os.dup2(saved[name], number)
            os.close(saved[name])
            files[name].seek(0)
            if text := files[name].read().decode():
                outputs.append(
                    {"output_type": "stream", "name": name, "text": text.splitlines(keepends=True)}
                )
            files[name].close()


def shown(value):
    """The forms of a value that notebooks choose from."""
    data = {"text/plain": repr(value).splitlines(keepends=True)}
    if hasattr(value, "_repr_html_"):
        data["text/html"] = value._repr_html_().splitlines(keepends=True)
    if hasattr(value, "_repr_png_"):
        data["image/png"] = base64.b64encode(value._repr_png_()).decode()
    return data


def run_cell(source, number, namespace):
    """Runs one cell; returns its outputs and the exception that ended it, if any."""
    name = f"cell {number}"
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    tree = ast.parse(source, name)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    outputs, results, error = [], [], None
    with captured(outputs):
        try:
            exec(compile(tree, name, "exec"), namespace)
            if last:
                value = eval(compile(ast.Expression(last.value), name, "eval"), namespace)
                if value is not None and not source.rstrip().endswith(";"):
                    results.append(shown(value))
        except Exception as raised:
            error = raised
    for data in results:
        outputs.append(
            {"output_type": "execute_result", "execution_count": number, "metadata": {}, "data": data}
        )
    if error:
        lines = traceback.format_exception_only(error)
        text = "".join(lines).rstrip().split("\n")
        kind = type(error).__name__
        outputs.append({"output_type": "error", "ename": kind, "evalue": str(error), "traceback": text})
    return outputs, error


def run(path, check):
    notebook = json.loads(path.read_text())
    namespace = {"__name__": "__main__"}
    number = 0
    folder = os.getcwd()
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(scratch)  # what cells save is not kept
        try:
            for cell in notebook["cells"]:
                if cell["cell_type"] != "code":
                    continue
                number += 1
                tags = cell["metadata"].get("tags", [])
                outputs, error = run_cell("".join(cell["source"]), number, namespace)
                if bool(error) != ("raises-exception" in tags):
                    found = "".join(traceback.format_exception(error)) if error else "nothing was raised"
                    raise Failed(f"{path}: cell {number}: {found}")
                if check and "varies" not in tags and cell["outputs"] != outputs:
                    was, now = json.dumps(cell["outputs"]), json.dumps(outputs)
                    raise Failed(f"{path}: cell {number} shows\n{now}\nand not\n{was}")
                cell["outputs"], cell["execution_count"] = outputs, number
        finally:
            os.chdir(folder)
    if not check:
        path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true")
    parser.add_argument("files", nargs="+", type=Path)
    options = parser.parse_args()
    for file in options.files:
        try:
            run(file.resolve(), options.check)
        except Failed as failure:
            sys.exit(str(failure))


if __name__ == "__main__":
    main()

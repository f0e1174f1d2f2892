"""The notebooks run, and show what is written in them."""

# shard: networks
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "docs" / "tutorials").glob("*.ipynb"))
RUNNER = ROOT / "tools" / "run_notebook.py"


def run(*options):
    command = [sys.executable, str(RUNNER), *map(str, options)]
    variables = {**os.environ, "PHLOX_NUM_THREADS": "1"}  # tests run side by side
    return subprocess.run(command, capture_output=True, text=True, env=variables)


def test_there_is_a_first_tutorial():
    assert "first_steps" in {notebook.stem for notebook in NOTEBOOKS}


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda notebook: notebook.stem)
def test_notebook_runs_and_shows_what_is_written(notebook):
    done = run("--check", notebook)
    assert done.returncode == 0, done.stdout + done.stderr
    assert notebook.stat().st_size < 100_000


def notebook_with(folder, source, tags=()):
    cell = {"cell_type": "code", "id": "a", "metadata": {"tags": list(tags)}, "source": source}
    cell |= {"outputs": [], "execution_count": None}
    path = folder / "a.ipynb"
    path.write_text(json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    return path


def test_the_runner_finds_what_is_wrong(tmp_path):
    assert "ZeroDivisionError" in run(notebook_with(tmp_path, ["1 / 0"])).stderr
    assert "nothing was raised" in run(notebook_with(tmp_path, ["1"], ["raises-exception"])).stderr
    assert "shows" in run("--check", notebook_with(tmp_path, ["1 + 1"])).stderr
    assert run("--check", notebook_with(tmp_path, ["1 + 1"], ["varies"])).returncode == 0


def test_the_runner_writes_what_cells_show(tmp_path):
    path = notebook_with(tmp_path, ["import os, phlox as px\n", "os.write(1, b'direct\\n')\n", "px.ones(2)"])
    assert run(path).returncode == 0
    stream, result = json.loads(path.read_text())["cells"][0]["outputs"]
    assert stream == {"output_type": "stream", "name": "stdout", "text": ["direct\n"]}
    assert (
        result["data"]["text/plain"] == ["tensor([1., 1.])"] and "<table>" in result["data"]["text/html"][0]
    )
    assert run("--check", path).returncode == 0

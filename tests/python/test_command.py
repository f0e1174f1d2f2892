"""The command `phlox`, as `python -m phlox` starts it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import phlox as px


def phlox(*words):
    environment = {**os.environ, "PYTHONPATH": str(Path(px.__file__).parents[1])}
    return subprocess.run(
        [sys.executable, "-m", "phlox", *words], capture_output=True, text=True, env=environment
    )


@pytest.mark.parametrize("words", [[], ["help"], ["--help"]])
def test_without_a_task_it_says_what_there_is(words):
    done = phlox(*words)
    assert done.returncode == 0 and not done.stderr
    assert all(command in done.stdout for command in ("op", "help", "doctor", "phlox op explain gelu"))


def test_help_lists_its_topics():
    """Every environment variable that the library reads is among them."""
    root = Path(__file__).parents[2]
    read = {
        name
        for file in (root / "src" / "phlox").rglob("*.cc")
        for name in re.findall(r'getenv\("(PHLOX_\w+)"\)', file.read_text())
    }
    text = phlox("help").stdout
    assert len(read) >= 3 and all(name in text for name in read) and "phlox doctor" in text
    assert "PHLOX_NUM_THREADS" in phlox("help", "threads").stdout


def test_its_pages():
    assert "all is well" in phlox("doctor").stdout
    assert "px.nn.functional.gelu(input, approximate='none')" in phlox("op", "explain", "gelu").stdout
    assert phlox("op", "explain", "arctan").stdout.startswith("atan(")
    assert "softmax" in phlox("op", "list", "softmax").stdout
    assert phlox("--version").stdout.strip() == px.__version__


@pytest.mark.parametrize("words, said", [(["nonsense"], "nonsense"), (["doctor", "now"], '"now"')])
def test_what_it_does_not_understand(words, said):
    done = phlox(*words)
    assert done.returncode == 2 and said in done.stderr and "doctor" in done.stderr


def test_a_misspelt_operation():
    done = phlox("op", "explain", "sigmod")
    assert done.returncode == 1 and "sigmoid" in done.stderr

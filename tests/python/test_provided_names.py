"""The names that users of other libraries reach for: each is there, or docs/not-provided.md says why it is not."""

# shard: tensors
import re
from functools import reduce
from pathlib import Path

import pytest

import phlox as px

ROOT = Path(__file__).parents[2]
NAMESPACES = [
    px,
    px.Tensor,
    px.nn.functional,
    px.linalg,
    px.fft,
    px.special,
    px.signal,
    px.sparse,
    px.ragged,
    px.nested,
    px.masked,
    px.func,
    px.autograd,
    px.utils.checkpoint,
    px.random,
    px.vision,
    px.io,
]


def listed():
    text = (ROOT / "tests" / "python" / "provided_names.txt").read_text()
    lines = [line for line in text.splitlines() if line and line[0] not in "#["]
    return " ".join(lines).split()


def left_out():
    """The names in the first column of the tables of docs/not-provided.md."""
    page = (ROOT / "docs" / "not-provided.md").read_text()
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    return {name for row in rows for name in re.findall(r"`([\w.]+)`", row)}


def is_there(name):
    parts = re.sub("^window", "signal.windows", name).split(".")
    for namespace in NAMESPACES:
        try:
            reduce(getattr, parts, namespace)
        except AttributeError:
            continue
        return True
    return False


def test_list_is_whole():
    assert len(listed()) == len(set(listed())) == 713


@pytest.mark.parametrize("name", listed())
def test_name_is_there_or_left_out_with_a_reason(name):
    assert is_there(name) or name in left_out()


def test_what_is_left_out_has_a_reason():
    page = (ROOT / "docs" / "not-provided.md").read_text()
    for line in page.splitlines():
        if line.startswith("| `"):
            assert len(line.split("|")[2].split()) >= 4, line


def test_modules_of_distances():
    x, y = px.tensor([[1.0, 0.0], [0.0, 2.0]]), px.tensor([[1.0, 1.0], [3.0, 2.0]])
    distance = px.nn.PairwiseDistance(p=1.0, eps=0.0, keepdim=True)
    assert distance(x, y).tolist() == [[1.0], [3.0]] and repr(distance) == "PairwiseDistance(p=1.0)"
    similarity = px.nn.CosineSimilarity(dim=0)
    px.testing.assert_close(similarity(x, y), px.nn.functional.cosine_similarity(x, y, dim=0))
    assert px.nn.CosineSimilarity().dim == 1

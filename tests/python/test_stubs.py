"""The stubs name everything that the library has, and type checkers accept an ordinary program."""

import ast
import subprocess
import sys
from pathlib import Path

import phlox as px

FOLDER = Path(px.__file__).parent

PROGRAM = """
import phlox as px
import phlox.nn.functional as F


def train(steps: int) -> float:
    w = px.zeros(3, 1, requires_grad=True)
    x, y = px.ones(8, 3), px.zeros(8, 1)
    loss = px.zeros(())
    for _ in range(steps):
        loss = ((x @ w - y) ** 2).mean()
        loss.backward()
        with px.no_grad():
            assert w.grad is not None
            w -= 0.1 * w.grad
        w.grad = None
    values, indices = x.amax(1), x.unbind(0)
    shape: tuple[int, ...] = x.shape
    print(x[1:, None].sum(dim=0, keepdim=True).relu().to(px.float64).dtype, F.relu(x), shape, px.pi, values, indices)
    return float(loss.item())


@px.no_grad()
def evaluate(x: px.Tensor) -> px.Tensor:
    return px.where(x > 0, x, 0.0)


train(3)
evaluate(px.tensor([1, 2], dtype=px.float32))
"""

WRONG = """
import phlox as px

px.relu("a")
px.zeros(2).transpose()
px.no_such_operation(1)
"""


def declared(body):
    names = set()
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
        elif isinstance(node, ast.Assign):
            names.update(t.id for t in node.targets if isinstance(t, ast.Name))
    return names


def test_complete():
    tree = ast.parse((FOLDER / "__init__.pyi").read_text())
    found = declared(tree.body)
    modules = {"autograd", "nn", "errors", "memory", "cuda", "linalg", "fft", "special"}
    loaded = {name for name, value in vars(px).items() if type(value) is type(px)}
    missing = {name for name in vars(px) if not name.startswith("_")} - found - modules - loaded
    assert not missing
    tensor = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Tensor")
    missing = {name for name in vars(px.Tensor) if not name.startswith("_")} - declared(tensor.body)
    assert not missing
    assert (FOLDER / "py.typed").exists()


def check(program, folder):
    (folder / "program.py").write_text(program)
    command = [sys.executable, "-m", "mypy", "--no-incremental", "--strict-equality", folder / "program.py"]
    return subprocess.run(
        command, capture_output=True, text=True, env={"MYPYPATH": str(FOLDER.parent), "PATH": ""}, cwd=folder
    )


def test_type_checker(tmp_path):
    done = check(PROGRAM, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    subprocess.run([sys.executable, program], check=True, capture_output=True)


def test_type_checker_finds_mistakes(tmp_path):
    lines = check(WRONG, tmp_path).stdout.split("\n")
    for number in (4, 5, 6):
        assert any(f"program.py:{number}: error" in line for line in lines), lines

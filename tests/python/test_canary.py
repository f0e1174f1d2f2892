"""One new file under src/phlox/ops is all it takes: the operation is then everywhere.

A copy of the repository gets a pointwise operation and a composite, is built, and both are looked for in C++ (linked
shared and statically), Python, stubs, documentation, gradients and the generated tests.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

POINTWISE = """// One operation, to prove that one file is enough.

PHLOX_BEGIN_POINTWISE

struct Canary : Unary<1> {
  static constexpr PointwiseTraits traits{.doc = "Sings: `input * input + pitch`.",
                                          .source = "the mines of Wales",
                                          .types = PointwiseTypes::numeric,
                                          .reference = "input * input + pitch"};
  PHLOX_INLINE static constexpr auto body(auto x, auto pitch) { return x * x + pitch; }
};
PHLOX_POINTWISE(canary, Canary, (const Tensor& input, double pitch = 3))

PHLOX_END_POINTWISE
"""

COMPOSITE = """#include "phlox/ops/functions.h"
#include "phlox/ops/registry/operation.h"

namespace phlox {

PHLOX_OPERATION(Tensor, canary_choir, (const Tensor& input, std::int64_t dim = 0),
                .doc = "Many canaries, added up.", .family = Family::reduction, .home = "nn.functional",
                .samples = "canary_choir(A(3, 4)); canary_choir(A(3, 4), dim=1)",
                .reference = "(input * input + 3).sum(dim)") {
  return sum(canary(input), dim);
}

}  // namespace phlox
"""

PROGRAM = """#include <phlox/ops/functions.h>
#include <phlox/ops/registry/operation.h>

#include <cstdio>

int main() {
  phlox::Tensor x(phlox::Scalar(2.0));
  x.set_requires_grad();
  const phlox::Tensor y = phlox::canary(x);
  y.backward();
  phlox::Tensor z = x.detach().canary(1.0);
  z.canary_();
  std::printf("%g %g %g %s", y.item<double>(), x.grad().item<double>(), z.item<double>(),
              phlox::find_operation("canary_choir")->doc());
}
"""

BUILD = """cmake_minimum_required(VERSION 3.25)
project(Canary LANGUAGES C CXX)
set(PHLOX_PYTHON ON)
add_subdirectory(phlox)
foreach(kind IN ITEMS shared static)
  add_executable(canary_${kind} canary.cc)
  add_dependencies(canary_${kind} phlox_declarations)
endforeach()
target_link_libraries(canary_shared PRIVATE phlox)
target_link_libraries(canary_static PRIVATE phlox_static)
"""

CHECK = """
import inspect
from pathlib import Path
import phlox as px
import phlox.nn.functional as F

x = px.tensor([1.0, 2.0], requires_grad=True)
assert px.canary(x).tolist() == x.canary(3).tolist() == [4.0, 7.0]
px.canary(x, pitch=1).sum().backward()
assert x.grad.tolist() == [2.0, 4.0]
assert x.detach().clone().canary_().tolist() == [4.0, 7.0]
assert F.canary_choir is px.canary_choir and x.canary_choir().item() == 11
assert "mines of Wales" in px.canary.__doc__ and list(inspect.signature(px.canary).parameters)[:2] == ["input", "pitch"]
assert px.canary in px.operations()
stub = (Path(px.__file__).parent / "__init__.pyi").read_text()
for line in ("def canary(", "    def canary(", "    def canary_(", "def canary_choir("):
    assert "\\n" + line in stub, line
"""


@pytest.mark.slow
def test_canary(tmp_path):
    tree = tmp_path / "phlox"
    files = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True
    )
    for name in files.stdout.splitlines():
        if (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tree / name)
    (tree / "src/phlox/ops/pointwise/canary.h").write_text(POINTWISE)
    (tree / "src/phlox/ops/canary_choir.cc").write_text(COMPOSITE)
    (tmp_path / "canary.cc").write_text(PROGRAM)
    (tmp_path / "CMakeLists.txt").write_text(BUILD)

    build = tmp_path / "build"
    environment = {**os.environ, "CCACHE_BASEDIR": str(tree)}

    def run(*command, **options):
        done = subprocess.run(command, capture_output=True, text=True, env=environment, **options)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout

    run("cmake", "-G", "Ninja", "-S", tmp_path, "-B", build, f"-DPython_EXECUTABLE={sys.executable}",
        "-DCMAKE_BUILD_TYPE=Release")  # fmt: skip
    run("ninja", "-C", build, "_phlox", "phlox_stubs", "canary_shared", "canary_static")
    for kind in ("shared", "static"):
        assert run(build / f"canary_{kind}") == "7 4 28 Many canaries, added up."
    package = next(build.rglob("_phlox.*.so")).parent.parent
    environment["PYTHONPATH"] = str(package)
    run(sys.executable, "-c", CHECK)
    tests = tree / "tests" / "python" / "test_operations.py"
    assert "passed" in run(sys.executable, "-m", "pytest", "-q", "-k", "canary", "-m", "", tests, cwd=tree)

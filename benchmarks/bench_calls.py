"""What one call costs from Python on ten floats."""

from side_by_side import Case, compare

PLAIN = "a = m.ones(10); b = m.ones(10); mask = b > 0"
GRADIENT = "a = m.ones(10, requires_grad=True)"
LAYER = (
    "class Identity(nn.Module):\n"
    "    def forward(self, x):\n"
    "        return x\n"
    "net = Identity(); a = m.ones(10)"
)

CASES = [
    Case("a + a", PLAIN, "a + a", aim=8, nanoseconds=100, threads=1),
    Case("a + a, recorded", GRADIENT, "a + a", aim=8, nanoseconds=150, threads=1),
    Case("a + 1.5", PLAIN, "a + 1.5", aim=8, threads=1),
    Case("relu(a)", PLAIN, "m.relu(a)", aim=8, threads=1),
    Case("relu(a), recorded", GRADIENT, "m.relu(a)", aim=8, threads=1),
    Case("a[1:3]", PLAIN, "a[1:3]", aim=8, threads=1),
    Case("a[3]", PLAIN, "a[3]", aim=8, threads=1),
    Case("Module.__call__", LAYER, "net(a)", aim=8, threads=1),
    Case("a > 0", PLAIN, "a > 0", threads=1),
    Case("a.add_(b)", PLAIN, "a.add_(b)", threads=1),
    Case("a[0] = 1.0", PLAIN, "a[0] = 1.0", threads=1),
    Case("a.reshape(2, 5)", PLAIN, "a.reshape(2, 5)", threads=1),
    Case("a.sum()", PLAIN, "a.sum()", threads=1),
    Case("a.sum(dim=0, keepdim=True)", PLAIN, "a.sum(dim=0, keepdim=True)", threads=1),
    Case("where(mask, a, b)", PLAIN, "m.where(mask, a, b)", threads=1),
    Case("a.shape", PLAIN, "a.shape", threads=1),
    Case("zeros(10)", PLAIN, "m.zeros(10)", threads=1),
]

if __name__ == "__main__":
    compare("Small calls", __file__, CASES)

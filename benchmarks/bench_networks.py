"""Convolutions, matrix products, normalisations and whole training steps."""

from side_by_side import Case, compare


def convolution(title, n, c, size, out, kernel, stride=1, groups=1, aim=1.3):
    """Forward and backward, beside PyTorch's default layout and its channels-last."""
    padding = kernel // 2
    setup = (
        f"x = m.rand({n}, {c}, {size}, {size}, requires_grad=True)\n"
        f"w = m.rand({out}, {c // groups}, {kernel}, {kernel}, requires_grad=True)"
    )
    statement = f"F.conv2d(x, w, None, {stride}, {padding}, 1, {groups})"
    place = size // stride
    operations = 2 * n * out * place * place * (c // groups) * kernel * kernel
    backward = f"x.grad = w.grad = None; {statement}.sum().backward()"
    channels_last = (
        f"x = m.rand({n}, {c}, {size}, {size}).contiguous(memory_format=m.channels_last).requires_grad_()\n"
        f"w = m.rand({out}, {c // groups}, {kernel}, {kernel})"
        ".contiguous(memory_format=m.channels_last).requires_grad_()"
    )
    return [
        Case(f"{title}, forward", setup, f"with m.no_grad(): {statement}", aim=aim, done=operations),
        Case(f"{title}, training", setup, backward, aim=aim, done=3 * operations),
        Case(f"{title}, training, beside channels-last", setup, backward, peer_setup=channels_last),
    ]


def product(n):
    return Case(
        f"matrix product, {n}",
        f"a = m.rand({n}, {n}); b = m.rand({n}, {n})",
        "a @ b",
        aim=0.95,
        done=2 * n**3,
    )


def normalisation(title, setup, call):
    """Forward without gradients, and forward with backward."""
    return [
        Case(f"{title}, forward", setup, f"with m.no_grad(): {call}"),
        Case(f"{title}, training", setup, f"x.grad = None; {call}.backward(g)"),
    ]


IMAGES = "x = m.rand(32, 64, 56, 56, requires_grad=True); g = m.rand(32, 64, 56, 56);"
LAST_IMAGES = (
    "x = m.rand(32, 56, 56, 64).permute(0, 3, 1, 2).requires_grad_();"
    "g = m.rand(32, 56, 56, 64).permute(0, 3, 1, 2);"
)

DIGITS = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, 3, padding=1)
        self.conv2 = nn.Conv2d(32, 64, 3, padding=1)
        self.dropout = nn.Dropout(0.3)
        self.head = nn.Linear(64 * 4 * 4, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv2(F.relu(self.conv1(x)))), 2)
        return self.head(self.dropout(x.flatten(1)))

net, x, y = Net(), m.rand(64, 1, 8, 8), m.randint(0, 10, (64,))
"""
LAYERS = """
net = nn.Sequential(nn.Linear(256, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(),
                    nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10))
x, y = m.rand(128, 256), m.randint(0, 10, (128,))
"""
STEP = """
optimizer = m.optim.AdamW(net.parameters(), lr=1e-3)
def step():
    optimizer.zero_grad()
    loss = F.cross_entropy(net(x), y)
    loss.backward()
    optimizer.step()
"""

CASES = [
    *convolution("convolution 64x16x32x32 -> 32, 3x3", 64, 16, 32, 32, 3),
    *convolution("convolution 8x64x56x56 -> 64, 3x3", 8, 64, 56, 64, 3),
    *convolution("convolution 8x256x14x14 -> 1024, 1x1", 8, 256, 14, 1024, 1),
    *convolution("convolution 16x96x56x56, depthwise", 16, 96, 56, 96, 3, groups=96),
    *(product(n) for n in (64, 128, 256, 512, 1024, 2048, 4096)),
    *normalisation("layer norm 4096x768", "x = m.rand(4096, 768, requires_grad=True); g = m.rand(4096, 768);"
                   "w = m.rand(768); b = m.rand(768)", "F.layer_norm(x, (768,), w, b)"),
    *normalisation("batch norm 32x64x56x56", IMAGES + "net = nn.BatchNorm2d(64)", "net(x)"),
    *normalisation("batch norm, channels-last", LAST_IMAGES + "net = nn.BatchNorm2d(64)", "net(x)"),
    *normalisation("group norm 32x64x56x56", IMAGES + "net = nn.GroupNorm(8, 64)", "net(x)"),
    *normalisation("softmax 4096x1024", "x = m.rand(4096, 1024, requires_grad=True); g = m.rand(4096, 1024)",
                   "m.softmax(x, 1)"),
    Case("training step, digits network", DIGITS + STEP, "step()", aim=1.3, items=64, memory=True),
    Case("training step, four layers", LAYERS + STEP, "step()", aim=1.3, items=128, memory=True),
]  # fmt: skip

if __name__ == "__main__":
    compare("Networks", __file__, CASES)

"""An ordinary program, which `mypy --strict` accepts."""

from __future__ import annotations

import phlox.nn.functional as F
from phlox.optim.lr_scheduler import CosineAnnealingLR
from phlox.utils.data import DataLoader, Dataset, Subset, TensorDataset, random_split

import phlox as px
from phlox import nn, optim


def regression(steps: int) -> float:
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
    print(
        x[1:, None].sum(dim=0, keepdim=True).relu().to(px.float64).dtype,
        F.relu(x),
        shape,
        px.pi,
        values,
        indices,
    )
    return float(loss.item())


class Squares(Dataset[tuple[px.Tensor, int]]):
    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> tuple[px.Tensor, int]:
        return px.tensor([float(index)]), index * index


class Net(nn.Module):
    def __init__(self, classes: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, kernel_size=3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.body = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Dropout(0.1))
        self.head = nn.Linear(8, classes, bias=False)
        self.scale = nn.Parameter(px.ones(classes))

    def forward(self, x: px.Tensor) -> px.Tensor:
        x = px.max_pool2d(F.relu(self.norm(self.conv(x))), 2)
        hidden: px.Tensor = self.body(x.mean((2, 3)))
        return self.head(hidden) * self.scale


def train(net: Net, loader: DataLoader, steps: int) -> float:
    optimizer = optim.AdamW(net.parameters(), lr=1e-3, betas=(0.9, 0.99))
    schedule = CosineAnnealingLR(optimizer, T_max=steps)
    criterion = nn.CrossEntropyLoss(label_smoothing=0.1)
    loss = px.zeros(())
    for images, labels in loader:
        optimizer.zero_grad()
        loss = criterion(net(images), labels)
        loss.backward()
        norm: px.Tensor = nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        assert float(norm.item()) >= 0
        optimizer.step()
        schedule.step()
    for group in optimizer.param_groups:
        group["lr"] = 0.5
    return float(loss.item())


@px.no_grad()
def evaluate(net: Net, data: TensorDataset) -> float:
    net.eval()
    images, labels = data.tensors
    return px.metrics.accuracy(net(images), labels)


def main() -> None:
    px.manual_seed(0)
    print(regression(3))
    data = TensorDataset(px.randn(8, 1, 6, 6), px.arange(8) % 2)
    net = Net(2).to(px.float32).train()
    nn.init.zeros_(net.head.weight)
    first, second = random_split(Squares(), [6, 2])
    both: Subset[tuple[px.Tensor, int]] = first
    image, square = both[0]
    print(image.shape, square + 1, len(second))
    print(train(net, DataLoader(data, batch_size=4, shuffle=True, num_workers=1), 2), evaluate(net, data))
    names: list[str] = [name for name, _ in net.named_parameters()]
    state: dict[str, px.Tensor] = net.state_dict()
    missing: list[str] = net.load_state_dict(state).missing_keys
    (gradient,) = px.autograd.grad((net.scale**2).sum(), net.scale)
    with px.no_grad(), px.inference_mode():
        print(
            px.where(gradient > 0, gradient, 0.0),
            names,
            missing,
            net.conv.in_channels + 1,
            px.finfo(px.float32).eps,
        )
    handle = net.head.register_forward_hook(lambda module, arguments, output: None)
    handle.remove()


main()

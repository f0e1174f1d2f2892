# A script as PyTorch users write them. Only the imports are of Phlox.
import argparse
import copy
import json
import math

import phlox.nn.functional as F
from phlox.utils.data import DataLoader, Dataset, random_split

import phlox as torch
import phlox.nn as nn
import phlox.optim as optim
from phlox.optim import lr_scheduler


class Spirals(Dataset):
    def __init__(self, count, transform=None):
        t = torch.rand(count) * 3 * math.pi
        self.targets = torch.randint(0, 2, (count,))
        sign = torch.where(self.targets == 0, 1.0, -1.0)
        self.data = torch.stack([sign * t * torch.cos(t), sign * t * torch.sin(t)], dim=1)
        self.transform = transform

    def __len__(self):
        return len(self.data)

    def __getitem__(self, index):
        x, y = self.data[index], self.targets[index]
        if self.transform:
            x = self.transform(x)
        return x, y


class Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(width, width), nn.LayerNorm(width), nn.GELU(), nn.Dropout(p=0.1)
        )
        self.register_buffer("scale", torch.ones(1))
        self.gain = nn.Parameter(torch.zeros(width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.layers(x) * self.scale * (1 + self.gain)


class Net(nn.Module):
    def __init__(self, width=32, depth=2):
        super().__init__()
        self.embed = nn.Linear(2, width)
        self.blocks = nn.ModuleList([Block(width) for _ in range(depth)])
        self.head = nn.Linear(width, 2, bias=False)
        self.apply(self._init)

    @staticmethod
    def _init(m):
        if isinstance(m, nn.Linear):
            nn.init.xavier_uniform_(m.weight)
            if m.bias is not None:
                nn.init.zeros_(m.bias)

    def forward(self, x):
        x = F.relu(self.embed(x))
        for block in self.blocks:
            x = block(x)
        return self.head(x)


def train(args, model, device, train_loader, optimizer, scheduler, epoch):
    model.train()
    for batch_idx, (data, target) in enumerate(train_loader):
        data, target = data.to(device), target.to(device, non_blocking=True)
        optimizer.zero_grad()
        output = model(data)
        loss = F.nll_loss(F.log_softmax(output, dim=1), target)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm=5.0)
        optimizer.step()
        scheduler.step()
        if batch_idx % args.log_interval == 0:
            seen = batch_idx * len(data)
            print(f"Train Epoch: {epoch} [{seen}/{len(train_loader.dataset)}]\tLoss: {loss.item():.6f}")


def test(model, device, test_loader):
    model.eval()
    test_loss, correct = 0, 0
    with torch.no_grad():
        for data, target in test_loader:
            data, target = data.to(device), target.to(device)
            output = model(data)
            test_loss += F.cross_entropy(output, target, reduction="sum").item()
            pred = output.argmax(dim=1, keepdim=True)
            correct += pred.eq(target.view_as(pred)).sum().item()
    test_loss /= len(test_loader.dataset)
    print(f"Test set: Average loss: {test_loss:.4f}, Accuracy: {correct}/{len(test_loader.dataset)}")
    return correct / len(test_loader.dataset)


def main():
    parser = argparse.ArgumentParser(description="Two spirals")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--lr", type=float, default=1e-2)
    parser.add_argument("--log-interval", type=int, default=5)
    args = parser.parse_args()
    use_cuda = torch.cuda.is_available()
    torch.manual_seed(1)
    device = torch.device("cuda" if use_cuda else "cpu")
    torch.backends.cudnn.benchmark = True

    whole = Spirals(600, transform=lambda x: x / 5)
    split = torch.Generator().manual_seed(42)
    train_set, test_set = random_split(whole, [500, 100], generator=split)
    train_loader = DataLoader(
        train_set, batch_size=50, shuffle=True, num_workers=0, pin_memory=use_cuda, drop_last=True
    )
    test_loader = DataLoader(test_set, batch_size=100)

    model = Net().to(device)
    average = copy.deepcopy(model)
    print(model)
    print(sum(p.numel() for p in model.parameters() if p.requires_grad), "parameters")
    decay = [p for n, p in model.named_parameters() if p.dim() > 1]
    rest = [p for n, p in model.named_parameters() if p.dim() <= 1]
    optimizer = optim.AdamW(
        [{"params": decay, "weight_decay": 0.05}, {"params": rest, "weight_decay": 0.0}],
        lr=args.lr,
        betas=(0.9, 0.98),
    )
    scheduler = lr_scheduler.CosineAnnealingLR(optimizer, T_max=args.epochs * len(train_loader))
    best = 0.0
    for epoch in range(1, args.epochs + 1):
        train(args, model, device, train_loader, optimizer, scheduler, epoch)
        accuracy = test(model, device, test_loader)
        with torch.no_grad():
            for p, q in zip(average.parameters(), model.parameters()):
                p.mul_(0.9).add_(q.detach(), alpha=0.1)
        if accuracy > best:
            best = accuracy
            torch.save(model.state_dict(), "best.pt")
    assert abs(optimizer.param_groups[0]["lr"]) < 1e-9

    checkpoint = {
        "epoch": epoch,
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "scheduler": scheduler.state_dict(),
    }
    torch.save(checkpoint, "checkpoint.pt")
    checkpoint = torch.load("checkpoint.pt", map_location=device)
    model.load_state_dict(checkpoint["model"])
    optimizer.load_state_dict(checkpoint["optimizer"])
    scheduler.load_state_dict(checkpoint["scheduler"])
    assert checkpoint["epoch"] == args.epochs

    fresh = Net().to(device)
    fresh.load_state_dict(torch.load("best.pt", weights_only=True))
    assert test(fresh, device, test_loader) == best
    print(json.dumps({"best": best, "average": test(average, device, test_loader)}))


if __name__ == "__main__":
    main()

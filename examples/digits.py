"""digits.py [FILE]            learns handwritten digits and saves the network to FILE
digits.py --predict FILE    loads FILE and prints what it reads on the digits it has not seen"""

import argparse

import phlox as px
from phlox import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, 3, padding=1)
        self.conv2 = nn.Conv2d(32, 64, 3, padding=1)
        self.dropout = nn.Dropout(0.3)
        self.head = nn.Linear(64 * 4 * 4, 10)

    def forward(self, x):
        x = px.max_pool2d(px.relu(self.conv2(px.relu(self.conv1(x)))), 2)
        return self.head(self.dropout(px.adaptive_avg_pool2d(x, 4).flatten(1)))


def learn(net, train, images, labels, epochs=20):
    batches = px.data.DataLoader(train, batch_size=64, shuffle=True)
    optimizer = px.optim.AdamW(net.parameters(), lr=3e-3)
    schedule = px.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * len(batches))
    for _ in (bar := px.data.progress(epochs, unit="images")):
        net.train()
        for x, y in batches:
            loss = px.cross_entropy(net(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            bar.count(len(x))
            bar.set("loss", loss.item())
        accuracy = (read(net, images) == labels).float().mean().item()
        bar.set("accuracy", accuracy)
    return accuracy


@px.no_grad()
def read(net, images):
    return net.eval()(images).argmax(1)


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
parser.add_argument("file", nargs="?", default="digits.safetensors")
parser.add_argument("--predict", action="store_true")
parser.add_argument("--data", metavar="DIR", help="a folder with files in the format of MNIST")
parser.add_argument("--seeds", type=int, default=1, help="learn so many times and print the mean accuracy")
options = parser.parse_args()

train, test = px.data.digits_from_idx(options.data) if options.data else px.data.digits().split(0.8)
images, labels = next(iter(px.data.DataLoader(test, batch_size=len(test))))
if options.predict:
    net = Net()
    net.load_state_dict(px.load(options.file))
    print(*read(net, images).tolist(), sep="\n")
else:
    accuracies = []
    for seed in range(options.seeds):
        px.manual_seed(seed)
        accuracies.append(learn(net := Net(), train, images, labels))
    print(f"accuracy on {len(test)} held-out digits: {sum(accuracies) / len(accuracies):.2%}")
    px.save(net.state_dict(), options.file)

"""digits.py [--save FILE]     learns handwritten digits, saves the network and draws digits.png
digits.py --predict FILE    prints what the saved network reads on the digits that it has not seen"""

import argparse
from contextlib import suppress

import phlox as px
from phlox import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, 3, padding=1)
        self.conv2 = nn.Conv2d(32, 64, 3, padding=1)
        self.head = nn.Linear(64 * 4 * 4, 10)

    def forward(self, x):
        x = px.relu(self.conv2(px.relu(self.conv1(x))))
        return self.head(px.adaptive_max_pool2d(x, 4).flatten(1))


def learn(net, train, images, labels, epochs=30):
    batches = px.data.DataLoader(train, batch_size=64, shuffle=True)
    criterion = nn.CrossEntropyLoss(label_smoothing=0.1)
    optimizer = px.optim.AdamW(net.parameters(), lr=3e-3)
    schedule = px.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * len(batches))
    for _ in (bar := px.progress(epochs, unit="images")):
        for x, y in batches:
            loss = criterion(net(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            bar.count(len(x))
            bar.set("loss", loss.item())
        bar.set("accuracy", px.metrics.accuracy(px.predict(net, images), labels))


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
parser.add_argument("--save", default="digits.safetensors", metavar="FILE")
parser.add_argument("--predict", metavar="FILE")
parser.add_argument("--seed", type=int, default=0, metavar="N")
parser.add_argument("--data", metavar="DIR", help="a folder with files in the format of MNIST")
options = parser.parse_args()

px.manual_seed(options.seed)
train, test = px.data.digits_from_idx(options.data) if options.data else px.data.digits().split(0.8)
images, labels = next(iter(px.data.DataLoader(test, batch_size=len(test))))
net = Net()
if options.predict:
    net.load_state_dict(px.load(options.predict))
    print(*px.predict(net, images).argmax(1).tolist(), sep="\n")
else:
    with suppress(KeyboardInterrupt):  # Ctrl-C ends learning early
        learn(net, train, images, labels)
    px.save(net.state_dict(), options.save)
    px.io.save_png(px.vision.draw_predictions(images, labels, px.predict(net, images)), "digits.png")

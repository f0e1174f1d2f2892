"""Whole training steps of well-known networks: forward, loss, backward, SGD. The same lines run in both libraries."""

from side_by_side import Case, compare

RESNET = """
class Bottleneck(nn.Module):
    def __init__(self, inputs, width, stride):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inputs, width, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = nn.Conv2d(width, 4 * width, 1, bias=False), nn.BatchNorm2d(4 * width)
        self.shortcut = nn.Identity()
        if stride != 1 or inputs != 4 * width:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, 4 * width, 1, stride, bias=False),
                                          nn.BatchNorm2d(4 * width))

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        return F.relu(self.bn3(self.conv3(y)) + self.shortcut(x))

def stage(inputs, width, blocks, stride):
    first = Bottleneck(inputs, width, stride)
    return nn.Sequential(first, *(Bottleneck(4 * width, width, 1) for _ in range(blocks - 1)))

net = nn.Sequential(
    nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1),
    stage(64, 64, 3, 1), stage(256, 128, 4, 2), stage(512, 256, 6, 2), stage(1024, 512, 3, 2),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2048, 1000))
x, y = (m.rand(8, 3, 224, 224),), m.randint(0, 1000, (8,))
"""
MOBILENET = """
def normalised(inputs, outputs, kernel, stride=1, groups=1):
    return [nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
            nn.BatchNorm2d(outputs), nn.ReLU6(inplace=True)]

class InvertedResidual(nn.Module):
    def __init__(self, inputs, outputs, stride, expansion):
        super().__init__()
        hidden = inputs * expansion
        self.adds = stride == 1 and inputs == outputs
        self.layers = nn.Sequential(
            *(normalised(inputs, hidden, 1) if expansion > 1 else []),
            *normalised(hidden, hidden, 3, stride, groups=hidden),
            nn.Conv2d(hidden, outputs, 1, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        return x + self.layers(x) if self.adds else self.layers(x)

layers, inputs = normalised(3, 32, 3, 2), 32
for expansion, outputs, count, stride in ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2),
                                          (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)):
    for i in range(count):
        layers.append(InvertedResidual(inputs, outputs, stride if i == 0 else 1, expansion))
        inputs = outputs
net = nn.Sequential(*layers, *normalised(320, 1280, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                    nn.Dropout(0.2), nn.Linear(1280, 1000))
x, y = (m.rand(16, 3, 224, 224),), m.randint(0, 1000, (16,))
"""
GPT = """
class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        batch, length, width = x.shape
        parts = self.qkv(self.norm1(x)).reshape(batch, length, 3, self.heads, width // self.heads)
        q, k, v = parts.permute(2, 0, 3, 1, 4).unbind(0)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(mixed.transpose(1, 2).reshape(batch, length, width))
        return x + self.down(F.gelu(self.up(self.norm2(x))))

class GPT(nn.Module):
    def __init__(self, words=65, width=256, heads=8, layers=6, length=256):
        super().__init__()
        self.words, self.places = nn.Embedding(words, width), nn.Embedding(length, width)
        self.blocks = nn.Sequential(*(Block(width, heads) for _ in range(layers)))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, words)

    def forward(self, tokens):
        x = self.words(tokens) + self.places(m.arange(tokens.shape[1]))
        return self.head(self.norm(self.blocks(x))).flatten(0, 1)

net = GPT()
x, y = (m.randint(0, 65, (8, 256)),), m.randint(0, 65, (8 * 256,))
"""
STEP = """
optimizer = m.optim.SGD(net.parameters(), lr=0.01)
def step():
    optimizer.zero_grad()
    loss = F.cross_entropy(net(*x), y)
    loss.backward()
    optimizer.step()
"""

CASES = [
    Case("ResNet-50, 8 images", RESNET + STEP, "step()", items=8, memory=True),
    Case("MobileNetV2, 16 images", MOBILENET + STEP, "step()", items=16, memory=True),
    Case("GPT, 6 layers of 256, 2,048 tokens", GPT + STEP, "step()", items=2048, memory=True),
]

if __name__ == "__main__":
    compare("Networks that people train", __file__, CASES)

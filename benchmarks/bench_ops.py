"""Representative operations in three sizes, on rows that lie one after the other and on transposed ones.

Each operation is timed six times; the table shows PyTorch's time over Phlox's. The aims: a geometric mean of 1.3, and no
row below 0.8.
"""

from side_by_side import Case, compare_grid

SIZES = {"small": (8, 8), "medium": (256, 256), "large": (2048, 2048)}  # of matrices
LAYOUTS = {"": "m.rand({}, {})", " strided": "m.rand({1}, {0}).t()"}

# Statements about matrices x and y of one size, `n` columns, with positive elements.
ON_MATRICES = {
    "add": "x + y",
    "mul": "x * y",
    "div": "x / y",
    "add a row": "x + row",
    "maximum": "m.maximum(x, y)",
    "where": "m.where(mask, x, y)",
    "clamp": "m.clamp(x, 0.2, 0.8)",
    "exp": "m.exp(x)",
    "log": "m.log(x)",
    "sin": "m.sin(x)",
    "tanh": "m.tanh(x)",
    "sigmoid": "m.sigmoid(x)",
    "gelu": "F.gelu(x)",
    "pow": "x ** 2.5",
    "x > y": "x > y",
    "cast to f16": "x.to(m.float16)",
    "cast to i32": "x.to(m.int32)",
    "copy, row-major": "x.clone(memory_format=m.contiguous_format)",
    "sum": "x.sum()",
    "sum over rows": "x.sum(0)",
    "sum over columns": "x.sum(1)",
    "mean": "x.mean(1)",
    "var": "x.var(1)",
    "amax": "x.amax(1)",
    "argmax": "x.argmax(1)",
    "prod": "x.prod(1)",
    "any": "mask.any(1)",
    "norm": "m.linalg.vector_norm(x, 2, 1)",
    "logsumexp": "m.logsumexp(x, 1)",
    "cumsum": "x.cumsum(1)",
    "cumsum over rows": "x.cumsum(0)",
    "cumprod": "x.cumprod(1)",
    "sort": "x.sort(1)",
    "argsort over rows": "x.argsort(0)",
    "topk": "x.topk(4, 1)",
    "median": "x.median(1)",
    "unique": "few.unique()",
    "index_select": "x.index_select(0, rows)",
    "gather": "x.gather(1, places)",
    "scatter": "x.scatter(1, places, y)",
    "scatter_add": "x.scatter_add(1, places, y)",
    "index_add": "x.index_add(0, rows, y)",
    "masked_fill": "x.masked_fill(mask, 0.5)",
    "masked_select": "x[mask]",
    "nonzero": "mask.nonzero()",
    "embedding": "F.embedding(places[0], x)",
    "cat": "m.cat([x, y], 1)",
    "stack": "m.stack([x, y])",
    "flip": "x.flip(1)",
    "roll": "x.roll(3, 1)",
    "tril": "x.tril()",
    "pad": "F.pad(x, (1, 2, 1, 2))",
    "softmax": "x.softmax(1)",
    "log_softmax": "x.log_softmax(1)",
    "layer_norm": "F.layer_norm(x, (n,))",
    "cross_entropy": "F.cross_entropy(x, labels)",
    "mse_loss": "F.mse_loss(x, y)",
    "dropout": "F.dropout(x, 0.3)",
    "fft": "m.fft.fft(x)",
    "rfft over rows": "m.fft.rfft(x, dim=0)",
    "matmul": "x @ y",
}

# Others, with setups of their own: (small, medium, large).
BATCHES = "x = m.rand({0}, {1}, {2}){3}; y = m.rand({0}, {2}, {1}){3}"
IMAGES = "x = m.rand({0}, 16, {1}, {1}){2}; w = m.rand(16, 16, 3, 3)"
HEADS = "q = m.rand({0}, 4, {1}, 32){2}; k = m.rand({0}, 4, {1}, 32){2}; v = m.rand({0}, 4, {1}, 32){2}"
SYSTEMS = "a = m.rand({0}, {0}){1} + {0} * m.eye({0}); b = m.rand({0}, 4)"
ON_OTHERS = {
    "bmm": (BATCHES, [(4, 8, 8), (16, 64, 64), (16, 256, 256)], (".mT.contiguous().mT",), "x @ y"),
    "conv2d": (
        IMAGES,
        [(1, 8), (4, 32), (8, 128)],
        (".permute(0, 3, 1, 2).contiguous().permute(0, 2, 3, 1)",),
        "F.conv2d(x, w, padding=1)",
    ),
    "max_pool2d": (IMAGES, [(1, 8), (4, 32), (8, 128)], (".mT.contiguous().mT",), "F.max_pool2d(x, 2)"),
    "interpolate": (
        IMAGES,
        [(1, 8), (4, 32), (8, 128)],
        (".mT.contiguous().mT",),
        "F.interpolate(x, scale_factor=2, mode='bilinear')",
    ),
    "attention": (
        HEADS,
        [(1, 16), (2, 128), (4, 512)],
        (".mT.contiguous().mT",),
        "F.scaled_dot_product_attention(q, k, v)",
    ),
    "solve": (SYSTEMS, [(4,), (64,), (512,)], (".t().contiguous().t()",), "m.linalg.solve(a, b)"),
    "cholesky": (
        "a = m.rand({0}, {0}){1}; a = a @ a.t() + {0} * m.eye({0})",
        [(4,), (64,), (512,)],
        (".t().contiguous().t()",),
        "m.linalg.cholesky(a)",
    ),
}


def cases_of_matrices() -> dict[str, list[Case]]:
    rows = {}
    for title, statement in ON_MATRICES.items():
        rows[title] = []
        for height, width in SIZES.values():
            for tensor in LAYOUTS.values():
                new = tensor.format(height, width)
                setup = f"x = {new}; y = {new}; n = {width}; row = m.rand(n); mask = x > 0.5"
                setup += f"; few = (x * 100).to(m.int64); rows = m.randperm({height})"
                setup += f"; places = m.argsort(m.rand({height}, n), 1); labels = places[:, 0].contiguous()"
                rows[title].append(Case(title, setup, statement))
    return rows


def cases_of_others() -> dict[str, list[Case]]:
    rows = {}
    for title, (setup, sizes, strided, statement) in ON_OTHERS.items():
        rows[title] = [
            Case(title, setup.format(*size, layout), statement) for size in sizes for layout in ("", *strided)
        ]
    return rows


if __name__ == "__main__":
    columns = [f"{size}{layout}" for size in SIZES for layout in LAYOUTS]
    compare_grid(
        "Operations", __file__, columns, cases_of_matrices() | cases_of_others(), mean=1.3, least=0.8
    )

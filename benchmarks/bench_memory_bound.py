"""Operations whose time is the time of reading and writing memory, on 64 MB."""

from side_by_side import Case, compare

N = 16 * 1024 * 1024  # floats: 64 MB
F32 = 4 * N
FLAT = f"x = m.rand({N}); y = m.rand({N}); mask = x > 0.5"
ROWS = "x = m.rand(4096, 4096)"
SHORT_ROWS = "x = m.rand(262144, 64)"
IMAGES = "x = m.rand(16, 64, 128, 128)"
CHANNELS_LAST = "x = m.rand(16, 128, 128, 64).permute(0, 3, 1, 2)"
CHAIN = "((((((((((x + y) * y) - 0.5).relu() * 0.5) + y).abs() + 1.0) * x) - y) * 2.0).relu())"

CASES = [
    Case("copy", FLAT, "x.clone()", moved=2 * F32),
    Case("copy, transposed", ROWS, "x.t().contiguous()", moved=2 * F32),
    Case("cast to bf16", FLAT, "x.to(m.bfloat16)", moved=1.5 * F32),
    Case("cast to f64", FLAT, "x.to(m.float64)", moved=3 * F32),
    Case("add", FLAT, "x + y", moved=3 * F32),
    Case("add in place", FLAT, "x.add_(y)", moved=3 * F32),
    Case("relu", FLAT, "m.relu(x)", moved=2 * F32),
    Case("where", FLAT, "m.where(mask, x, y)", moved=3.25 * F32),
    Case("add a row", ROWS + "; y = m.rand(4096)", "x + y", moved=2 * F32),
    Case("sum of all", FLAT, "x.sum()", moved=F32),
    Case("sum, inner", ROWS, "x.sum(1)", moved=F32),
    Case("sum, outer", ROWS, "x.sum(0)", moved=F32),
    Case("sum, short rows", SHORT_ROWS, "x.sum(1)", moved=F32),
    Case("sum, channels-last images over N, H, W", CHANNELS_LAST, "x.sum((0, 2, 3))", moved=F32),
    Case("sum, channels-last images over C", CHANNELS_LAST, "x.sum(1)", moved=F32),
    Case("sum, images over N, H, W", IMAGES, "x.sum((0, 2, 3))", moved=F32),
    Case("sum of all, channels-last images", CHANNELS_LAST, "x.sum()", moved=F32),
    Case("max of all", FLAT, "m.amax(x, 0)", moved=F32),
    Case("max, inner", ROWS, "x.amax(1)", moved=F32),
    Case("max, outer", ROWS, "x.amax(0)", moved=F32),
    Case("max, short rows", SHORT_ROWS, "x.amax(1)", moved=F32),
    Case("max, channels-last images over C", CHANNELS_LAST, "x.amax(1)", moved=F32),
    Case("max, channels-last images over N, H, W", CHANNELS_LAST, "x.amax((0, 2, 3))", moved=F32),
    Case("ten operations, one after another", FLAT, CHAIN, aim=5),
]

if __name__ == "__main__":
    compare("Memory-bound operations", __file__, CASES)

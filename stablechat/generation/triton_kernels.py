"""The kernels themselves; :mod:`stablechat.generation.kernels` calls them.

Triton compiles these functions: arguments are addresses and numbers, and types mean
nothing to it.
"""

import triton
import triton.language as tl


@triton.jit
def add_norm_kernel(
    x,
    delta,
    weight,
    total,
    normed,
    width,
    eps,
    HAS_DELTA: tl.constexpr,
    BLOCK: tl.constexpr,
):
    row = tl.program_id(0)
    columns = tl.arange(0, BLOCK)
    inside = columns < width
    places = row * width + columns
    value = tl.load(x + places, mask=inside, other=0.0).to(tl.float32)
    if HAS_DELTA:
        value += tl.load(delta + places, mask=inside, other=0.0).to(tl.float32)
        value = value.to(total.dtype.element_ty)
        tl.store(total + places, value, mask=inside)
        value = value.to(tl.float32)
    scale = 1.0 / tl.sqrt(tl.sum(value * value) / width + eps)
    w = tl.load(weight + columns, mask=inside, other=0.0).to(tl.float32)
    tl.store(
        normed + places, (value * scale * w).to(normed.dtype.element_ty), mask=inside
    )


@triton.jit
def rotate_store_kernel(
    joined,
    cos,
    sin,
    seats,
    tokens,
    stride,
    q,
    keys,
    values,
    capacity,
    HEADS: tl.constexpr,
    SHARED: tl.constexpr,
    WIDTH: tl.constexpr,
):
    token, head = tl.program_id(0), tl.program_id(1)
    position = tl.load(tokens + token * stride + 1)
    seat = tl.load(tokens + token * stride + 2)
    columns = tl.arange(0, WIDTH)
    swapped = (columns + WIDTH // 2) % WIDTH
    source = joined + (token * (HEADS + 2 * SHARED) + head) * WIDTH
    value = tl.load(source + columns).to(tl.float32)
    c = tl.load(cos + position * WIDTH + columns).to(tl.float32)
    s = tl.load(sin + position * WIDTH + columns).to(tl.float32)
    rotated = value * c + tl.load(source + swapped).to(tl.float32) * s
    if head < HEADS:
        target = q + (token * HEADS + head) * WIDTH
        tl.store(target + columns, rotated.to(q.dtype.element_ty))
    elif seat >= 0:  # tokens that only fill the pass up have none
        slot = tl.load(seats + seat * 3 + 2) + token - tl.load(seats + seat * 3)
        shared = (head - HEADS) % SHARED
        place = ((seat * SHARED + shared).to(tl.int64) * capacity + slot) * WIDTH
        if head < HEADS + SHARED:
            tl.store(keys + place + columns, rotated.to(keys.dtype.element_ty))
        else:
            tl.store(values + place + columns, value.to(values.dtype.element_ty))


@triton.jit
def attend_kernel(
    q,
    keys,
    values,
    seats,
    tokens,
    stride,
    partial,
    stats,
    capacity,
    scale,
    GROUPS: tl.constexpr,
    SHARED: tl.constexpr,
    WIDTH: tl.constexpr,
    SPLITS: tl.constexpr,
    ROWS: tl.constexpr,
    KEYS: tl.constexpr,
):
    cache, split, block = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    seat, shared = cache // SHARED, cache % SHARED
    first_token = tl.load(seats + seat * 3)
    count = tl.load(seats + seat * 3 + 1)
    if block * ROWS >= count * GROUPS:
        return
    rows = block * ROWS + tl.arange(0, ROWS)  # queries that share keys, by token
    token = rows // GROUPS
    is_row = token < count
    columns = tl.arange(0, WIDTH)
    head = shared * GROUPS + rows % GROUPS
    places = (first_token + token) * GROUPS * SHARED + head
    query = tl.load(
        q + places[:, None] * WIDTH + columns[None, :], mask=is_row[:, None], other=0.0
    )
    length = tl.load(seats + seat * 3 + 2)
    total = length + count
    chunk = tl.cdiv(tl.cdiv(total, SPLITS), KEYS) * KEYS
    start = split * chunk
    end = tl.minimum(start + chunk, total)
    top = tl.full([ROWS], -float("inf"), tl.float32)
    weight = tl.zeros([ROWS], tl.float32)
    mixed = tl.zeros([ROWS, WIDTH], tl.float32)
    before = cache.to(tl.int64) * capacity
    for first in range(start, end, KEYS):
        at = first + tl.arange(0, KEYS)
        is_key = at < end
        cells = (before + at)[:, None] * WIDTH + columns[None, :]
        key = tl.load(keys + cells, mask=is_key[:, None], other=0.0)
        scores = tl.dot(query, tl.trans(key), input_precision="ieee") * scale
        if first + KEYS > length:  # the last blocks only: the tree's own tokens
            in_tree = at - length
            seen = tl.load(
                tokens + (first_token + token)[:, None] * stride + 3 + in_tree[None, :],
                mask=is_row[:, None] & (is_key & (in_tree >= 0))[None, :],
                other=1,
            )
            scores = tl.where(is_key[None, :] & (seen != 0), scores, -float("inf"))
        higher = tl.maximum(top, tl.max(scores, 1))
        base = tl.where(higher == -float("inf"), 0.0, higher)
        shares = tl.exp(scores - base[:, None])
        fade = tl.exp(top - base)
        value = tl.load(values + cells, mask=is_key[:, None], other=0.0)
        weight = weight * fade + tl.sum(shares, 1)
        mixed = mixed * fade[:, None]
        mixed += tl.dot(shares.to(value.dtype), value, input_precision="ieee")
        top = higher
    out = (cache * SPLITS + split) * tl.num_programs(2) * ROWS + rows
    tl.store(partial + out[:, None] * WIDTH + columns[None, :], mixed)
    tl.store(stats + out * 2, top)
    tl.store(stats + out * 2 + 1, weight)


@triton.jit
def combine_kernel(
    partial,
    stats,
    seats,
    out,
    num_rows,
    GROUPS: tl.constexpr,
    SHARED: tl.constexpr,
    WIDTH: tl.constexpr,
    SPLITS: tl.constexpr,
):
    row, cache = tl.program_id(0), tl.program_id(1)
    seat, token = cache // SHARED, row // GROUPS
    if token >= tl.load(seats + seat * 3 + 1):
        return
    splits = tl.arange(0, SPLITS)
    columns = tl.arange(0, WIDTH)
    places = (cache * SPLITS + splits) * num_rows + row
    tops = tl.load(stats + places * 2)
    weights = tl.load(stats + places * 2 + 1)
    fade = tl.exp(tops - tl.max(tops, 0))
    mixed = tl.load(partial + places[:, None] * WIDTH + columns[None, :])
    value = tl.sum(mixed * fade[:, None], 0) / tl.sum(weights * fade, 0)
    place = tl.load(seats + seat * 3) + token
    head = cache % SHARED * GROUPS + row % GROUPS
    target = out + (place * GROUPS * SHARED + head) * WIDTH
    tl.store(target + columns, value.to(out.dtype.element_ty))


@triton.jit
def project_kernel(
    x,
    weight,
    bias,
    out,
    num_out,
    num_in,
    HAS_BIAS: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
):
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    is_row = rows < num_out
    total = tl.zeros([ROWS, COLUMNS], tl.float32)
    for first in range(0, num_in, COLUMNS):
        columns = first + tl.arange(0, COLUMNS)
        inside = columns < num_in
        value = tl.load(x + columns, mask=inside, other=0.0).to(tl.float32)
        part = tl.load(
            weight + rows[:, None].to(tl.int64) * num_in + columns[None, :],
            mask=is_row[:, None] & inside[None, :],
            other=0.0,
            eviction_policy="evict_first",  # no weight is needed twice in a pass
        )
        total += part.to(tl.float32) * value[None, :]
    result = tl.sum(total, 1)
    if HAS_BIAS:
        result += tl.load(bias + rows, mask=is_row, other=0.0).to(tl.float32)
    tl.store(out + rows, result.to(out.dtype.element_ty), mask=is_row)


@triton.jit
def gate_kernel(gate_up, out, width, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    columns = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside = columns < width
    source = gate_up + row * 2 * width + columns
    gate = tl.load(source, mask=inside, other=0.0).to(tl.float32)
    up = tl.load(source + width, mask=inside, other=0.0).to(tl.float32)
    value = gate * tl.sigmoid(gate) * up
    tl.store(out + row * width + columns, value.to(out.dtype.element_ty), mask=inside)

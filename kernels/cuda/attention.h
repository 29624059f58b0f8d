// Attention over this frame, three earlier ones and the style tokens: a warp takes sixteen queries of one head.
#pragma once
#include "bodies.h"

namespace reverie::cuda {

struct Keys {
    const std::uint8_t* blocks;  // of one head
    int count;
};

// Where a warp keeps its sixteen rows of scores (int32) and of weights (bytes).
struct Rows {
    std::int32_t* scores;
    std::uint8_t* weights;
    int total;  // keys, padded
};

DEVICE void score(const Keys* keys, const std::uint8_t* q, int width, int n, const Rows& rows) {
    constexpr int size = tasks::block * tasks::head;
    int column = 0;
    for (int s = 0; s < 5; ++s) {
        const int padded = parts(keys[s].count, tasks::block) * tasks::block;
        for (int key = 0; key < padded; key += tile_outs) {
            const std::uint8_t* block = keys[s].blocks + std::size_t(key / tasks::block) * tasks::block_bytes;
            const int inside = key % tasks::block;
            const auto* zero = reinterpret_cast<const std::int32_t*>(block + 2 * size) + inside;
            Tile tile;
            multiply_run(
                tile, tasks::head / 16,
                [&](int row, int chunk) { return row < n ? q + std::size_t(row) * width + 16 * chunk : nullptr; }, 0,
                reinterpret_cast<const std::int8_t*>(block) + inside / group * 1024, 1024, tile_outs);
            each(tile, tile_outs, [&](int row, int o, int sum) {
                rows.scores[std::size_t(row) * rows.total + column + key + o] =
                    key + o < keys[s].count ? sum + zero[o] : -(1 << 30);
            });
        }
        column += padded;
    }
}

// 255 * 2^(score * scale + lift) as bytes; returns their sum.
DEVICE int weigh(const std::int32_t* scores, int count, float scale, float lift, std::uint8_t* weights) {
    return whole_sum(count, [&](int k) {
        const int w = exp2_rounded(larger(float(scores[k]) * scale + lift, -126.0f)) & 255;
        weights[k] = std::uint8_t(w);
        return w;
    });
}

DEVICE int weights_of(const Rows& rows, int row, int old, float scale, float past) {
    constexpr float log2_255 = 7.99435344f;
    const std::int32_t* scores = rows.scores + std::size_t(row) * rows.total;
    std::uint8_t* weights = rows.weights + std::size_t(row) * rows.total;
    const auto peak = [&](int from, int count) {
        return maximum(std::int32_t(-2147483647), count, [&](int k) { return scores[from + k]; });
    };
    const float before = float(peak(0, old)) * scale + past, now = float(peak(old, rows.total - old)) * scale;
    const float lift = log2_255 - (before > now ? before : now);
    return weigh(scores, old, scale, past + lift, weights) +
           weigh(scores + old, rows.total - old, scale, lift, weights + old);
}

DEVICE void mix(const Keys* keys, const Rows& rows, int half, Tile& tile) {
    constexpr int size = tasks::block * tasks::head;
    int column = 0;
    for (int s = 0; s < 5; ++s)
        for (int b = 0; b < parts(keys[s].count, tasks::block); ++b, column += tasks::block)
            multiply_run(
                tile, tasks::block / 16,
                [&](int row, int chunk) { return rows.weights + std::size_t(row) * rows.total + column + 16 * chunk; }, 0,
                reinterpret_cast<const std::int8_t*>(keys[s].blocks) + std::size_t(b) * tasks::block_bytes + size +
                    half * 2048,
                1024, tile_outs);
}

DEVICE void attend(const tasks::Attention& t, const Context& at, const Keys* keys, const Rows& rows, int h, int first) {
    constexpr float step = 8.0f / 127.0f, to_log2 = 1.44269504f / 8.0f;  // of q and k; and 1 / sqrt(K)
    const int width = tasks::head * t.heads, n = least(tile_rows, t.end - first);
    const int old = 3 * parts(t.tokens, tasks::block) * tasks::block;
    const std::uint8_t* q = at.at<std::uint8_t>(t.q) + std::size_t(first) * width + h * tasks::head;
    const float* past = at.at<float>(t.past) + h * tasks::head;
    std::int32_t* mass = rows.scores;  // of row i: over its own first score, once that was used
    score(keys, q, width, n, rows);
    warp_sync();
    for (int i = 0; i < n; ++i) {
        const std::uint8_t* query = q + std::size_t(i) * width;
        const float dot = sum_in_order(tasks::head, [&](int k) { return (float(query[k]) - 128.0f) * past[k]; });
        const int sum = weights_of(rows, i, old, step * step * to_log2, dot * (step * to_log2));
        warp_sync();
        if (lane() == 0) mass[std::size_t(i) * rows.total] = sum;
    }
    warp_sync();
    for (int half = 0; half < 2; ++half) {
        Tile tile;
        mix(keys, rows, half, tile);
        each(tile, tile_outs, [&](int row, int o, int sum) {
            if (row >= n) return;
            const float scale = over(t.scale, float(mass[std::size_t(row) * rows.total]));
            at.at<std::uint8_t>(t.y)[std::size_t(first + row) * width + h * tasks::head + half * tile_outs + o] =
                to_byte(float(sum) * scale + 128.0f);
        });
    }
    warp_sync();
}

DEVICE void attention(const tasks::Attention& t, const Context& at) {
    const int blocks = parts(t.tokens, tasks::block), style_blocks = parts(t.style_tokens, tasks::block);
    const int total = (4 * blocks + style_blocks) * tasks::block, across = parts(t.end - t.begin, tile_rows);
    std::uint8_t* own = at.scratch + warp() * at.scratch_each;
    const Rows rows = {reinterpret_cast<std::int32_t*>(own), own + std::size_t(4) * tile_rows * total, total};
    for (int i = warp(); i < t.heads * across; i += warps()) {
        const int h = i / across;
        const auto kv = [&](tasks::Ref ref, int n) {
            return at.at<std::uint8_t>(ref) + std::size_t(h) * n * tasks::block_bytes;
        };
        const Keys keys[5] = {{kv(t.sink, blocks), t.tokens}, {kv(t.old, blocks), t.tokens},
                              {kv(t.recent, blocks), t.tokens}, {kv(t.now, blocks), t.tokens},
                              {kv(t.style, style_blocks), t.style_tokens}};
        attend(t, at, keys, rows, h, t.begin + i % across * tile_rows);
    }
}

}  // namespace reverie::cuda

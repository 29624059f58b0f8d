// Attention over this frame, three earlier ones and the style tokens; scores of a few queries stay in the caches.
#pragma once
#include "walk.h"

namespace reverie {
namespace {

struct Keys {
    const std::uint8_t* blocks;  // of one head
    int count;

    int padded() const { return parts(count, tasks::block) * tasks::block; }
};

// Products of `n` queries with all keys: [n][total].  Keys that do not exist get the least there is.
template <class Unit>
LANES_FN void score(
    const Keys* keys, const std::uint8_t* q, std::ptrdiff_t width, int n, std::int32_t* scores, int total, Fetch* fetch) {
    int column = 0;
    for (int s = 0; s < 5; column += keys[s].padded(), ++s) {
        for (int key = 0; key < keys[s].padded(); key += 2 * lanes) {
            const std::uint8_t* block = keys[s].blocks + key / tasks::block * tasks::block_bytes;
            const int inside = key % tasks::block;
            const Segment segment{q, width, tasks::head, reinterpret_cast<const std::int8_t*>(block) + inside / lanes * 1024};
            const auto* zero = reinterpret_cast<const std::int32_t*>(block + 2 * tasks::block * tasks::head) + inside;
            Unit::template multiply<2>(&segment, 1, 1024, zero, n, scores + column + key, total, fetch);
        }
        for (int i = 0; i < n; ++i)
            for (int k = keys[s].count; k < keys[s].padded(); ++k) scores[std::ptrdiff_t(i) * total + column + k] = -(1 << 30);
    }
}

LANES_FN std::int32_t peak(const std::int32_t* scores, int count) {
    Ints top = load<Ints>(scores);
    for (int k = lanes; k < count; k += lanes) top = larger(top, load<Ints>(scores + k));
    return largest(top);
}

// 255 * 2^(score * scale + lift) as bytes; returns their sum.
LANES_FN Ints weigh(const std::int32_t* scores, int count, float scale, float lift, std::uint8_t* weights) {
    Ints sum = {};
    for (int k = 0; k < count; k += lanes) {
        const Ints w = exp2_rounded(larger(to_floats(load<Ints>(scores + k)) * scale + lift, all(-126.0f)));
        sum = sum + w;
        store(weights + k, narrow(w));
    }
    return sum;
}

// Weights of 0 to 255, 255 for the likeliest key, and their sum.  The first `old` keys are of earlier frames.
LANES_FN std::int32_t weights_of(
    const std::int32_t* scores, int old, int total, float scale, float past, std::uint8_t* weights) {
    constexpr float log2_255 = 7.99435344f;
    const float before = float(peak(scores, old)) * scale + past, now = float(peak(scores + old, total - old)) * scale;
    const float lift = log2_255 - (before > now ? before : now);
    const Ints sum = weigh(scores, old, scale, past + lift, weights) +
                     weigh(scores + old, total - old, scale, lift, weights + old);
    std::int32_t whole = 0;
    for (int i = 0; i < lanes; ++i) whole += sum[i];
    return whole;
}

template <class Unit>
LANES_FN void attention(const tasks::Attention& t, const Context& at) {
    const std::ptrdiff_t width = tasks::head * t.heads;
    const int blocks = parts(t.tokens, tasks::block), style_blocks = parts(t.style_tokens, tasks::block);
    const int total = (4 * blocks + style_blocks) * tasks::block;
    auto* segments = reinterpret_cast<Segment*>(at.scratch);
    std::uint8_t* weights = at.scratch + (4 * blocks + style_blocks) * sizeof(Segment);
    weights += -std::ptrdiff_t(reinterpret_cast<std::uintptr_t>(weights)) & 63;
    std::int32_t* scores = reinterpret_cast<std::int32_t*>(weights + std::ptrdiff_t(Unit::pixels) * total);
    constexpr float step = 8.0f / 127.0f, to_log2 = 1.44269504f / 8.0f;  // of q and k; and 1 / sqrt(K)
    for (int h = 0; h < t.heads; ++h) {
        const auto kv = [&](tasks::Ref ref, int n) {
            return at.at<std::uint8_t>(ref) + std::ptrdiff_t(h) * n * tasks::block_bytes;
        };
        const Keys keys[5] = {{kv(t.sink, blocks), t.tokens}, {kv(t.old, blocks), t.tokens},
                              {kv(t.recent, blocks), t.tokens}, {kv(t.now, blocks), t.tokens},
                              {kv(t.style, style_blocks), t.style_tokens}};
        int n_segments = 0;
        for (const Keys& each : keys)
            for (int b = 0; b < each.padded() / tasks::block; ++b, ++n_segments)
                segments[n_segments] = {weights + n_segments * tasks::block, total, tasks::block,
                                        reinterpret_cast<const std::int8_t*>(each.blocks) + b * tasks::block_bytes +
                                            tasks::block * tasks::head};
        for (int first = t.begin, n = 1; first < t.end; first += n) {
            if (n = 1; !at.mask.made(first)) continue;
            while (n < Unit::pixels && first + n < t.end && at.mask.made(first + n)) ++n;
            const std::uint8_t* q = at.at<std::uint8_t>(t.q) + first * width + h * tasks::head;
            float past[Unit::pixels];
            std::int32_t mass[Unit::pixels];
            for (int i = 0; i < n; ++i) {
                Floats dot = all(0.0f);
                for (int k = 0; k < tasks::head; k += lanes)
                    dot = dot + (bytes_at(q + i * width + k) - 128.0f) *
                                    load<Floats>(at.at<float>(t.past) + h * tasks::head + k);
                past[i] = reverie::total(dot) * (step * to_log2);
            }
            score<Unit>(keys, q, width, n, scores, total, at.fetch);
            for (int i = 0; i < n; ++i)
                mass[i] = weights_of(scores + std::ptrdiff_t(i) * total, 3 * blocks * tasks::block, total, step * step * to_log2,
                                     past[i], weights + std::ptrdiff_t(i) * total);
            for (int half = 0; half < 2; ++half) {
                std::int32_t sums[Unit::pixels * 2 * lanes];
                Unit::template multiply<2>(segments, n_segments, 1024, nullptr, n, sums, 2 * lanes, at.fetch);
                for (int s = 0; s < n_segments; ++s) segments[s].weight += half ? -2048 : 2048;
                for (int i = 0; i < n; ++i) {
                    const float scale = t.scale / float(mass[i]);
                    std::uint8_t* y = at.at<std::uint8_t>(t.y) + (first + i) * width + h * tasks::head + half * 2 * lanes;
                    for (int j = 0; j < 2; ++j)
                        store(y + j * lanes, to_bytes(to_floats(load<Ints>(sums + (2 * i + j) * lanes)) * scale + 128.0f));
                }
            }
        }
    }
}

}  // namespace
}  // namespace reverie

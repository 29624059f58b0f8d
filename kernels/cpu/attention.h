// Attention over this frame, three earlier ones and the style tokens; scores of a few queries stay in the caches.
#pragma once
#include "walk.h"

namespace reverie {
namespace {

struct Keys {
    const std::uint8_t* blocks;  // of one head
    int count;
    bool past;

    int padded() const { return parts(count, tasks::block) * tasks::block; }
};

// Scores, base-2 logarithms, of `n` queries with all keys: [n][total].  Keys that do not exist get minus infinity.
template <class Unit>
LANES_FN void score(
    const Keys* keys, const std::uint8_t* q, std::ptrdiff_t width, int n, float scale, const float* past, float* scores,
    int total, Floats* peaks) {
    std::int32_t sums[Unit::pixels * 2 * lanes];
    for (int i = 0; i < n; ++i) peaks[i] = all(-1e30f);
    int column = 0;
    for (int s = 0; s < 5; column += keys[s].padded(), ++s)
        for (int key = 0; key < keys[s].padded(); key += 2 * lanes) {
            const std::uint8_t* block = keys[s].blocks + key / tasks::block * tasks::block_bytes;
            const int inside = key % tasks::block;
            const Segment segment{q, width, tasks::head, reinterpret_cast<const std::int8_t*>(block) + inside / lanes * 1024};
            const auto* zero = reinterpret_cast<const std::int32_t*>(block + 2 * tasks::block * tasks::head) + inside;
            Unit::template multiply<2>(&segment, 1, 1024, zero, n, sums);
            for (int i = 0; i < n; ++i)
                for (int j = 0; j < 2; ++j) {
                    Floats x = to_floats(load<Ints>(sums + (2 * i + j) * lanes)) * scale;
                    if (keys[s].past) x = x + past[i];
                    if (key + (j + 1) * lanes > keys[s].count) {
                        const Ints lane = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
                        x = lane + (key + j * lanes) < keys[s].count ? x : all(-1e30f);
                    }
                    peaks[i] = larger(peaks[i], x);
                    store(scores + std::ptrdiff_t(i) * total + column + key + j * lanes, x);
                }
        }
}

// Scores to weights of 0 to 255, 255 for the largest; returns their sum.
LANES_FN std::int32_t weigh(const float* scores, int total, Floats peak, std::uint8_t* weights) {
    const float top = largest(peak);
    Ints sum = {};
    for (int k = 0; k < total; k += lanes) {
        const Ints w = rounded(exp2(load<Floats>(scores + k) - top) * 255.0f);
        sum = sum + w;
        store(weights + k, __builtin_convertvector(w, Bytes));
    }
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
    float* scores = reinterpret_cast<float*>(weights + std::ptrdiff_t(Unit::pixels) * total);
    constexpr float step = 8.0f / 127.0f, to_log2 = 1.44269504f / 8.0f;  // of q and k; and 1 / sqrt(K)
    for (int h = 0; h < t.heads; ++h) {
        const auto kv = [&](tasks::Ref ref, int n) {
            return at.at<std::uint8_t>(ref) + std::ptrdiff_t(h) * n * tasks::block_bytes;
        };
        const Keys keys[5] = {{kv(t.sink, blocks), t.tokens, true}, {kv(t.old, blocks), t.tokens, true},
                              {kv(t.recent, blocks), t.tokens, true}, {kv(t.now, blocks), t.tokens, false},
                              {kv(t.style, style_blocks), t.style_tokens, false}};
        int n_segments = 0;
        for (const Keys& each : keys)
            for (int b = 0; b < each.padded() / tasks::block; ++b, ++n_segments)
                segments[n_segments] = {weights + n_segments * tasks::block, total, tasks::block,
                                        reinterpret_cast<const std::int8_t*>(each.blocks) + b * tasks::block_bytes +
                                            tasks::block * tasks::head};
        for (int first = t.begin; first < t.end; first += Unit::pixels) {
            const int n = least(Unit::pixels, t.end - first);
            const std::uint8_t* q = at.at<std::uint8_t>(t.q) + first * width + h * tasks::head;
            float past[Unit::pixels];
            Floats peaks[Unit::pixels];
            std::int32_t mass[Unit::pixels];
            for (int i = 0; i < n; ++i) {
                Floats dot = all(0.0f);
                for (int k = 0; k < tasks::head; k += lanes)
                    dot = dot + (to_floats(load<Bytes>(q + i * width + k)) - 128.0f) *
                                    load<Floats>(at.at<float>(t.past) + h * tasks::head + k);
                past[i] = reverie::total(dot) * (step * to_log2);
            }
            score<Unit>(keys, q, width, n, step * step * to_log2, past, scores, total, peaks);
            for (int i = 0; i < n; ++i)
                mass[i] = weigh(scores + std::ptrdiff_t(i) * total, total, peaks[i], weights + std::ptrdiff_t(i) * total);
            for (int half = 0; half < 2; ++half) {
                std::int32_t sums[Unit::pixels * 2 * lanes];
                Unit::template multiply<2>(segments, n_segments, 1024, nullptr, n, sums);
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

// The LLM's tasks for a block of warps: float32 between the layers, weights of one byte, inputs of two.
#pragma once
#include "floats.h"

namespace reverie::cuda {

DEVICE void embed(const tasks::Embed& t, const Context& at) {
    for (int i = thread(); i < t.count * t.width; i += threads()) {
        const int id = at.at<std::int32_t>(t.tokens)[i / t.width], k = i % t.width;
        const std::int8_t* row = at.at<std::int8_t>(t.weight) + std::size_t(id / group) * t.width * group + id % group * 4;
        at.at<float>(t.y)[i] = float(row[k / 4 * 64 + k % 4]) * at.at<float>(t.scale)[id];
    }
}

DEVICE float sigmoid(float x) {
    const float e = exp2_of((x > 0.0f ? -x : x) * 1.44269504f);  // of -|x|
    return over(x > 0.0f ? 1.0f : e, 1.0f + e);
}

// One position's inputs, ready to be multiplied, by one warp.
DEVICE void prepare(const tasks::Project& t, const float* x, const float* gain, float* v) {
    for (int k = lane(); k < t.width; k += lanes_wide)
        v[k] = t.gated ? x[k] * sigmoid(x[k]) * x[t.width + k] : x[k];
    warp_sync();
    if (t.norm == 0) return;
    const float width = float(t.width);
    const float mean = t.norm == 2 ? over(sum_in_order(t.width, [&](int k) { return v[k]; }), width) : 0.0f;
    const float squares = sum_in_order(t.width, [&](int k) { return (v[k] - mean) * (v[k] - mean); });
    const float inverse = over(1.0f, root(over(squares, width) + t.epsilon));
    warp_sync();
    for (int k = lane(); k < t.width; k += lanes_wide) {
        const float a = (v[k] - mean) * inverse;
        v[k] = gain ? a * gain[k] : a;
    }
    warp_sync();
}

// 16-bit integers as two rows of bytes, of 256 and of 1; returns the step.
DEVICE float halve(const float* v, int width, std::uint8_t* high, std::uint8_t* low) {
    const float top = maximum(0.0f, width, [&](int k) { return v[k] < 0.0f ? -v[k] : v[k]; });
    const float times = top > 0.0f ? over(32767.0f, top) : 0.0f;
    for (int k = lane(); k < width; k += lanes_wide) {
        const int q = rounded(v[k] * times) + 32768;
        high[k] = std::uint8_t(q >> 8), low[k] = std::uint8_t(q & 255);
    }
    return top * (1.0f / 32767.0f);
}

struct Inputs {
    std::uint8_t* bytes;  // two rows a position
    float* steps;
    int first, n;
};

// Up to eight positions times 32 outs, from `out` on.
DEVICE void project_tile(const tasks::Project& t, const Context& at, const Inputs& in, int out, float* sums) {
    Tile tile;
    const auto from = [&](int row, int chunk) {
        return row < 2 * in.n ? in.bytes + std::size_t(row) * t.width + 16 * chunk : nullptr;
    };
    const std::int8_t* weight = at.at<std::int8_t>(t.weight) + std::size_t(out) * t.width;
    multiply_run(tile, t.width / 16, from, 0, weight, std::ptrdiff_t(t.width) * group, tile_outs);
    each(tile, tile_outs, [&](int row, int o, int sum) {
        sums[row * tile_outs + o] = float(row % 2 ? sum : sum + at.at<std::int32_t>(t.sums)[out + o]);
    });
    warp_sync();
    const float *scale = at.at<float>(t.scale), *residual = at.at<float>(t.residual);
    for (int i = lane(); i < in.n * tile_outs; i += lanes_wide) {
        const int position = i / tile_outs, o = i % tile_outs;
        const float high = sums[2 * position * tile_outs + o], low = sums[(2 * position + 1) * tile_outs + o];
        float y = (high * 256.0f + low) * (scale[out + o] * in.steps[position]);
        const std::size_t place = std::size_t(in.first + position) * t.outs + out + o;
        if (residual) y = y + residual[place];
        at.at<float>(t.y)[place] = y;
    }
    warp_sync();
}

DEVICE void project(const tasks::Project& t, const Context& at) {
    constexpr int at_once = tile_rows / 2;
    auto* steps = reinterpret_cast<float*>(at.scratch);
    float* v = steps + 64 + std::size_t(warps()) * tile_rows * tile_outs;
    float* sums = steps + 64 + std::size_t(warp()) * tile_rows * tile_outs;
    auto* bytes = reinterpret_cast<std::uint8_t*>(v + std::size_t(at_once) * t.width);
    for (int first = 0; first < t.count; first += at_once) {
        const Inputs in = {bytes, steps, first, least(at_once, t.count - first)};
        block_sync();
        for (int i = warp(); i < in.n; i += warps()) {
            const float* x = at.at<float>(t.x) + std::size_t(first + i) * t.width * (t.gated ? 2 : 1);
            float* own = v + std::size_t(i) * t.width;
            prepare(t, x, at.at<float>(t.gain), own);
            std::uint8_t* high = bytes + std::size_t(2 * i) * t.width;
            const float step = halve(own, t.width, high, high + t.width);
            if (lane() == 0) steps[i] = step;
        }
        block_sync();
        for (int out = t.begin + warp() * tile_outs; out < t.end; out += warps() * tile_outs)
            project_tile(t, at, in, out, sums);
    }
}

// Component k of a turned vector.
DEVICE float turned(const float* x, const float* rope, int k) {
    constexpr int half = tasks::head / 2;
    const float a = x[k % half], b = x[k % half + half], c = rope[k % half], s = rope[half + k % half];
    return k < half ? a * c - b * s : b * c + a * s;
}

// One query over the `count` keys that there are, by one warp; q and scores are its own memory.
DEVICE void recall(const float* keys, const float* values, int count, const float* q, float* scores, float* y) {
    for (int k = 0; k < count; ++k) {
        const float* key = keys + std::size_t(k) * tasks::head;
        const float score = sum_in_order(tasks::head, [&](int i) { return q[i] * key[i]; }) * (1.44269504f / 8.0f);
        if (lane() == 0) scores[k] = score;
    }
    warp_sync();
    const float top = maximum(-1e30f, count, [&](int k) { return scores[k]; });
    warp_sync();
    for (int k = lane(); k < count; k += lanes_wide) scores[k] = exp2_of(scores[k] - top);
    warp_sync();
    const float inverse = over(1.0f, sum_in_order(count, [&](int k) { return scores[k]; }));
    for (int i = lane(); i < tasks::head; i += lanes_wide) {
        float sum = 0.0f;
        for (int k = 0; k < count; ++k) sum = sum + values[std::size_t(k) * tasks::head + i] * scores[k];
        y[i] = sum * inverse;
    }
    warp_sync();
}

// Up to sixteen rows of queries, a row a position and head, each over the keys up to its own position, by one warp.
DEVICE void recall_rows(const tasks::Recollect& t, const Context& at, int position, int first, int n) {
    constexpr float to_log2 = 1.44269504f / 8.0f;
    const int each = t.heads / t.groups, count = position + (first + n - 1) / each + 1;
    const int padded = parts(count, 16) * 16, pitch = parts(t.context, 16) * 16;
    const float *keys = at.at<float>(t.cache), *values = keys + std::size_t(t.context) * tasks::head;
    float* q = reinterpret_cast<float*>(at.scratch + warp() * at.scratch_each);
    float* scores = q + tile_rows * tasks::head;
    const auto token = [&](int row) { return (first + row) / each; };
    const auto head = [&](int row) { return t.group * each + (first + row) % each; };
    for (int i = lane(); i < tile_rows * tasks::head; i += lanes_wide) {
        const int row = least(i / tasks::head, n - 1);
        const float* x = at.at<float>(t.qkv) + (std::size_t(token(row)) * (t.heads + 2 * t.groups) + head(row)) * tasks::head;
        q[i] = turned(x, at.at<float>(t.rope) + std::size_t(position + token(row)) * tasks::head, i % tasks::head);
    }
    warp_sync();
    score_rows(q, keys, count, scores, pitch);
    warp_sync();
    for (int row = 0; row < n; ++row) {
        float* own = scores + row * pitch;
        const int seen = position + token(row) + 1;
        const float top = maximum(-1e30f, seen, [&](int k) { return own[k] * to_log2; });
        warp_sync();
        for (int k = lane(); k < padded; k += lanes_wide) own[k] = k < seen ? exp2_of(own[k] * to_log2 - top) : 0.0f;
        warp_sync();
        const float inverse = over(1.0f, sum_in_order(seen, [&](int k) { return own[k]; }));
        if (lane() == 0) q[row * tasks::head] = inverse;
    }
    warp_sync();
    mix_rows(scores, n, pitch, values, count, [&](int row, int k, float sum) {
        if (row < n)
            at.at<float>(t.y)[(std::size_t(token(row)) * t.heads + head(row)) * tasks::head + k] =
                sum * q[row * tasks::head];
    });
    warp_sync();
}

// One position's heads are a warp each; of several positions sixteen rows are.
DEVICE void recollect(const tasks::Recollect& t, const Context& at) {
    const int position = *at.at<std::int32_t>(t.position), each = t.heads / t.groups;
    const int n = least(t.count, t.context - position);
    const std::ptrdiff_t row = (t.heads + 2 * t.groups) * tasks::head;
    const float *x = at.at<float>(t.qkv), *rope = at.at<float>(t.rope) + std::size_t(position) * tasks::head;
    float *keys = at.at<float>(t.cache), *values = keys + std::size_t(t.context) * tasks::head;
    for (int i = thread(); i < n * tasks::head; i += threads()) {
        const int token = i / tasks::head, k = i % tasks::head;
        const std::size_t place = std::size_t(position) * tasks::head + i;
        keys[place] = turned(x + token * row + (t.heads + t.group) * tasks::head, rope + token * tasks::head, k);
        values[place] = x[token * row + (t.heads + t.groups + t.group) * tasks::head + k];
    }
    block_sync();
    if (t.count > 1) {
        for (int first = warp() * tile_rows; first < n * each; first += warps() * tile_rows)
            recall_rows(t, at, position, first, least(tile_rows, n * each - first));
        return;
    }
    float* own = reinterpret_cast<float*>(at.scratch + warp() * at.scratch_each);
    for (int h = t.group * each + warp(); n && h < (t.group + 1) * each; h += warps()) {
        for (int k = lane(); k < tasks::head; k += lanes_wide) own[k] = turned(x + h * tasks::head, rope, k);
        warp_sync();
        recall(keys, values, position + 1, own, own + tasks::head, at.at<float>(t.y) + std::size_t(h) * tasks::head);
    }
}

DEVICE void pick(const tasks::Pick& t, const Context& at) {
    if (warp() != 0) return;
    const float* logits = at.at<float>(t.logits);
    const float top = maximum(-1e30f, t.vocabulary, [&](int k) { return logits[k]; });
    const int last = t.vocabulary - 1;  // of equals the first: the most that is left after it
    const int after = maximum(0, t.vocabulary, [&](int k) { return logits[k] == top ? last - k : 0; });
    if (lane() == 0) {
        *at.at<std::int32_t>(t.token) = last - after;
        *at.at<std::int32_t>(t.position) += 1;
    }
}

}  // namespace reverie::cuda

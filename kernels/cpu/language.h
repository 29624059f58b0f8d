// The LLM: float32 between the layers, weights of one byte, inputs of two.
#pragma once
#include "walk.h"

namespace reverie {
namespace {

LANES_FN void embed(const tasks::Embed& t, const Context& at) {
    const auto* tokens = at.at<std::int32_t>(t.tokens);
    for (int n = 0; n < t.count; ++n) {
        const std::int32_t id = tokens[n];
        const std::int8_t* row = at.at<std::int8_t>(t.weight) + std::ptrdiff_t(id / lanes) * t.width * lanes + id % lanes * 4;
        const float scale = at.at<float>(t.scale)[id];
        float* y = at.at<float>(t.y) + std::ptrdiff_t(n) * t.width;
        for (int k = 0; k < t.width; ++k) y[k] = float(row[k / 4 * 64 + k % 4]) * scale;
    }
}

LANES_FN Floats sigmoid(Floats x) {
    const Floats e = exp2(select(x > 0.0f, -x, x) * 1.44269504f);  // of -|x|
    return select(x > 0.0f, all(1.0f), e) / (1.0f + e);
}

// One position's inputs, ready to be multiplied.
LANES_FN void prepare(const tasks::Project& t, const float* x, const float* gain, float* v) {
    Floats sum = all(0.0f), squares = all(0.0f);
    for (int k = 0; k < t.width; k += lanes) {
        Floats a = load<Floats>(x + k);
        if (t.gated) a = a * sigmoid(a) * load<Floats>(x + t.width + k);
        sum = sum + a;
        store(v + k, a);
    }
    if (t.norm == 0) return;
    const float mean = t.norm == 2 ? total(sum) / float(t.width) : 0.0f;
    for (int k = 0; k < t.width; k += lanes) {
        const Floats a = load<Floats>(v + k) - mean;
        squares = squares + a * a;
    }
    const float inverse = 1.0f / __builtin_sqrtf(total(squares) / float(t.width) + t.epsilon);
    for (int k = 0; k < t.width; k += lanes) {
        const Floats a = (load<Floats>(v + k) - mean) * inverse;
        store(v + k, gain ? a * load<Floats>(gain + k) : a);
    }
}

// 16-bit integers as two rows of bytes, of 256 and of 1; returns the step.
LANES_FN float halve(const float* v, int width, std::uint8_t* high, std::uint8_t* low) {
    Floats peak = all(0.0f);
    for (int k = 0; k < width; k += lanes) {
        const Floats a = load<Floats>(v + k);
        peak = larger(larger(a, -a), peak);  // of equals the second: never -0
    }
    const float top = largest(peak), times = top > 0.0f ? 32767.0f / top : 0.0f;
    for (int k = 0; k < width; k += lanes) {
        const Ints q = rounded(load<Floats>(v + k) * times) + 32768;
        store(high + k, narrow(q >> 8));
        store(low + k, narrow(q & 255));
    }
    return top * (1.0f / 32767.0f);
}

// All positions' inputs, made by the first of a launch's tasks of this projection on a worker.
LANES_FN const Kept& inputs(const tasks::Project& t, const Context& at) {
    constexpr int margin = 64;  // bytes that a tile may read beyond the end
    Kept& kept = *at.kept;
    const auto *weight = at.at<void>(t.weight), *x = at.at<void>(t.x);
    if (kept.launch == at.launch && kept.weight == weight && kept.x == x) return kept;
    kept.launch = at.launch, kept.weight = weight, kept.x = x;
    kept.bytes.resize(2 * std::size_t(t.count) * t.width + margin);
    kept.steps.resize(t.count);
    float* v = reinterpret_cast<float*>(at.scratch);
    for (int n = 0; n < t.count; ++n) {
        std::uint8_t* bytes = kept.bytes.data() + 2 * std::ptrdiff_t(n) * t.width;
        prepare(t, at.at<float>(t.x) + std::ptrdiff_t(n) * t.width * (t.gated ? 2 : 1), at.at<float>(t.gain), v);
        kept.steps[n] = halve(v, t.width, bytes, bytes + t.width);
    }
    return kept;
}

template <class Unit>
LANES_FN void project(const tasks::Project& t, const Context& at) {
    constexpr int at_once = Unit::pixels / 2;  // positions
    const std::int8_t* weight = at.at<std::int8_t>(t.weight);
    const std::int32_t* offset = at.at<std::int32_t>(t.sums);
    const float *scale = at.at<float>(t.scale), *residual = at.at<float>(t.residual);
    const Kept& kept = inputs(t, at);
    for (int first = 0; first < t.count; first += at_once) {
        const int n = least(at_once, t.count - first);
        const float* steps = kept.steps.data() + first;
        const std::uint8_t* bytes = kept.bytes.data() + 2 * std::ptrdiff_t(first) * t.width;
        for (int out = t.begin; out < t.end; out += 2 * lanes) {
            std::int32_t sums[Unit::pixels * 2 * lanes];
            const Segment segment{bytes, t.width, t.width, weight + std::ptrdiff_t(out) * t.width};
            Unit::template multiply<2>(&segment, 1, std::ptrdiff_t(t.width) * lanes, nullptr, 2 * n, sums);
            for (int i = 0; i < n; ++i)
                for (int j = 0; j < 2; ++j) {
                    const int o = out + j * lanes;
                    const Floats high = to_floats(load<Ints>(sums + (4 * i + j) * lanes) + load<Ints>(offset + o));
                    const Floats low = to_floats(load<Ints>(sums + (4 * i + 2 + j) * lanes));
                    Floats y = (high * 256.0f + low) * (load<Floats>(scale + o) * steps[i]);
                    const std::ptrdiff_t place = std::ptrdiff_t(first + i) * t.outs + o;
                    if (residual) y = y + load<Floats>(residual + place);
                    store(at.at<float>(t.y) + place, y);
                }
        }
    }
}

LANES_FN void turn(const float* x, const float* rope, float* y) {
    for (int k = 0; k < tasks::head / 2; k += lanes) {
        const Floats a = load<Floats>(x + k), b = load<Floats>(x + tasks::head / 2 + k);
        const Floats c = load<Floats>(rope + k), s = load<Floats>(rope + tasks::head / 2 + k);
        store(y + k, a * c - b * s);
        store(y + tasks::head / 2 + k, b * c + a * s);
    }
}

LANES_FN float dot(const float* a, const float* b) {
    Floats sum = all(0.0f);
    for (int k = 0; k < tasks::head; k += lanes) sum = sum + load<Floats>(a + k) * load<Floats>(b + k);
    return total(sum);
}

LANES_FN void recollect(const tasks::Recollect& t, const Context& at) {
    const int position = *at.at<std::int32_t>(t.position), each = t.heads / t.groups;
    const std::ptrdiff_t row = (t.heads + 2 * t.groups) * tasks::head;
    float *keys = at.at<float>(t.cache), *values = keys + std::ptrdiff_t(t.context) * tasks::head;
    float* scores = reinterpret_cast<float*>(at.scratch);
    for (int n = 0; n < least(t.count, t.context - position); ++n) {
        const float* x = at.at<float>(t.qkv) + n * row;
        const float* rope = at.at<float>(t.rope) + std::ptrdiff_t(position + n) * tasks::head;
        const std::ptrdiff_t place = std::ptrdiff_t(position + n) * tasks::head;
        turn(x + (t.heads + t.group) * tasks::head, rope, keys + place);
        std::memcpy(values + place, x + (t.heads + t.groups + t.group) * tasks::head, 4 * tasks::head);
        for (int h = t.group * each; h < (t.group + 1) * each; ++h) {
            const int count = position + n + 1, padded = parts(count, lanes) * lanes;
            float q[tasks::head];
            turn(x + h * tasks::head, rope, q);
            float top = -1e30f;
            for (int k = 0; k < count; ++k) {
                scores[k] = dot(q, keys + std::ptrdiff_t(k) * tasks::head) * (1.44269504f / 8.0f);
                top = scores[k] > top ? scores[k] : top;
            }
            for (int k = count; k < padded; ++k) scores[k] = -1e30f;
            Floats mass = all(0.0f), y[4] = {};
            for (int k = 0; k < padded; k += lanes) {
                const Floats w = exp2(load<Floats>(scores + k) - top);
                mass = mass + w;
                store(scores + k, w);
            }
            for (int k = 0; k < count; ++k)
                for (int i = 0; i < 4; ++i)
                    y[i] = y[i] + load<Floats>(values + std::ptrdiff_t(k) * tasks::head + i * lanes) * scores[k];
            const float inverse = 1.0f / total(mass);
            float* to = at.at<float>(t.y) + std::ptrdiff_t(n) * t.heads * tasks::head + h * tasks::head;
            for (int i = 0; i < 4; ++i) store(to + i * lanes, y[i] * inverse);
        }
    }
}

LANES_FN void pick(const tasks::Pick& t, const Context& at) {
    const float* logits = at.at<float>(t.logits);
    Floats peak = all(-1e30f);
    for (int k = 0; k < t.vocabulary; k += lanes) peak = larger(peak, load<Floats>(logits + k));
    const float top = largest(peak);
    int best = 0;
    while (best < t.vocabulary - 1 && logits[best] != top) ++best;
    *at.at<std::int32_t>(t.token) = best;
    *at.at<std::int32_t>(t.position) += 1;
}

}  // namespace
}  // namespace reverie

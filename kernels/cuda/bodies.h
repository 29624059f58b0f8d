// The video model's tasks for a block of warps.  Bytes in, bytes out, the same bits as kernels/cpu.
#pragma once
#include "../cpu/tasks.h"
#include "dialect.h"

namespace reverie::cuda {

struct Context {
    std::uint8_t* const* table;
    std::uint8_t* scratch;             // of this block
    std::size_t scratch_each;          // bytes of each warp's part

    template <class T>
#if defined(__CUDACC__)
    __device__
#endif
        T* at(tasks::Ref ref) const {
        return ref.buffer < 0 ? nullptr : reinterpret_cast<T*>(table[ref.buffer] + ref.offset);
    }
};

// --- convolutions ---

struct Layer : tasks::Conv {
    const std::uint8_t *input, *side, *skip;
    const std::int8_t* packed;
    const std::int32_t* offset;
    const float *times, *plus, *skip_times;
    std::uint8_t* output;
};

DEVICE Layer layer(const tasks::Conv& t, const Context& at) {
    return {t, at.at<std::uint8_t>(t.x), at.at<std::uint8_t>(t.beside), at.at<std::uint8_t>(t.residual),
            at.at<std::int8_t>(t.weight), at.at<std::int32_t>(t.bias), at.at<float>(t.scale), at.at<float>(t.shift),
            at.at<float>(t.residual_scale), at.at<std::uint8_t>(t.y)};
}

// From a sum to a byte, in its place: t = sum * scale + shift [+ residual * its scale], activation, zero-point.
DEVICE void finish(const Layer& c, int y, int x, int out, int sum) {
    const int columns = c.kernel == 2 ? c.width / 2 : c.width;
    std::size_t place = (std::size_t(y) * columns + x) * c.outs + out;
    int vector = out;
    if (c.shuffle) {
        const int outs = c.outs / 4, corner = out / outs;
        vector = out % outs;
        place = ((2 * std::size_t(y) + corner / 2) * 2 * columns + 2 * std::size_t(x) + corner % 2) * outs + vector;
    }
    float t = float(sum + c.offset[out]) * c.times[out] + c.plus[out];
    if (c.skip) t = t + float(c.skip[place]) * c.skip_times[vector];
    if (c.activation == 1) t = t * smaller(larger(t * c.gate + 0.5f, 0.0f), 1.0f);
    c.output[place] = to_byte(t + float(c.y_zero));
}

// Sixteen neighbouring pixels of a row times up to 32 outs: all taps, and the map beside, in one run.
DEVICE void conv_tile(const Layer& c, int y, int x, int pixels, int out, int outs, std::ptrdiff_t depth) {
    Tile tile;
    const int stride = c.kernel == 2 ? 2 : 1, shift = c.kernel == 3 ? 1 : 0, own = c.kernel * c.kernel * c.channels;
    const auto from = [&](int row, int chunk) -> const std::uint8_t* {
        const int k = 16 * chunk;
        if (row >= pixels) return nullptr;
        if (k >= own) return c.side + (std::size_t(y) * c.width + x + row) * c.beside_channels + k - own;
        const int tap = k / c.channels;
        const int from_y = stride * y + tap / c.kernel - shift, from_x = stride * (x + row) + tap % c.kernel - shift;
        if (from_y < 0 || from_y >= c.height || from_x < 0 || from_x >= c.width) return nullptr;
        return c.input + (std::size_t(from_y) * c.width + from_x) * c.channels + k % c.channels;
    };
    multiply_run(tile, int(depth) / 16, from, 0x01010101u * std::uint32_t(c.x_zero),
                 c.packed + out / group * depth * group, depth * group, outs);
    each(tile, outs, [&](int row, int o, int sum) {
        if (row < pixels) finish(c, y, x + row, out + o, sum);
    });
}

DEVICE void conv(const tasks::Conv& t, const Context& at) {
    const Layer c = layer(t, at);
    const int columns = c.kernel == 2 ? c.width / 2 : c.width, across = parts(columns, tile_rows);
    const int down = parts(c.outs, tile_outs), rows = c.end - c.begin;
    const std::ptrdiff_t depth = c.kernel * c.kernel * c.channels + c.beside_channels;
    for (int i = warp(); i < rows * across * down; i += warps()) {
        const int y = c.begin + i / (across * down), x = i / down % across * tile_rows, out = i % down * tile_outs;
        conv_tile(c, y, x, least(tile_rows, columns - x), out, least(tile_outs, c.outs - out), depth);
    }
}

// --- the ends of the network ---

DEVICE void unshuffle(const tasks::Unshuffle& t, const Context& at) {
    const std::uint8_t* x = at.at<std::uint8_t>(t.x);
    std::uint8_t* y = at.at<std::uint8_t>(t.y);
    const int columns = t.width / 2;
    for (int i = t.begin * columns + thread(); i < t.end * columns; i += threads()) {
        const std::uint8_t* from = x + (std::size_t(i / columns) * 2 * t.width + i % columns * 2) * 3;
        for (int k = 0; k < 12; ++k) y[std::size_t(i) * 16 + k] = from[k / 6 * 3 * t.width + k % 6];
        for (int k = 12; k < 16; ++k) y[std::size_t(i) * 16 + k] = std::uint8_t(t.zero);
    }
}

DEVICE void picture(const tasks::Picture& t, const Context& at) {
    const std::uint8_t *source = at.at<std::uint8_t>(t.source), *residual = at.at<std::uint8_t>(t.residual);
    const float *matrix = at.at<float>(t.colour), strength = *at.at<float>(t.strength);
    for (int i = 2 * t.begin * t.width + thread(); i < 2 * t.end * t.width; i += threads()) {
        const int y = i / t.width, x = i % t.width;
        const std::uint8_t* pixel = source + std::size_t(i) * 3;
        const std::uint8_t* add = residual + (std::size_t(y / 2) * (t.width / 2) + x / 2) * 16 + y % 2 * 6 + x % 2 * 3;
        for (int colour = 0; colour < 3; ++colour) {
            float v = matrix[4 * colour + 3] + (float(add[colour]) - float(t.zero)) * t.step;
            for (int from = 0; from < 3; ++from)
                v = v + (float(pixel[from]) * (1.0f / 127.5f) - 1.0f) * matrix[4 * colour + from];
            v = smaller(larger(v, -1.0f), 1.0f) * 127.5f + 127.5f;
            const float here = float(pixel[colour]);
            at.at<std::uint8_t>(t.y)[std::size_t(i) * 3 + colour] = to_byte(here + (v - here) * strength);
        }
    }
}

// --- tokens ---

constexpr float tiny = 1e-6f;  // in squared steps of u8

DEVICE void modulate(const tasks::Modulate& t, const Context& at) {
    const float *gain = at.at<float>(t.gain), *shift = at.at<float>(t.shift), zero = float(t.x_zero);
    for (int s = t.begin + warp(); s < t.end; s += warps()) {
        const std::uint8_t* x = at.at<std::uint8_t>(t.x) + std::size_t(s) * t.width;
        std::uint8_t* y = at.at<std::uint8_t>(t.y) + std::size_t(s) * t.width;
        const float squares = sum_in_order(t.width, [&](int c) { return (float(x[c]) - zero) * (float(x[c]) - zero); });
        const float inverse = over(1.0f, root(over(squares, float(t.width)) + tiny));
        for (int c = lane(); c < t.width; c += lanes_wide)
            y[c] = to_byte((float(x[c]) - zero) * inverse * gain[c] + shift[c] + float(t.y_zero));
    }
}

// Component k of a head of unit RMS, turned, in steps of 8 / 127.
DEVICE int turned(const std::uint8_t* x, const float* rope, float unit, int k) {
    constexpr int half = tasks::head / 2;
    const int i = k % half;
    const float low = (float(x[i]) - 128.0f) * unit, high = (float(x[i + half]) - 128.0f) * unit;
    const float c = rope[i], s = rope[half + i], v = k < half ? low * c - high * s : low * s + high * c;
    return rounded(smaller(larger(v, -127.0f), 127.0f));
}

DEVICE float unit_of(const std::uint8_t* x) {
    const float squares =
        sum_in_order(tasks::head, [&](int k) { return (float(x[k]) - 128.0f) * (float(x[k]) - 128.0f); });
    return over(127.0f / 8.0f, root(over(squares, float(tasks::head)) + tiny));
}

// One token of one head; `j` is its place in the block of keys.
DEVICE void head_of(const tasks::Heads& t, const Context& at, int h, int token, std::uint8_t* block, int j) {
    constexpr int size = tasks::block * tasks::head;
    const int width = tasks::head * t.heads;
    const bool exists = token < t.tokens;
    const std::uint8_t* row = at.at<std::uint8_t>(t.qkv) + std::size_t(token) * 3 * width + h * tasks::head;
    const float* rope = at.at<float>(t.rope) + std::size_t(token) * tasks::head;
    const float q_unit = exists ? unit_of(row) : 0.0f, k_unit = exists ? unit_of(row + width) : 0.0f;
    const auto key = [&](int k) { return exists ? turned(row + width, rope, k_unit, k) : 0; };
    for (int k = lane(); k < tasks::head; k += lanes_wide) {
        if (exists)
            at.at<std::uint8_t>(t.q)[std::size_t(token) * width + h * tasks::head + k] =
                std::uint8_t(turned(row, rope, q_unit, k) + 128);
        block[j / group * 1024 + k / 4 * 64 + j % group * 4 + k % 4] = std::uint8_t(key(k));
        block[size + k / group * 1024 + j / 4 * 64 + k % group * 4 + j % 4] = exists ? row[2 * width + k] ^ 128 : 0;
    }
    const std::int32_t sum = -128 * whole_sum(tasks::head, key);
    if (lane() == 0) *reinterpret_cast<std::int32_t*>(block + 2 * size + 4 * j) = sum;
}

DEVICE void heads(const tasks::Heads& t, const Context& at) {
    const int blocks = parts(t.tokens, tasks::block), rows = parts(t.end - t.begin, tasks::block) * tasks::block;
    for (int i = warp(); i < t.heads * rows; i += warps()) {
        const int h = i / rows, token = t.begin + i % rows;
        std::uint8_t* block =
            at.at<std::uint8_t>(t.kv) + (std::size_t(h) * blocks + token / tasks::block) * tasks::block_bytes;
        head_of(t, at, h, token, block, token % tasks::block);
    }
}

}  // namespace reverie::cuda

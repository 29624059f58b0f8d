// Tokens between the layers: norm and modulation, and what attention needs of queries, keys and values.
#pragma once
#include "walk.h"

namespace reverie {
namespace {

constexpr float tiny = 1e-6f;  // in squared steps of u8: keeps a row of zeros zero

LANES_FN void modulate(const tasks::Modulate& t, const Context& at) {
    const float *gain = at.at<float>(t.gain), *shift = at.at<float>(t.shift);
    for (int s = t.begin; s < t.end; ++s) {
        if (!at.mask.made(s)) continue;
        const std::uint8_t* x = at.at<std::uint8_t>(t.x) + std::ptrdiff_t(s) * t.width;
        std::uint8_t* y = at.at<std::uint8_t>(t.y) + std::ptrdiff_t(s) * t.width;
        Floats squares = all(0.0f);
        for (int c = 0; c < t.width; c += lanes) {
            const Floats v = bytes_at(x + c) - float(t.x_zero);
            squares = squares + v * v;
        }
        const float inverse = 1.0f / __builtin_sqrtf(total(squares) / float(t.width) + tiny);
        for (int c = 0; c < t.width; c += lanes) {
            const Floats v = (bytes_at(x + c) - float(t.x_zero)) * inverse;
            store(y + c, to_bytes(v * load<Floats>(gain + c) + load<Floats>(shift + c) + float(t.y_zero)));
        }
    }
}

// A head of unit RMS, turned, in steps of 8 / 127: 64 integers within +-127.
LANES_FN void turned(const std::uint8_t* x, const float* rope, Ints out[4]) {
    Floats v[4], squares = all(0.0f);
    for (int i = 0; i < 4; ++i) v[i] = bytes_at(x + i * lanes) - 128.0f;
    for (int i = 0; i < 4; ++i) squares = squares + v[i] * v[i];
    const float unit = (127.0f / 8.0f) / __builtin_sqrtf(total(squares) / float(tasks::head) + tiny);
    for (int i = 0; i < 4; ++i) v[i] = v[i] * unit;
    for (int i = 0; i < 2; ++i) {
        const Floats c = load<Floats>(rope + i * lanes), s = load<Floats>(rope + tasks::head / 2 + i * lanes);
        const Floats low = v[i] * c - v[i + 2] * s, high = v[i] * s + v[i + 2] * c;
        out[i] = rounded(smaller(larger(low, all(-127.0f)), all(127.0f)));
        out[i + 2] = rounded(smaller(larger(high, all(-127.0f)), all(127.0f)));
    }
}

// Key `j` of a block: four bytes here, four bytes there, and what takes the queries' zero-point out of the products.
LANES_FN void put_key(std::uint8_t* block, int j, const Ints key[4]) {
    std::int32_t sum = 0;
    for (int i = 0; i < 4; ++i) {
        std::int8_t bytes[16];
        store(bytes, narrow(key[i] & 255));
        for (int k = 0; k < 16; ++k) sum += bytes[k];
        for (int k = 0; k < 4; ++k)
            std::memcpy(block + j / lanes * 1024 + (4 * i + k) * 64 + j % lanes * 4, bytes + 4 * k, 4);
    }
    sum *= -128;
    std::memcpy(block + 2 * tasks::block * tasks::head + 4 * j, &sum, 4);
}

// Values of four neighbouring keys, of which `count` exist: [group of 16][16][4 keys].
LANES_FN void put_values(std::uint8_t* block, int j, const std::uint8_t* rows, std::ptrdiff_t stride, int count) {
    for (int i = 0; i < 4; ++i) {
        Ints four = {};
        for (int k = 0; k < count; ++k) {
            const Ints v = widen(rows + k * stride + i * lanes) ^ 128;
            four = four | v << (8 * k);
        }
        store(block + tasks::block * tasks::head + i * 1024 + j / 4 * 64, four);
    }
}

LANES_FN void heads(const tasks::Heads& t, const Context& at) {
    const std::ptrdiff_t width = tasks::head * t.heads, blocks = parts(t.tokens, tasks::block);
    const std::uint8_t* qkv = at.at<std::uint8_t>(t.qkv);
    const float* rope = at.at<float>(t.rope);
    for (int h = 0; h < t.heads; ++h)
        for (int first = t.begin; first < t.end; first += tasks::block) {
            std::uint8_t* block = at.at<std::uint8_t>(t.kv) + (h * blocks + first / tasks::block) * tasks::block_bytes;
            const int count = least(tasks::block, t.tokens - first);
            for (int j = 0; j < tasks::block; ++j) {
                Ints v[4] = {};
                if (j < count) {
                    const std::uint8_t* row = qkv + (first + j) * 3 * width + h * tasks::head;
                    const float* angle = rope + std::ptrdiff_t(first + j) * tasks::head;
                    turned(row, angle, v);
                    std::uint8_t* q = at.at<std::uint8_t>(t.q) + (first + j) * width + h * tasks::head;
                    for (int i = 0; i < 4; ++i) store(q + i * lanes, narrow(v[i] + 128));
                    turned(row + width, angle, v);
                }
                put_key(block, j, v);
            }
            for (int j = 0; j < tasks::block; j += 4)
                put_values(block, j, qkv + (first + j) * 3 * width + 2 * width + h * tasks::head, 3 * width,
                           most(0, least(4, count - j)));
        }
}

}  // namespace
}  // namespace reverie

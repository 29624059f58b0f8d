// Products of float32 for several rows at once.  On a GPU the tensor cores multiply in bfloat16: a number is the sum of two
// such parts, and three of the four products are formed, which keeps sixteen bits.  On a CPU: in the reference's order.
#pragma once
#include "bodies.h"

namespace reverie::cuda {

#if defined(__CUDACC__)

struct Split {
    std::uint32_t high, low;  // of two neighbours each
};

DEVICE std::uint32_t packed(float first, float second) {
    std::uint32_t both;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(both) : "f"(second), "f"(first));
    return both;
}
DEVICE Split split(float first, float second) {
    const std::uint32_t high = packed(first, second);
    return {high, packed(first - from_bits(int(high << 16)), second - from_bits(int(high & 0xffff0000u)))};
}

DEVICE void multiply_halves(float* c, const std::uint32_t* a, const std::uint32_t* b) {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// Sixteen rows by sixteen numbers as mma.m16n8k16 has them over the lanes.
struct Halves {
    std::uint32_t high[4], low[4];
};

DEVICE Halves sixteen(const float* from, int pitch) {
    Halves a;
    for (int i = 0; i < 4; ++i) {
        const float* pair = from + (lane() / 4 + i % 2 * 8) * pitch + i / 2 * 8 + lane() % 4 * 2;
        const Split both = split(pair[0], pair[1]);
        a.high[i] = both.high, a.low[i] = both.low;
    }
    return a;
}

DEVICE void multiply(float* c, const Halves& a, const Split& first, const Split& second) {
    const std::uint32_t high[2] = {first.high, second.high}, low[2] = {first.low, second.low};
    multiply_halves(c, a.high, high);
    multiply_halves(c, a.high, low);
    multiply_halves(c, a.low, high);
}

// scores[row][key] = q[row] . keys[key] for sixteen rows of a head and `count` keys.
DEVICE void score_rows(const float* q, const float* keys, int count, float* scores, int pitch) {
    Halves rows[4];
    for (int k = 0; k < 4; ++k) rows[k] = sixteen(q + 16 * k, tasks::head);
    for (int first = 0; first < count; first += 8) {
        float c[4] = {};
        const float* key = keys + std::size_t(least(first + lane() / 4, count - 1)) * tasks::head + lane() % 4 * 2;
#pragma unroll
        for (int k = 0; k < 4; ++k, key += 16) multiply(c, rows[k], split(key[0], key[1]), split(key[8], key[9]));
        for (int i = 0; i < 4; ++i) scores[(lane() / 4 + i / 2 * 8) * pitch + first + lane() % 4 * 2 + i % 2] = c[i];
    }
}

// put(row, k, sum over keys of weights[row][key] * values[key][k]); weights are zero from `count` to a multiple of sixteen.
template <class F>
DEVICE void mix_rows(const float* weights, int, int pitch, const float* values, int count, F put) {
    for (int half = 0; half < 2; ++half) {
        float c[4][4] = {};
        for (int first = 0; first < count; first += 16) {
            const Halves rows = sixteen(weights + first, pitch);
            const auto at = [&](int key, int k) { return values[std::size_t(least(first + key, count - 1)) * tasks::head + k]; };
#pragma unroll
            for (int j = 0; j < 4; ++j) {
                const int key = lane() % 4 * 2, k = 32 * half + 8 * j + lane() / 4;
                multiply(c[j], rows, split(at(key, k), at(key + 1, k)), split(at(key + 8, k), at(key + 9, k)));
            }
        }
        for (int j = 0; j < 4; ++j)
            for (int i = 0; i < 4; ++i) put(lane() / 4 + i / 2 * 8, 32 * half + 8 * j + lane() % 4 * 2 + i % 2, c[j][i]);
    }
}

#else

DEVICE void score_rows(const float* q, const float* keys, int count, float* scores, int pitch) {
    for (int row = 0; row < tile_rows; ++row)
        for (int key = 0; key < count; ++key)
            scores[row * pitch + key] = sum_in_order(tasks::head, [&](int k) {
                return q[row * tasks::head + k] * keys[std::size_t(key) * tasks::head + k];
            });
}

template <class F>
DEVICE void mix_rows(const float* weights, int rows, int pitch, const float* values, int count, F put) {
    for (int row = 0; row < rows; ++row)
        for (int k = 0; k < tasks::head; ++k) {
            float sum = 0.0f;
            for (int key = 0; key < count; ++key)
                sum = sum + values[std::size_t(key) * tasks::head + k] * weights[row * pitch + key];
            put(row, k, sum);
        }
}

#endif

}  // namespace reverie::cuda

// 256-bit tiles of 4 pixels x 16 outs, for processors with AVX2; `Dot` says how four bytes meet four bytes.
#pragma once
#include <immintrin.h>

#include "run.h"

namespace reverie {
namespace {

template <class Dot>
struct Ymm {
    static constexpr int pixels = 4;

    template <int Wide>
    static void multiply(
        const Segment* segments, int n, std::ptrdiff_t group, const std::int32_t* bias, int count, std::int32_t* sums,
        std::ptrdiff_t row = Wide * lanes, Fetch* = nullptr) {
        for (int j = 0; j < Wide; ++j) {
            const std::int32_t* start = bias ? bias + j * lanes : nullptr;
            switch (count) {
                case 1: tile<1>(segments, n, j * group, start, sums + j * lanes, row); break;
                case 2: tile<2>(segments, n, j * group, start, sums + j * lanes, row); break;
                case 3: tile<3>(segments, n, j * group, start, sums + j * lanes, row); break;
                default: tile<4>(segments, n, j * group, start, sums + j * lanes, row);
            }
        }
    }

    template <int Wide>
    static void run(const Layer& conv, const Tile& tile) {
        std::int32_t sums[pixels * Wide * lanes];
        multiply<Wide>(tile.segments, tile.n_segments, std::ptrdiff_t(conv.depth()) * lanes, conv.offset + tile.out,
                       tile.pixels, sums);
        finish(conv, tile, Wide * lanes, sums);
    }

private:
    template <int Pixels>
    static void tile(
        const Segment* segments, int n, std::ptrdiff_t group, const std::int32_t* bias, std::int32_t* sums,
        std::ptrdiff_t row) {
        __m256i acc[Pixels][2];
        for (int h = 0; h < 2; ++h) {
            const __m256i start = bias ? load<__m256i>(bias + 8 * h) : _mm256_setzero_si256();
            for (int i = 0; i < Pixels; ++i) acc[i][h] = start;
        }
        for (int s = 0; s < n; ++s) {
            const std::int8_t* w = segments[s].weight + group;
            for (int k = 0; k < segments[s].length; k += 4, w += 4 * lanes) {
                const __m256i b0 = load<__m256i>(w), b1 = load<__m256i>(w + 32);
                for (int i = 0; i < Pixels; ++i) {
                    std::int32_t four;
                    std::memcpy(&four, segments[s].start + i * segments[s].stride + k, 4);
                    const __m256i a = _mm256_set1_epi32(four);
                    acc[i][0] = Dot::add(acc[i][0], a, b0);
                    acc[i][1] = Dot::add(acc[i][1], a, b1);
                }
            }
        }
        for (int i = 0; i < Pixels; ++i)
            for (int h = 0; h < 2; ++h) store(sums + i * row + 8 * h, acc[i][h]);
    }
};

template <class Dot>
double ymm_peak(long steps) {
    __m256i acc[8], a = _mm256_set1_epi8(1), b = _mm256_set1_epi8(1);
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) acc[i] = _mm256_set1_epi32(i);
    for (long s = 0; s < steps; ++s) {
        asm volatile("" : "+x"(a), "+x"(b));
#pragma GCC unroll 8
        for (int i = 0; i < 8; ++i) acc[i] = Dot::add(acc[i], a, b);
    }
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) asm volatile("" : : "x"(acc[i]));
    return 2.0 * 32 * 8 * double(steps);
}

}  // namespace
}  // namespace reverie

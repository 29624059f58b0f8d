// 256-bit tiles of 4 pixels x 16 outs, for processors with AVX2; `Multiply` says how four bytes meet four bytes.
#pragma once
#include <immintrin.h>

#include "finish.h"

namespace reverie {

template <class Multiply>
struct Ymm {
    static constexpr int pixels = 4;

    template <int Wide>
    static void run(const Conv& conv, const Tile& tile) {
        alignas(32) std::int32_t sums[pixels * Wide * lanes];
        for (int j = 0; j < Wide; ++j) {
            switch (tile.pixels) {
                case 1: group<1>(conv, tile, j, Wide, sums); break;
                case 2: group<2>(conv, tile, j, Wide, sums); break;
                case 3: group<3>(conv, tile, j, Wide, sums); break;
                default: group<4>(conv, tile, j, Wide, sums);
            }
        }
        finish(conv, tile, Wide * lanes, sums);
    }

private:
    template <int Pixels>
    static void group(const Conv& conv, const Tile& tile, int j, int wide, std::int32_t* sums) {
        const int out = tile.out + j * lanes;
        __m256i acc[Pixels][2];
        for (int h = 0; h < 2; ++h) {
            const __m256i start = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(conv.bias + out + 8 * h));
            for (int i = 0; i < Pixels; ++i) acc[i][h] = start;
        }
        const std::int8_t* w = conv.weight + std::ptrdiff_t(out / lanes) * conv.depth() * lanes;
        for (int s = 0; s < tile.n_segments; ++s)
            for (int k = 0; k < tile.segments[s].length; k += 4, w += 4 * lanes) {
                const __m256i b0 = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(w));
                const __m256i b1 = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(w + 32));
                for (int i = 0; i < Pixels; ++i) {
                    std::int32_t four;
                    std::memcpy(&four, tile.segments[s].start + i * tile.segments[s].stride + k, 4);
                    const __m256i a = _mm256_set1_epi32(four);
                    acc[i][0] = Multiply::add(acc[i][0], a, b0);
                    acc[i][1] = Multiply::add(acc[i][1], a, b1);
                }
            }
        for (int i = 0; i < Pixels; ++i)
            for (int h = 0; h < 2; ++h)
                _mm256_store_si256(reinterpret_cast<__m256i*>(sums + (i * wide + j) * lanes + 8 * h), acc[i][h]);
    }
};

template <class Multiply>
double ymm_peak(long steps) {
    __m256i acc[8], a = _mm256_set1_epi8(1), b = _mm256_set1_epi8(1);
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) acc[i] = _mm256_set1_epi32(i);
    for (long s = 0; s < steps; ++s) {
        asm volatile("" : "+x"(a), "+x"(b));
#pragma GCC unroll 8
        for (int i = 0; i < 8; ++i) acc[i] = Multiply::add(acc[i], a, b);
    }
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) asm volatile("" : : "x"(acc[i]));
    return 2.0 * 32 * 8 * double(steps);
}

}  // namespace reverie

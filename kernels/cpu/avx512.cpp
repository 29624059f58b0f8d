// AVX512-VNNI: tiles of 12 pixels x 32 outs in 24 accumulators.
#include <immintrin.h>

#include <array>
#include <utility>

#include "run.h"
#include "zmm.h"

namespace reverie {
namespace {

template <int Pixels, int Wide>
void multiply_tile(
    const Segment* segments, int n, std::ptrdiff_t group, const std::int32_t* bias, std::int32_t* sums, std::ptrdiff_t row,
    Fetch* fetch) {
    __m512i acc[Pixels][Wide];
#pragma GCC unroll 2
    for (int j = 0; j < Wide; ++j) {
        const __m512i start = bias ? _mm512_loadu_si512(bias + j * lanes) : _mm512_setzero_si512();
#pragma GCC unroll 12
        for (int i = 0; i < Pixels; ++i) acc[i][j] = start;
    }
    for (int s = 0; s < n; ++s) {
        const std::ptrdiff_t stride = segments[s].stride;
        const std::int8_t* w = segments[s].weight;
        const std::uint8_t* third[4];  // every third pixel has a pointer; the two after it are reached by index
#pragma GCC unroll 4
        for (int q = 0; q < 4; ++q) third[q] = segments[s].start + 3 * q * stride;
        for (int k = 0; k < segments[s].length; k += 16) {
#pragma GCC unroll 4
            for (int u = 0; u < 16; u += 4) {
                __m512i b[Wide];
#pragma GCC unroll 2
                for (int j = 0; j < Wide; ++j) b[j] = _mm512_loadu_si512(w + j * group + u * lanes);
#pragma GCC unroll 12
                for (int i = 0; i < Pixels; ++i) {
                    std::int32_t four;
                    std::memcpy(&four, third[i / 3] + (i % 3) * stride + u, 4);
                    const __m512i a = _mm512_set1_epi32(four);
#pragma GCC unroll 2
                    for (int j = 0; j < Wide; ++j) acc[i][j] = _mm512_dpbusd_epi32(acc[i][j], a, b[j]);
                }
            }
            w += 16 * lanes;
            if (fetch) fetch->step<3>(3);
#pragma GCC unroll 4
            for (int q = 0; q < (Pixels + 2) / 3; ++q) third[q] += 16;
        }
    }
#pragma GCC unroll 12
    for (int i = 0; i < Pixels; ++i)
#pragma GCC unroll 2
        for (int j = 0; j < Wide; ++j) _mm512_storeu_si512(sums + i * row + j * lanes, acc[i][j]);
}

template <int Wide, int... Is>
constexpr auto multipliers(std::integer_sequence<int, Is...>) {
    return std::array<void (*)(const Segment*, int, std::ptrdiff_t, const std::int32_t*, std::int32_t*, std::ptrdiff_t, Fetch*), sizeof...(Is)>{
        multiply_tile<Is + 1, Wide>...};
}

struct Unit {
    static constexpr int pixels = 12;

    template <int Wide>
    static void multiply(
        const Segment* segments, int n, std::ptrdiff_t group, const std::int32_t* bias, int count, std::int32_t* sums,
        std::ptrdiff_t row = Wide * lanes, Fetch* fetch = nullptr) {
        static constexpr auto by = multipliers<Wide>(std::make_integer_sequence<int, pixels>{});
        by[count - 1](segments, n, group, bias, sums, row, fetch);
    }

    template <int Wide>
    static void run(const Layer& conv, const Tile& tile) {
        alignas(64) std::int32_t sums[(pixels + 3) * Wide * lanes];
        multiply<Wide>(tile.segments, tile.n_segments, std::ptrdiff_t(conv.depth()) * lanes, conv.offset + tile.out,
                       tile.pixels, sums, Wide * lanes, conv.fetch);
        finish_zmm<Wide>(conv, tile, sums);
    }
};

double peak(long steps) {
    __m512i acc[24], a = _mm512_set1_epi8(1), b = _mm512_set1_epi8(1);
#pragma GCC unroll 24
    for (int i = 0; i < 24; ++i) acc[i] = _mm512_set1_epi32(i);  // in registers, and none equal to another
    for (long s = 0; s < steps; ++s) {
        asm volatile("" : "+v"(a), "+v"(b));  // keeps the loop's products from being computed once
#pragma GCC unroll 24
        for (int i = 0; i < 24; ++i) acc[i] = _mm512_dpbusd_epi32(acc[i], a, b);
    }
#pragma GCC unroll 24
    for (int i = 0; i < 24; ++i) asm volatile("" : : "v"(acc[i]));
    return 2.0 * 64 * 24 * double(steps);
}

bool legal() {
    return __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

}  // namespace

const Path avx512_path{"avx512vnni", legal, run_task<Unit>, peak};

}  // namespace reverie

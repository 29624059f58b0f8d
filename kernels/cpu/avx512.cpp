// AVX512-VNNI: tiles of 12 pixels x 32 outs in 24 accumulators.
#include <immintrin.h>

#include <array>
#include <utility>

#include "run.h"

namespace reverie {
namespace {

template <int Pixels, int Wide>
void multiply_tile(const Segment* segments, int n, std::ptrdiff_t group, const std::int32_t* bias, std::int32_t* sums) {
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
#pragma GCC unroll 4
            for (int q = 0; q < (Pixels + 2) / 3; ++q) third[q] += 16;
        }
    }
#pragma GCC unroll 12
    for (int i = 0; i < Pixels; ++i)
#pragma GCC unroll 2
        for (int j = 0; j < Wide; ++j) _mm512_storeu_si512(sums + (i * Wide + j) * lanes, acc[i][j]);
}

template <int Wide, int... Is>
constexpr auto multipliers(std::integer_sequence<int, Is...>) {
    return std::array<void (*)(const Segment*, int, std::ptrdiff_t, const std::int32_t*, std::int32_t*), sizeof...(Is)>{
        multiply_tile<Is + 1, Wide>...};
}

// Four vectors of 16 integers to 64 saturated bytes, in order.
inline __m512i narrow(const __m512i v[4]) {
    const __m512i low = _mm512_packs_epi32(v[0], v[1]), high = _mm512_packs_epi32(v[2], v[3]);
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    return _mm512_permutexvar_epi32(order, _mm512_packus_epi16(low, high));
}

inline __m512 widen(const std::uint8_t* bytes) {
    return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes))));
}

template <int Wide>
inline void put(const Layer& conv, const Tile& tile, int pixel, __m512i bytes) {
    std::uint8_t* to = conv.output + tile.offset + pixel * tile.stride;
    if constexpr (Wide == 2) {
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), _mm512_castsi512_si256(bytes));
        if (pixel + 1 < tile.pixels)
            _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + tile.stride), _mm512_extracti64x4_epi64(bytes, 1));
    } else {
        alignas(64) std::uint8_t each[64];
        _mm512_store_si512(each, bytes);
        for (int i = 0; i < 4 && pixel + i < tile.pixels; ++i) std::memcpy(to + i * tile.stride, each + i * lanes, lanes);
    }
}

// As finish() in finish.h, 64 bytes at a time.
template <int Wide, bool Active, bool Residual>
void finish_tile(const Layer& conv, const Tile& tile, const std::int32_t* sums) {
    __m512 scale[Wide], shift[Wide], skip[Wide];
    for (int j = 0; j < Wide; ++j) {
        scale[j] = _mm512_loadu_ps(conv.times + tile.out + j * lanes);
        shift[j] = _mm512_loadu_ps(conv.plus + tile.out + j * lanes);
        if constexpr (Residual) skip[j] = _mm512_loadu_ps(conv.skip_times + tile.vector + j * lanes);
    }
    const __m512 gate = _mm512_set1_ps(conv.gate), zero = _mm512_set1_ps(float(conv.y_zero));
    for (int pixel = 0; pixel < tile.pixels; pixel += 4 / Wide) {
        __m512i v[4];
#pragma GCC unroll 4
        for (int i = 0; i < 4; ++i) {
            __m512 t = _mm512_cvtepi32_ps(_mm512_loadu_si512(sums + (pixel * Wide + i) * lanes));
            t = _mm512_add_ps(_mm512_mul_ps(t, scale[i % Wide]), shift[i % Wide]);
            if constexpr (Residual) {
                const int from = least(pixel + i / Wide, tile.pixels - 1);
                const __m512 r = widen(conv.skip + tile.offset + from * tile.stride + i % Wide * lanes);
                t = _mm512_add_ps(t, _mm512_mul_ps(r, skip[i % Wide]));
            }
            if constexpr (Active) {
                __m512 open = _mm512_add_ps(_mm512_mul_ps(t, gate), _mm512_set1_ps(0.5f));
                open = _mm512_min_ps(_mm512_max_ps(open, _mm512_setzero_ps()), _mm512_set1_ps(1.0f));
                t = _mm512_mul_ps(t, open);
            }
            v[i] = _mm512_cvtps_epi32(_mm512_add_ps(t, zero));
        }
        put<Wide>(conv, tile, pixel, narrow(v));
    }
}

struct Unit {
    static constexpr int pixels = 12;

    template <int Wide>
    static void multiply(
        const Segment* segments, int n, std::ptrdiff_t group, const std::int32_t* bias, int count, std::int32_t* sums) {
        static constexpr auto by = multipliers<Wide>(std::make_integer_sequence<int, pixels>{});
        by[count - 1](segments, n, group, bias, sums);
    }

    template <int Wide>
    static void run(const Layer& conv, const Tile& tile) {
        static constexpr void (*finish_by[2][2])(const Layer&, const Tile&, const std::int32_t*) = {
            {finish_tile<Wide, false, false>, finish_tile<Wide, false, true>},
            {finish_tile<Wide, true, false>, finish_tile<Wide, true, true>},
        };
        alignas(64) std::int32_t sums[(pixels + 3) * Wide * lanes];
        multiply<Wide>(tile.segments, tile.n_segments, std::ptrdiff_t(conv.depth()) * lanes, conv.offset + tile.out,
                       tile.pixels, sums);
        finish_by[conv.activation == hard_swish][conv.skip != nullptr](conv, tile, sums);
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

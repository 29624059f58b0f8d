// Epilogues of AVX-512: as finish() in finish.h, 64 bytes at a time.
#pragma once
#include <immintrin.h>

#include "finish.h"

namespace reverie {
namespace {

// Four vectors of 16 integers to 64 saturated bytes, in order.
inline __m512i narrow(const __m512i v[4]) {
    const __m512i low = _mm512_packs_epi32(v[0], v[1]), high = _mm512_packs_epi32(v[2], v[3]);
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    return _mm512_permutexvar_epi32(order, _mm512_packus_epi16(low, high));
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

template <int Wide, bool Active, bool Residual>
void finish_tile(const Layer& conv, const Tile& tile, const std::int32_t* sums) {
    __m512 scale[Wide], shift[Wide], skip[Wide];
    for (int j = 0; j < Wide; ++j) {
        scale[j] = _mm512_loadu_ps(conv.times + tile.out + j * lanes);
        shift[j] = _mm512_loadu_ps(conv.plus + tile.out + j * lanes);
        if constexpr (Residual) skip[j] = _mm512_loadu_ps(conv.skip_times + tile.vector + j * lanes);
    }
    const __m512 most = _mm512_set1_ps(255.0f), gate = _mm512_set1_ps(conv.gate), zero = _mm512_set1_ps(float(conv.y_zero));
    for (int pixel = 0; pixel < tile.pixels; pixel += 4 / Wide) {
        __m512i v[4];
#pragma GCC unroll 4
        for (int i = 0; i < 4; ++i) {
            __m512 t = _mm512_cvtepi32_ps(_mm512_loadu_si512(sums + (pixel * Wide + i) * lanes));
            t = _mm512_add_ps(_mm512_mul_ps(t, scale[i % Wide]), shift[i % Wide]);
            if constexpr (Residual) {
                const int from = least(pixel + i / Wide, tile.pixels - 1);
                const __m512 r = (__m512)bytes_at(conv.skip + tile.offset + from * tile.stride + i % Wide * lanes);
                t = _mm512_add_ps(t, _mm512_mul_ps(r, skip[i % Wide]));
            }
            if constexpr (Active) {
                __m512 open = _mm512_add_ps(_mm512_mul_ps(t, gate), _mm512_set1_ps(0.5f));
                open = _mm512_min_ps(_mm512_max_ps(open, _mm512_setzero_ps()), _mm512_set1_ps(1.0f));
                t = _mm512_mul_ps(t, open);
            }
            v[i] = _mm512_cvtps_epi32(_mm512_min_ps(_mm512_add_ps(t, zero), most));
        }
        put<Wide>(conv, tile, pixel, narrow(v));
    }
}

// `sums` as finish() has them, readable up to whole vectors.
template <int Wide>
void finish_zmm(const Layer& conv, const Tile& tile, const std::int32_t* sums) {
    static constexpr void (*by[2][2])(const Layer&, const Tile&, const std::int32_t*) = {
        {finish_tile<Wide, false, false>, finish_tile<Wide, false, true>},
        {finish_tile<Wide, true, false>, finish_tile<Wide, true, true>},
    };
    by[conv.activation == hard_swish][conv.skip != nullptr](conv, tile, sums);
}

}  // namespace
}  // namespace reverie

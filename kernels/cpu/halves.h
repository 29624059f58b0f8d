// Sixteen lanes as two registers of eight, for AVX2: vectors of 64 bytes go through memory in gcc 12, eight bytes at a time.
#pragma once
#include "memory.h"

namespace reverie {
namespace {

template <class T>
struct Halves {
    typedef T Half __attribute__((vector_size(32)));

    Half low, high;

    T operator[](int lane) const { return lane < 8 ? low[lane] : high[lane - 8]; }
    Halves operator-() const { return {-low, -high}; }
};

#define HALVES_OPERATOR(op)                                                                                          \
    template <class T>                                                                                               \
    LANES_FN Halves<T> operator op(Halves<T> a, Halves<T> b) {                                                       \
        return {a.low op b.low, a.high op b.high};                                                                   \
    }                                                                                                                \
    template <class T>                                                                                               \
    LANES_FN Halves<T> operator op(Halves<T> a, std::type_identity_t<T> b) {                                         \
        return {a.low op b, a.high op b};                                                                            \
    }                                                                                                                \
    template <class T>                                                                                               \
    LANES_FN Halves<T> operator op(std::type_identity_t<T> a, Halves<T> b) {                                         \
        return {a op b.low, a op b.high};                                                                            \
    }
HALVES_OPERATOR(+)
HALVES_OPERATOR(-)
HALVES_OPERATOR(*)
HALVES_OPERATOR(/)
HALVES_OPERATOR(&)
HALVES_OPERATOR(|)
HALVES_OPERATOR(^)
HALVES_OPERATOR(<<)
HALVES_OPERATOR(>>)
#undef HALVES_OPERATOR

using Floats = Halves<float>;
using Ints = Halves<std::int32_t>;

LANES_FN Ints operator<(Floats a, float b) { return {a.low < b, a.high < b}; }
LANES_FN Ints operator>(Floats a, float b) { return {a.low > b, a.high > b}; }

template <>
inline __attribute__((always_inline)) Floats load<Floats>(const void* from) {
    return {load<Floats::Half>(from), load<Floats::Half>(static_cast<const float*>(from) + 8)};
}

template <>
inline __attribute__((always_inline)) Ints load<Ints>(const void* from) {
    return {load<Ints::Half>(from), load<Ints::Half>(static_cast<const std::int32_t*>(from) + 8)};
}

template <class T>
LANES_FN void store(void* to, Halves<T> v) {
    store(to, v.low);
    store(static_cast<T*>(to) + 8, v.high);
}

LANES_FN Floats all(float x) { return Floats{} + x; }
LANES_FN Floats select(Ints which, Floats yes, Floats no) {
    return {which.low ? yes.low : no.low, which.high ? yes.high : no.high};
}
LANES_FN Floats to_floats(Ints v) {
    return {__builtin_convertvector(v.low, Eight), __builtin_convertvector(v.high, Eight)};
}

template <class To, class From>
LANES_FN To bits(From v) {
    return {(typename To::Half)v.low, (typename To::Half)v.high};
}

LANES_FN Floats larger(Floats a, Floats b) {
    return {(Eight)_mm256_max_ps((__m256)a.low, (__m256)b.low), (Eight)_mm256_max_ps((__m256)a.high, (__m256)b.high)};
}

LANES_FN Floats smaller(Floats a, Floats b) {
    return {(Eight)_mm256_min_ps((__m256)a.low, (__m256)b.low), (Eight)_mm256_min_ps((__m256)a.high, (__m256)b.high)};
}

LANES_FN Ints larger(Ints a, Ints b) { return {a.low > b.low ? a.low : b.low, a.high > b.high ? a.high : b.high}; }

LANES_FN Ints widen(const void* bytes) {
    const auto eight = [&](int first) {
        return (Ints::Half)_mm256_cvtepu8_epi32(
            _mm_loadl_epi64(reinterpret_cast<const __m128i*>(static_cast<const std::uint8_t*>(bytes) + first)));
    };
    return {eight(0), eight(8)};
}

LANES_FN Bytes narrow(Ints v) {
    const __m256i halves = _mm256_permute4x64_epi64(_mm256_packus_epi32((__m256i)v.low, (__m256i)v.high), 0xD8);
    return (Bytes)_mm_packus_epi16(_mm256_castsi256_si128(halves), _mm256_extracti128_si256(halves, 1));
}

LANES_FN Eight folded(Floats v) { return v.low + v.high; }

}  // namespace
}  // namespace reverie

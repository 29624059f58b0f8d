// Sixteen lanes in the compiler's vector types.
#pragma once
#include "memory.h"

namespace reverie {
namespace {

typedef float Floats __attribute__((vector_size(64)));
typedef std::int32_t Ints __attribute__((vector_size(64)));

LANES_FN Floats all(float x) { return Floats{} + x; }
LANES_FN Floats select(Ints which, Floats yes, Floats no) { return which ? yes : no; }
LANES_FN Floats to_floats(Ints v) { return __builtin_convertvector(v, Floats); }

// The same bits under another type.
template <class To, class From>
LANES_FN To bits(From v) {
    return (To)v;
}

// a > b ? a : b, and a < b ? a : b, as x86 has them.
LANES_FN Floats larger(Floats a, Floats b) {
#if defined(__AVX512F__)
    return (Floats)_mm512_max_ps((__m512)a, (__m512)b);
#else
    return a > b ? a : b;
#endif
}

LANES_FN Floats smaller(Floats a, Floats b) {
#if defined(__AVX512F__)
    return (Floats)_mm512_min_ps((__m512)a, (__m512)b);
#else
    return a < b ? a : b;
#endif
}

LANES_FN Ints larger(Ints a, Ints b) { return a > b ? a : b; }

// Sixteen bytes as integers, and integers of 0 to 255 as bytes; the compiler's own conversions go byte by byte.
LANES_FN Ints widen(const void* bytes) {
#if defined(__AVX512F__)
    return (Ints)_mm512_cvtepu8_epi32(load<__m128i>(bytes));
#else
    return __builtin_convertvector(load<Bytes>(bytes), Ints);
#endif
}

LANES_FN Bytes narrow(Ints v) {
#if defined(__AVX512F__)
    return (Bytes)_mm512_cvtepi32_epi8((__m512i)v);
#else
    return __builtin_convertvector(v, Bytes);
#endif
}

// Lanes i and i + 8.
LANES_FN Eight folded(Floats v) {
    return __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7) + __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15);
}

}  // namespace
}  // namespace reverie

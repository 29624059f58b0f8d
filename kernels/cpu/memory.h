// Vectors that lie anywhere in memory.
#pragma once
#include <cstdint>
#include <cstring>
#include <type_traits>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define LANES_FN static inline __attribute__((always_inline))

namespace reverie {
namespace {

typedef std::uint8_t Bytes __attribute__((vector_size(16)));
typedef float Eight __attribute__((vector_size(32)));

template <class V>
LANES_FN V load(const void* from) {
    V v;
    std::memcpy(&v, from, sizeof v);
    return v;
}

template <class V>
LANES_FN void store(void* to, V v) {
    std::memcpy(to, &v, sizeof v);
}

}  // namespace
}  // namespace reverie

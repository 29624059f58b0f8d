// One source for two compilers.  nvcc: a block of warps of 32 lanes.  g++: a block is one fibre with one warp of one lane.
//
// Work is written for a warp: loops over `lane()` and `lanes_wide`, sums in a fixed order, tiles of byte products.  All lanes
// of a warp, and all warps of a block, pass the same synchronising calls.
#pragma once
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(__CUDACC__)
#define DEVICE static __device__ __forceinline__
#else
#define DEVICE static inline
#endif

namespace reverie::cuda {

constexpr int group = 16;      // lanes of a sum in order, and outs in one packed group
constexpr int tile_rows = 16;  // pixels, queries or positions of a tile
constexpr int tile_outs = 32;

DEVICE int parts(int whole, int most) { return (whole + most - 1) / most; }

#if defined(__CUDACC__)

constexpr int lanes_wide = 32;
DEVICE int lane() { return threadIdx.x % 32; }
DEVICE int warp() { return threadIdx.x / 32; }
DEVICE int warps() { return blockDim.x / 32; }
DEVICE int thread() { return threadIdx.x; }
DEVICE int threads() { return blockDim.x; }
DEVICE void block_sync() { __syncthreads(); }
DEVICE void warp_sync() { __syncwarp(); }

DEVICE std::uint32_t load_acquire(const std::uint32_t* from) {
    std::uint32_t value;
    asm volatile("ld.acquire.gpu.global.u32 %0, [%1];" : "=r"(value) : "l"(from) : "memory");
    return value;
}
DEVICE void add_release(std::uint32_t* to) {
    asm volatile("red.release.gpu.global.add.u32 [%0], 1;" : : "l"(to) : "memory");
}
DEVICE void relax() { __nanosleep(64); }
DEVICE float root(float x) { return __fsqrt_rn(x); }
DEVICE float over(float a, float b) { return __fdiv_rn(a, b); }
DEVICE int bits(float x) { return __float_as_int(x); }
DEVICE float from_bits(int x) { return __int_as_float(x); }

// The sum of f(k) for k < n: sixteen lanes side by side, then a tree, as reverie.kernels.reference has it.
template <class F>
DEVICE float sum_in_order(int n, F f) {
    float sum = 0.0f;
    if (lane() < group)
        for (int k = lane(); k < n; k += group) sum = sum + f(k);
    for (int step = 8; step; step /= 2) sum = sum + __shfl_xor_sync(~0u, sum, step);
    return __shfl_sync(~0u, sum, 0);
}
template <class F>
DEVICE int whole_sum(int n, F f) {
    int sum = 0;
    for (int k = lane(); k < n; k += 32) sum += f(k);
    for (int step = 16; step; step /= 2) sum += __shfl_xor_sync(~0u, sum, step);
    return sum;
}
template <class T, class F>
DEVICE T maximum(T least, int n, F f) {
    for (int k = lane(); k < n; k += 32) least = f(k) > least ? f(k) : least;
    for (int step = 16; step; step /= 2) {
        const T other = __shfl_xor_sync(~0u, least, step);
        least = other > least ? other : least;
    }
    return least;
}

// Sums of 16 rows by 32 outs, over the lanes as mma.m16n8k32 has them.
struct Tile {
    int v[4][4] = {};
};

// What a warp multiplies at a time lies in shared memory, and the next beside it: sixteen rows of 32 bytes, and weights of
// 32 outs by 32 bytes.  Rows lie so far apart that the lanes' words are in 32 banks.
constexpr int row_pitch = 48, four_pitch = 96, stage_bytes = tile_rows * row_pitch + tile_outs / group * 8 * four_pitch;
constexpr int most_warps = 8;

DEVICE std::uint32_t stages_of_warp() {
    __shared__ __align__(16) std::uint8_t stages[most_warps][2][stage_bytes];
    return std::uint32_t(__cvta_generic_to_shared(stages[warp()]));
}
DEVICE void copy_async(std::uint32_t to, const void* from) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" : : "r"(to), "l"(from) : "memory");
}
DEVICE void commit() { asm volatile("cp.async.commit_group;" : : : "memory"); }
DEVICE void wait_for_all_but_the_newest() { asm volatile("cp.async.wait_group 1;" : : : "memory"); }
DEVICE void store_shared(std::uint32_t to, std::uint32_t word) {
    asm volatile("st.shared.u32 [%0], %1;" : : "r"(to), "r"(word) : "memory");
}
DEVICE std::uint32_t load_shared(std::uint32_t from) {
    std::uint32_t word;
    asm volatile("ld.shared.u32 %0, [%1];" : "=r"(word) : "r"(from) : "memory");
    return word;
}

// Asks for step `s`: from(row, chunk) are sixteen bytes of a row, or null for `fill`; weights are packed [k / 4][16][4].
template <class From>
DEVICE void ask(std::uint32_t stage, int s, int chunks, From from, std::uint32_t fill, const std::int8_t* weights,
                std::ptrdiff_t next_group, int outs) {
    const int row = lane() / 2, chunk = 2 * s + lane() % 2;
    const std::uint32_t to = stage + row * row_pitch + lane() % 2 * 16;
    const std::uint8_t* bytes = chunk < chunks ? from(row, chunk) : nullptr;
    if (bytes)
        copy_async(to, bytes);
    else
        for (int i = 0; i < 16; i += 4) store_shared(to + i, chunk < chunks ? fill : 0);
    const int four = lane() / 4;
    if (2 * s + four / 4 < chunks)
        for (int g = 0; g * group < outs; ++g)
            copy_async(stage + tile_rows * row_pitch + (g * 8 + four) * four_pitch + lane() % 4 * 16,
                       weights + g * next_group + s * 512 + four * 64 + lane() % 4 * 16);
}

// Multiplies what has come: 16 rows of 32 bytes by up to 32 outs.
DEVICE void multiply(Tile& t, std::uint32_t stage, int outs) {
    std::uint32_t a[4];
    const std::uint32_t rows = stage + (lane() % 8 + lane() / 8 % 2 * 8) * row_pitch + lane() / 16 * 16;
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(a[0]), "=r"(a[1]), "=r"(a[2]), "=r"(a[3]) : "r"(rows) : "memory");
#pragma unroll
    for (int j = 0; j < 4; ++j) {
        if (8 * j >= outs) break;
        const std::uint32_t b = stage + tile_rows * row_pitch + (j / 2 * 8 + lane() % 4) * four_pitch +
                                (j % 2 * 8 + lane() / 4) * 4;
        int* c = t.v[j];
        asm volatile(
            "mma.sync.aligned.m16n8k32.row.col.s32.u8.s8.s32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
            : "+r"(c[0]), "+r"(c[1]), "+r"(c[2]), "+r"(c[3])
            : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(load_shared(b)), "r"(load_shared(b + 4 * four_pitch)));
    }
}

// Adds products over `chunks` times sixteen bytes: while 32 are multiplied the next 32 are on their way.
template <class From>
DEVICE void multiply_run(Tile& t, int chunks, From from, std::uint32_t fill, const std::int8_t* weights,
                         std::ptrdiff_t next_group, int outs) {
    const std::uint32_t stages = stages_of_warp();
    const int steps = parts(chunks, 2);
    ask(stages, 0, chunks, from, fill, weights, next_group, outs);
    commit();
    for (int s = 0; s < steps; ++s) {
        if (s + 1 < steps) ask(stages + (s + 1) % 2 * stage_bytes, s + 1, chunks, from, fill, weights, next_group, outs);
        commit();
        wait_for_all_but_the_newest();
        warp_sync();
        multiply(t, stages + s % 2 * stage_bytes, outs);
        warp_sync();
    }
}

// Calls f(row, out, sum) for every sum of the tile that this lane has.
template <class F>
DEVICE void each(const Tile& t, int outs, F f) {
    for (int j = 0; j < 4 && 8 * j < outs; ++j)
        for (int i = 0; i < 4; ++i) f(lane() / 4 + i / 2 * 8, 8 * j + lane() % 4 * 2 + i % 2, t.v[j][i]);
}

#else

}  // namespace reverie::cuda

#include <atomic>

namespace reverie::cuda {

constexpr int lanes_wide = 1;
DEVICE int lane() { return 0; }
DEVICE int warp() { return 0; }
DEVICE int warps() { return 1; }
DEVICE int thread() { return 0; }
DEVICE int threads() { return 1; }
DEVICE void block_sync() {}
DEVICE void warp_sync() {}
void relax();  // gives way to another block: whoever emulates has it

DEVICE std::uint32_t load_acquire(const std::uint32_t* from) {
    return std::atomic_ref<std::uint32_t>(*const_cast<std::uint32_t*>(from)).load(std::memory_order_acquire);
}
DEVICE void add_release(std::uint32_t* to) {
    std::atomic_ref<std::uint32_t>(*to).fetch_add(1, std::memory_order_release);
}
DEVICE float root(float x) { return std::sqrt(x); }
DEVICE float over(float a, float b) { return a / b; }
DEVICE int bits(float x) {
    int y;
    std::memcpy(&y, &x, 4);
    return y;
}
DEVICE float from_bits(int x) {
    float y;
    std::memcpy(&y, &x, 4);
    return y;
}

template <class F>
DEVICE float sum_in_order(int n, F f) {
    float sums[group] = {};
    for (int k = 0; k < n; ++k) sums[k % group] = sums[k % group] + f(k);
    for (int step = 8; step; step /= 2)
        for (int i = 0; i < step; ++i) sums[i] = sums[i] + sums[i + step];
    return sums[0];
}
template <class F>
DEVICE int whole_sum(int n, F f) {
    int sum = 0;
    for (int k = 0; k < n; ++k) sum += f(k);
    return sum;
}
template <class T, class F>
DEVICE T maximum(T least, int n, F f) {
    for (int k = 0; k < n; ++k) least = f(k) > least ? f(k) : least;
    return least;
}

struct Tile {
    int v[tile_rows][tile_outs] = {};
};

template <class From>
DEVICE void multiply_run(Tile& t, int chunks, From from, std::uint32_t fill, const std::int8_t* weights,
                         std::ptrdiff_t next_group, int outs) {
    for (int row = 0; row < tile_rows; ++row)
        for (int chunk = 0; chunk < chunks; ++chunk) {
            const std::uint8_t* bytes = from(row, chunk);
            for (int k = 0; k < 16; ++k) {
                const int a = bytes ? bytes[k] : int(fill & 255);
                const std::int8_t* b = weights + chunk * 256 + k / 4 * 64 + k % 4;
                for (int out = 0; out < outs; ++out) t.v[row][out] += a * b[out / group * next_group + out % group * 4];
            }
        }
}

template <class F>
DEVICE void each(const Tile& t, int outs, F f) {
    for (int row = 0; row < tile_rows; ++row)
        for (int out = 0; out < outs; ++out) f(row, out, t.v[row][out]);
}

#endif

// As lanes.h has them, one number at a time.
DEVICE float larger(float a, float b) { return a > b ? a : b; }
DEVICE float smaller(float a, float b) { return a < b ? a : b; }
DEVICE int least(int a, int b) { return a < b ? a : b; }

DEVICE int rounded(float x) {
    constexpr float magic = 12582912.0f;  // 1.5 * 2^23
    return bits(x + magic) - bits(magic);
}

DEVICE std::uint8_t to_byte(float x) { return std::uint8_t(rounded(smaller(larger(x, 0.0f), 255.0f))); }

DEVICE float exp2_of(float x) {
    const float bounded = larger(x, -126.0f);
    const int whole = rounded(bounded);
    const float f = bounded - float(whole);
    float p = 9.60079e-3f;
    p = p * f + 5.591611e-2f;
    p = p * f + 2.4023711e-1f;
    p = p * f + 6.9312216e-1f;
    p = p * f + 1.0f;
    return x < -126.0f ? 0.0f : from_bits(bits(p) + int(std::uint32_t(whole) << 23));
}

DEVICE int exp2_rounded(float x) {
    constexpr float magic = 12582912.0f;
    const float whole = x + magic, f = x - (whole - magic);
    float p = 5.517167e-2f;
    p = p * f + 2.4261112e-1f;
    p = p * f + 6.9326099e-1f;
    p = p * f + 9.9992807e-1f;
    return bits(from_bits(bits(p) + int(std::uint32_t(bits(whole)) << 23)) + magic) - bits(magic);
}

}  // namespace reverie::cuda

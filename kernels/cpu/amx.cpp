// AMX: tiles of 32 pixels x 32 outs in four accumulators of 16 x 16; the rest as on AVX-512.
//
// A tile register holds 16 rows of 64 bytes: 16 pixels' bytes of k, or 16 groups of 4 ks for 16 outs, which is how
// weights are packed.  Segments that are no multiple of 64 bytes long are multiplied with zeros at their end: weights
// are copied with that padding, activations may be read beyond the segment.
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "run.h"
#include "zmm.h"

namespace reverie {
namespace {

constexpr int side = 16;  // rows of a tile register, and pixels or outs in one

struct alignas(64) Shape {
    std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
    std::uint16_t bytes[16] = {};
    std::uint8_t rows[16] = {};
};

// The compiler does not know that tile loads read memory.
inline void settle() { __asm__ volatile("" ::: "memory"); }

// Registers 0-3 accumulate, 4-5 hold pixels, 6-7 weights; `low` rows of pixels in 0, 1, 4 and `high` in 2, 3, 5.
void configure(int low, int high) {
    static thread_local int now = -1;
    if (now == low * 32 + high) return;
    Shape shape;
    for (int r = 0; r < 8; ++r) shape.bytes[r] = 64, shape.rows[r] = side;
    shape.rows[0] = shape.rows[1] = shape.rows[4] = std::uint8_t(low);
    shape.rows[2] = shape.rows[3] = shape.rows[5] = std::uint8_t(high ? high : 1);
    settle();
    _tile_loadconfig(&shape);
    now = low * 32 + high;
}

struct Unit {
    static constexpr int pixels = 2 * side;

    // Weights of the last `length` < 64 bytes of a segment, with zeros behind them: [16][64].
    static void pad(const std::int8_t* from, int length, std::int8_t* to) {
        std::memcpy(to, from, length * lanes);
        std::memset(to + length * lanes, 0, (64 - length) * lanes);
        settle();
    }

    template <int Wide, bool Tall>
    static void multiply_tiles(const Segment* segments, int n, std::ptrdiff_t group, Fetch* fetch) {
        alignas(64) std::int8_t padded[Wide][1024];
        for (int s = 0; s < n; ++s) {
            const Segment& at = segments[s];
            for (int k = 0; k < at.length; k += 64) {
                const std::int8_t* w[2] = {at.weight + k * lanes, at.weight + k * lanes + group};
                if (at.length - k < 64)
                    for (int j = 0; j < Wide; ++j) pad(w[j], at.length - k, padded[j]), w[j] = padded[j];
                _tile_loadd(4, at.start + k, at.stride);
                _tile_loadd(6, w[0], 64);
                _tile_dpbusd(0, 4, 6);
                if constexpr (Wide == 2) {
                    _tile_loadd(7, w[1], 64);
                    _tile_dpbusd(1, 4, 7);
                }
                if (fetch) fetch->step<2>(4);
                if constexpr (Tall) {
                    _tile_loadd(5, at.start + k + side * at.stride, at.stride);
                    _tile_dpbusd(2, 5, 6);
                    if constexpr (Wide == 2) _tile_dpbusd(3, 5, 7);
                }
            }
        }
    }

    // Every row of an accumulator begins as the same 16 biases: a load with stride 0.
    template <int Wide>
    static void multiply(
        const Segment* segments, int n, std::ptrdiff_t group, const std::int32_t* bias, int count, std::int32_t* sums,
        std::ptrdiff_t row = Wide * lanes, Fetch* fetch = nullptr) {
        static const std::int32_t none[2 * lanes] = {};
        const std::int32_t* start = bias ? bias : none;
        const int low = least(count, side), high = count - low;
        configure(low, high);
        settle();
        _tile_loadd(0, start, 0);
        if constexpr (Wide == 2) _tile_loadd(1, start + lanes, 0);
        if (high) {
            _tile_loadd(2, start, 0);
            if constexpr (Wide == 2) _tile_loadd(3, start + lanes, 0);
            multiply_tiles<Wide, true>(segments, n, group, fetch);
            _tile_stored(2, sums + side * row, row * 4);
            if constexpr (Wide == 2) _tile_stored(3, sums + side * row + lanes, row * 4);
        } else {
            multiply_tiles<Wide, false>(segments, n, group, fetch);
        }
        _tile_stored(0, sums, row * 4);
        if constexpr (Wide == 2) _tile_stored(1, sums + lanes, row * 4);
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
    alignas(64) static const std::uint8_t zeros[1024] = {};
    configure(side, side);
    _tile_loadd(4, zeros, 64);
    _tile_loadd(5, zeros, 64);
    _tile_loadd(6, zeros, 64);
    _tile_loadd(7, zeros, 64);
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (long s = 0; s < steps; ++s) {
        _tile_dpbusd(0, 4, 6);
        _tile_dpbusd(1, 4, 7);
        _tile_dpbusd(2, 5, 6);
        _tile_dpbusd(3, 5, 7);
    }
    return 2.0 * 4 * 16 * 16 * 64 * double(steps);
}

// Asks the kernel for the tile registers (Linux, Documentation/arch/x86/xstate.rst); once for the process.
bool legal() {
    unsigned eax, ebx, ecx, edx;  // CPUID leaf 7: EDX bits 24 and 25 (Intel SDM, volume 2A)
    __asm__("cpuid" : "=a"(eax), "=b"(ebx), "=c"(ecx), "=d"(edx) : "a"(7), "c"(0));
    if ((edx >> 24 & 3) != 3 || !avx512_path.legal()) return false;
    constexpr long request = 0x1023, tile_data = 18;
    return syscall(SYS_arch_prctl, request, tile_data) == 0;
}

}  // namespace

const Path amx_path{"amx", legal, run_task<Unit>, peak};

}  // namespace reverie

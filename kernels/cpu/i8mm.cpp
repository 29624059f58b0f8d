// NEON with dot products of unsigned and signed bytes (Arm v8.6, I8MM: Graviton3 and later).
#include "neon.h"

namespace reverie {
namespace {

struct Mixed {
    using Bytes = uint8x16_t;
    static Bytes bytes(const std::uint8_t* from) { return vld1q_u8(from); }
    static int32x4_t off(int32x4_t sum, int8x16_t) { return sum; }
    template <int Lane>
    static int32x4_t add(int32x4_t acc, Bytes a, int8x16_t b) {
        return vsudotq_laneq_s32(acc, b, a, Lane);
    }
};

bool legal() { return getauxval(AT_HWCAP2) >> 13 & 1; }  // HWCAP2_I8MM

}  // namespace

const Path i8mm_path{"i8mm", legal, run_task<Neon<Mixed>>, neon_peak<Mixed>};

}  // namespace reverie

// NEON with dot products of signed bytes (Arm v8.2: Graviton2): inputs are moved by 128, and the sums moved back.
#include "neon.h"

namespace reverie {
namespace {

struct Signs {
    using Bytes = int8x16_t;
    static Bytes bytes(const std::uint8_t* from) { return vreinterpretq_s8_u8(veorq_u8(vld1q_u8(from), vdupq_n_u8(128))); }
    static int32x4_t off(int32x4_t sum, int8x16_t b) { return vdotq_s32(sum, b, vdupq_n_s8(-128)); }
    template <int Lane>
    static int32x4_t add(int32x4_t acc, Bytes a, int8x16_t b) {
        return vdotq_laneq_s32(acc, b, a, Lane);
    }
};

bool legal() { return getauxval(AT_HWCAP) >> 20 & 1; }  // HWCAP_ASIMDDP

}  // namespace

const Path neon_path{"neon", legal, run_task<Neon<Signs>>, neon_peak<Signs>};

}  // namespace reverie

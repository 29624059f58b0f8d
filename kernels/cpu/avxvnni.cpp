// AVX2 with VNNI in 256 bits (AVX-VNNI: client processors without AVX-512).
#include "ymm.h"

namespace reverie {
namespace {

struct Dot {
    static __m256i add(__m256i acc, __m256i a, __m256i b) { return _mm256_dpbusd_avx_epi32(acc, a, b); }
};

bool legal() {
    unsigned eax, ebx, ecx, edx;  // CPUID leaf 7, subleaf 1: EAX bit 4 (Intel SDM, volume 2A)
    if (!__builtin_cpu_supports("avx2")) return false;
    __asm__("cpuid" : "=a"(eax), "=b"(ebx), "=c"(ecx), "=d"(edx) : "a"(7), "c"(1));
    return eax >> 4 & 1;
}

}  // namespace

const Path avxvnni_path{"avxvnni", legal, run_task<Ymm<Dot>>, ymm_peak<Dot>};

}  // namespace reverie

// AVX2 without VNNI: bytes are widened to 16 bits, so that no intermediate sum can saturate.
#include "ymm.h"

namespace reverie {
namespace {

struct Widened {
    // acc[o] += sum of a[4o..4o+3] * b[4o..4o+3], unsigned times signed.
    static __m256i add(__m256i acc, __m256i a, __m256i b) {
        const __m256i low = _mm256_madd_epi16(_mm256_cvtepu8_epi16(_mm256_castsi256_si128(a)),
                                              _mm256_cvtepi8_epi16(_mm256_castsi256_si128(b)));
        const __m256i high = _mm256_madd_epi16(_mm256_cvtepu8_epi16(_mm256_extracti128_si256(a, 1)),
                                               _mm256_cvtepi8_epi16(_mm256_extracti128_si256(b, 1)));
        const __m256i pairs = _mm256_permute4x64_epi64(_mm256_hadd_epi32(low, high), 0xD8);
        return _mm256_add_epi32(acc, pairs);
    }
};

bool legal() { return __builtin_cpu_supports("avx2"); }

}  // namespace

const Path avx2_path{"avx2", legal, run_task<Ymm<Widened>>, ymm_peak<Widened>};

}  // namespace reverie

// The whole program in one launch: as many blocks as fit at once, cooperatively, one queue each.
#include "interpreter.h"

constexpr int threads_per_block = 256;

extern "C" __global__ void __launch_bounds__(threads_per_block, 1) reverie_megakernel(const reverie::cuda::Launch launch) {
    __shared__ volatile int flag;
    reverie::cuda::interpret(launch, blockIdx.x, &flag);
}

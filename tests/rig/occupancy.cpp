// NVIDIA's own occupancy calculator: occupancy REGISTERS SHARED THREADS prints the blocks that an H100 multiprocessor runs at once.
#include <cuda_occupancy.h>

#include <cstdio>
#include <cstdlib>

int main(int, char** given) {
    cudaOccDeviceProp card;
    card.computeMajor = 9, card.computeMinor = 0;
    card.maxThreadsPerBlock = 1024, card.maxThreadsPerMultiprocessor = 2048;
    card.regsPerBlock = card.regsPerMultiprocessor = 65536, card.warpSize = 32;
    card.sharedMemPerBlock = 48 << 10, card.sharedMemPerMultiprocessor = 228 << 10, card.sharedMemPerBlockOptin = 227 << 10;
    card.numSms = 132, card.reservedSharedMemPerBlock = 1024;
    cudaOccFuncAttributes function;
    function.maxThreadsPerBlock = 1024, function.numRegs = std::atoi(given[1]);
    function.sharedSizeBytes = std::size_t(std::atoi(given[2])), function.shmemLimitConfig = FUNC_SHMEM_LIMIT_OPTIN;
    function.maxDynamicSharedSizeBytes = 0;
    cudaOccDeviceState state;
    state.carveoutConfig = SHAREDMEM_CARVEOUT_MAX_SHARED;
    cudaOccResult found;
    const int error = cudaOccMaxActiveBlocksPerMultiprocessor(&found, &card, &function, &state, std::atoi(given[3]), 0);
    std::printf("%d\n", error ? -error : found.activeBlocksPerMultiprocessor);
    return error;
}

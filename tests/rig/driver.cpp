// NVIDIA's driver for a machine without a GPU: its calls, a GPU's memory that is checked, and a launch on fibres.
// Built as a library that kernels/cuda/driver.py loads in the place of libcuda.  `emulated_seed` is its only own call.
#include <cstdlib>
#include <cstring>
#include <map>

#include "../../kernels/cuda/fibres.h"

namespace {

using namespace reverie;

enum Result { success = 0, invalid_value = 1, out_of_memory = 2, not_found = 500, too_large = 720 };

constexpr int multiprocessors = 132;
constexpr std::size_t total_bytes = std::size_t(2) << 30;
std::map<std::uint64_t, std::size_t> held;
std::size_t used = 0;
unsigned seed = 1;

bool inside(std::uint64_t place, std::size_t size) {
    auto found = held.upper_bound(place);
    if (found == held.begin()) return false;
    --found;
    return place + size <= found->first + found->second;
}

}  // namespace

extern "C" {

void emulated_seed(unsigned number) { seed = number; }
std::size_t emulated_used() { return used; }

int cuInit(unsigned) { return success; }
int cuDeviceGetCount(int* count) { return *count = 1, success; }
int cuDeviceGet(int* device, int) { return *device = 0, success; }
int cuDeviceGetName(char* name, int size, int) { return std::strncpy(name, "emulated GPU", std::size_t(size)), success; }
int cuDeviceGetAttribute(int* value, int what, int) {
    *value = what == 16 ? multiprocessors : what == 75 ? 9 : what == 76 ? 0 : 1;
    return success;
}
int cuDevicePrimaryCtxRetain(void** context, int) { return *context = &held, success; }
int cuDevicePrimaryCtxRelease_v2(int) { return success; }
int cuCtxSetCurrent(void* context) { return context == &held ? success : invalid_value; }
int cuCtxSynchronize() { return success; }
int cuGetErrorString(int code, const char** said) {
    *said = code == out_of_memory ? "out of memory"
            : code == not_found   ? "named symbol not found"
            : code == too_large   ? "too many blocks in cooperative launch"
                                  : "invalid argument";
    return success;
}
int cuModuleLoadData(void** module, const char* image) {
    if (!image || !*image) return invalid_value;
    return *module = &used, success;
}
int cuModuleUnload(void*) { return success; }
int cuModuleGetFunction(void** function, void*, const char* name) {
    if (std::strcmp(name, "reverie_megakernel")) return not_found;
    return *function = &seed, success;
}
int cuOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, void*, int, std::size_t) { return *blocks = 1, success; }

int cuMemAlloc_v2(std::uint64_t* place, std::size_t size) {
    if (!size || used + size > total_bytes) return size ? out_of_memory : invalid_value;
    used += size;
    *place = reinterpret_cast<std::uint64_t>(std::malloc(size));
    std::memset(reinterpret_cast<void*>(*place), 0xA5, size);
    return held[*place] = size, success;
}
int cuMemFree_v2(std::uint64_t place) {
    if (!held.count(place)) return invalid_value;
    used -= held[place];
    held.erase(place);
    return std::free(reinterpret_cast<void*>(place)), success;
}
int cuMemsetD8_v2(std::uint64_t place, unsigned char value, std::size_t size) {
    return inside(place, size) ? (std::memset(reinterpret_cast<void*>(place), value, size), success) : invalid_value;
}
int cuMemcpyHtoD_v2(std::uint64_t place, const void* from, std::size_t size) {
    return inside(place, size) ? (std::memcpy(reinterpret_cast<void*>(place), from, size), success) : invalid_value;
}
int cuMemcpyDtoH_v2(void* to, std::uint64_t place, std::size_t size) {
    return inside(place, size) ? (std::memcpy(to, reinterpret_cast<void*>(place), size), success) : invalid_value;
}

int cuLaunchCooperativeKernel(
    void* function, unsigned blocks, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void*, void** given) {
    if (function != &seed) return invalid_value;
    if (blocks > multiprocessors) return too_large;
    cuda::Launch launch;
    std::memcpy(&launch, given[0], sizeof launch);
    std::vector<int> flags(blocks);
    int looks = 0;  // a healthy launch of a test needs few steps: the device's own patience is about a second
    cuda::fibres.run(int(blocks), seed, [&](int block) { cuda::interpret(launch, block, &flags[std::size_t(block)]); },
                     [&] { if (++looks == 10) *launch.abort = 1; });
    return success;
}
}

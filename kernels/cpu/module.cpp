// The Python module `reverie.kernels._cpu`: convolutions on NumPy arrays, on any legal path, rows split over threads.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>

#include "conv.h"

namespace nb = nanobind;
using namespace reverie;

namespace {

template <class T>
using Array = nb::ndarray<const T, nb::c_contig, nb::device::cpu>;
using Output = nb::ndarray<std::uint8_t, nb::ndim<3>, nb::c_contig, nb::device::cpu>;

std::vector<const Path*> all_paths() {
#if defined(__x86_64__)
    return {&avx512_path, &avxvnni_path, &avx2_path, &portable_path};
#else
    return {&portable_path};
#endif
}

const Path& path_of(const std::string& name) {
    for (const Path* path : all_paths())
        if (path->legal() && (name.empty() || name == path->name)) return *path;
    throw std::invalid_argument("no path '" + name + "' runs on this processor");
}

std::vector<std::string> paths() {
    std::vector<std::string> names;
    for (const Path* path : all_paths())
        if (path->legal()) names.push_back(path->name);
    return names;
}

void check(bool holds, const std::string& text) {
    if (!holds) throw std::invalid_argument(text);
}

struct Operands {
    Array<std::uint8_t> x;
    std::optional<Array<std::uint8_t>> beside, residual, table;
    Array<std::int8_t> weight;
    Array<std::int32_t> bias;
    Array<float> scale, shift;
    Output y;
};

std::string shape_of(const auto& a) {
    std::string text = "(";
    for (std::size_t i = 0; i < a.ndim(); ++i) text += (i ? ", " : "") + std::to_string(a.shape(i));
    return text + ")";
}

// The convolution that the arrays describe.  Throws if a shape does not fit; nothing is read or written before.
Conv described(const Operands& o, int kernel, bool shuffle, int activation, float gate, float residual_scale) {
    check(o.x.ndim() == 3, "x must be (height, width, channels), got " + shape_of(o.x));
    check(kernel >= 1 && kernel <= 3, "kernel must be 1, 2 or 3, got " + std::to_string(kernel));
    check(activation >= 0 && activation <= 3, "unknown activation " + std::to_string(activation));
    Conv c{};
    c.height = int(o.x.shape(0)), c.width = int(o.x.shape(1)), c.channels = int(o.x.shape(2));
    c.kernel = kernel, c.shuffle = shuffle, c.activation = Activation(activation);
    c.gate = gate, c.residual_scale = residual_scale;
    c.outs = int(o.bias.size());
    check(c.height > 0 && c.width > 0, "x is empty: " + shape_of(o.x));
    check(kernel != 2 || (c.height % 2 == 0 && c.width % 2 == 0), "kernel 2 needs even sides, got " + shape_of(o.x));
    check(c.channels > 0 && c.channels % 16 == 0, "channels must be a multiple of 16, got " + std::to_string(c.channels));
    check(c.outs > 0 && c.outs % (shuffle ? 64 : 16) == 0, "outs must be a multiple of 16 (64 if shuffled), got " + std::to_string(c.outs));
    if (o.beside) {
        check(kernel == 1 && o.beside->ndim() == 3 && o.beside->shape(0) == o.x.shape(0) && o.beside->shape(1) == o.x.shape(1) &&
                  o.beside->shape(2) % 16 == 0,
              "beside must be as x, with kernel 1, got " + shape_of(*o.beside));
        c.channels_beside = int(o.beside->shape(2));
        c.beside = o.beside->data();
    }
    check(o.weight.size() == std::size_t(c.outs) * c.depth(), "weight must hold outs * depth = " + std::to_string(std::size_t(c.outs) * c.depth()) + " bytes, got " + std::to_string(o.weight.size()));
    check(int(o.scale.size()) == c.outs && int(o.shift.size()) == c.outs, "scale and shift must hold one value per out");
    const std::size_t up = shuffle ? 2 : 1;
    check(o.y.shape(0) == up * c.rows() && o.y.shape(1) == up * c.columns() && o.y.shape(2) == std::size_t(c.outs) / (up * up), "y has the wrong shape " + shape_of(o.y));
    check(!o.residual || o.residual->size() == o.y.size(), "residual must be as y");
    check(!o.residual || c.activation != Activation::table, "a table takes no residual");
    check((c.activation == Activation::table) == bool(o.table), "a table goes with the activation table");
    check(!o.table || o.table->size() == 256, "a table has 256 entries");
    c.x = o.x.data(), c.weight = o.weight.data(), c.bias = o.bias.data(), c.scale = o.scale.data(), c.shift = o.shift.data();
    c.residual = o.residual ? o.residual->data() : nullptr;
    c.table = o.table ? o.table->data() : nullptr;
    c.y = o.y.data();
    return c;
}

void run(const Path& path, const Conv& conv, int workers) {
    std::vector<std::thread> others;
    const int rows = conv.rows();
    for (int i = 1; i < workers; ++i)
        others.emplace_back([&, i] { path.conv(conv, rows * i / workers, rows * (i + 1) / workers); });
    path.conv(conv, 0, rows / workers);
    for (auto& other : others) other.join();
}

double seconds_since(std::chrono::steady_clock::time_point start) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Operations per second of register-only multiply-adds, on `workers` threads at once.
double peak(const std::string& name, int workers, long steps) {
    const Path& path = path_of(name);
    check(workers >= 1 && workers <= 256, "workers must be 1 to 256");
    nb::gil_scoped_release released;
    std::vector<double> done(workers);
    std::vector<std::thread> threads;
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < workers; ++i) threads.emplace_back([&, i] { done[i] = path.peak(steps); });
    for (auto& thread : threads) thread.join();
    double sum = 0;
    for (double d : done) sum += d;
    return sum / seconds_since(start);
}

}  // namespace

NB_MODULE(_cpu, m) {
    m.def("paths", &paths, "Names of the paths this processor can run, the quickest first.");
    m.def("peak", &peak, nb::arg("path"), nb::arg("workers"), nb::arg("steps"));
    m.def(
        "conv",
        [](Array<std::uint8_t> x, Array<std::int8_t> weight, Array<std::int32_t> bias, Array<float> scale, Array<float> shift,
           Output y, int kernel, bool shuffle, int activation, float gate, std::optional<Array<std::uint8_t>> table,
           std::optional<Array<std::uint8_t>> residual, float residual_scale, std::optional<Array<std::uint8_t>> beside,
           const std::string& path, int workers, int repeat) {
            const Operands operands{x, beside, residual, table, weight, bias, scale, shift, y};
            const Conv conv = described(operands, kernel, shuffle, activation, gate, residual_scale);
            const Path& chosen = path_of(path);
            check(workers >= 1 && workers <= 256, "workers must be 1 to 256");
            nb::gil_scoped_release released;
            const auto start = std::chrono::steady_clock::now();
            if (workers == 1) {
                for (int i = 0; i < repeat; ++i) chosen.conv(conv, 0, conv.rows());
            } else if (repeat == 1) {
                run(chosen, conv, workers);
            } else {  // each worker repeats its own rows: what persistent workers do, without their hand-over
                std::vector<std::thread> threads;
                for (int i = 0; i < workers; ++i)
                    threads.emplace_back([&, i] {
                        for (int r = 0; r < repeat; ++r)
                            chosen.conv(conv, conv.rows() * i / workers, conv.rows() * (i + 1) / workers);
                    });
                for (auto& thread : threads) thread.join();
            }
            return seconds_since(start) / repeat;
        },
        nb::arg("x").noconvert(), nb::arg("weight").noconvert(), nb::arg("bias").noconvert(), nb::arg("scale").noconvert(),
        nb::arg("shift").noconvert(), nb::arg("y").noconvert(), nb::arg("kernel"),
        nb::arg("shuffle"), nb::arg("activation"), nb::arg("gate"), nb::arg("table").none().noconvert(), nb::arg("residual").none().noconvert(),
        nb::arg("residual_scale"), nb::arg("beside").none().noconvert(), nb::arg("path"), nb::arg("workers"), nb::arg("repeat"),
        "Runs a convolution into y and returns the seconds of one run.");
}

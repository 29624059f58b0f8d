// The Python module `reverie.kernels._cpu`: programs, their instances, and the workers that run them.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <chrono>
#include <stdexcept>

#include "machine.h"

namespace nb = nanobind;
using namespace reverie;

namespace {

using Bytes = nb::ndarray<std::uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Ints = nb::ndarray<const std::int32_t, nb::c_contig, nb::device::cpu>;

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

void check(bool holds, const char* text) {
    if (!holds) throw std::invalid_argument(text);
}

std::shared_ptr<Program> load(
    Ints nodes, Ints waits, nb::bytes records, Ints counters, const std::vector<std::vector<std::vector<std::int32_t>>>& queues,
    int buffers) {
    auto program = std::make_shared<Program>();
    const std::size_t n = nodes.size() * 4 / sizeof(Node), row = sizeof(Node) / 4;
    check(nodes.size() % row == 0 && waits.size() % 2 == 0, "nodes and waits are not whole");
    check(records.size() == n * tasks::record_bytes, "one record a node");
    const auto* from = reinterpret_cast<const std::uint8_t*>(records.c_str());
    program->nodes.resize(n), program->waits.resize(waits.size() / 2);
    std::memcpy(static_cast<void*>(program->nodes.data()), nodes.data(), nodes.size() * 4);
    std::memcpy(static_cast<void*>(program->waits.data()), waits.data(), waits.size() * 4);
    program->records.assign(from, from + records.size());
    program->counters.assign(counters.data(), counters.data() + counters.size());
    program->queues = queues;
    program->buffers = buffers;
    return program;
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
    return sum / std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double launch(
    Pool& pool, const std::vector<std::pair<Instance*, int>>& jobs, int order, double timeout_s, bool traced) {
    std::vector<Job> all;
    for (const auto& [instance, model] : jobs) {
        check(model >= 0 && model < int(instance->epochs.size()), "there is no such model");
        check(int(instance->program->queues[model].size()) == pool.workers(), "the program has queues for other workers");
        for (const Job& job : all)
            check(job.instance != instance || job.model != model, "a model of an instance can run once a launch");
        all.push_back({instance, model});
    }
    check(order >= 0 && order <= 2, "unknown order");
    try {
        nb::gil_scoped_release released;
        return pool.launch(all, Order(order), timeout_s, traced);
    } catch (const std::runtime_error&) {
        if (pool.broken()) {  // a worker may come back to it: it must outlive everything
            nb::find(pool).inc_ref();
            nb::set_leak_warnings(false);
        }
        throw;
    }
}

using Plane = nb::ndarray<const std::uint8_t, nb::shape<-1, -1, 3>, nb::c_contig, nb::device::cpu>;
using Cells = nb::ndarray<std::int32_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

constexpr int cell = 16, part = 4;  // pixels: of a token, and of what is averaged so that noise does not count

// Per cell the largest |sum of differences| among its 4 x 4 parts; every other row of them is looked at.
void changes(Plane now, Plane then, Cells most) {
    const int rows = int(most.shape(0)), columns = int(most.shape(1)), line = int(now.shape(1)) * 3;
    for (const Plane& plane : {now, then})
        check(int(plane.shape(0)) == rows * cell && int(plane.shape(1)) == columns * cell, "pictures of whole cells");
    for (int y = 0; y < rows; ++y)
        for (int x = 0; x < columns; ++x) {
            std::int32_t top = 0;
            for (int py = 0; py < cell; py += part)
                for (int px = 0; px < cell; px += part) {
                    std::int32_t sum = 0;
                    for (int i = 0; i < part; i += 2) {
                        const std::ptrdiff_t at = std::ptrdiff_t(y * cell + py + i) * line + (x * cell + px) * 3;
                        for (int k = 0; k < 3 * part; ++k) sum += now.data()[at + k] - then.data()[at + k];
                    }
                    top = std::max(top, std::abs(sum));
                }
            most.data()[y * columns + x] = top;
        }
}

}  // namespace

NB_MODULE(_cpu, m) {
    m.def("paths", &paths, "Names of the paths this processor can run, the quickest first.");
    m.def("peak", &peak, nb::arg("path"), nb::arg("workers"), nb::arg("steps"));
    m.def("changes", &changes, nb::arg("now"), nb::arg("then"), nb::arg("most"));
    nb::class_<Program>(m, "Program");
    m.def("load", &load, nb::arg("nodes"), nb::arg("waits"), nb::arg("records"), nb::arg("counters"), nb::arg("queues"), nb::arg("buffers"));
    nb::class_<Instance>(m, "Instance")
        .def(nb::init<std::shared_ptr<const Program>>())
        .def("mask", [](Instance& self, std::size_t cells, int columns) {
            check(!cells || columns > 0, "a mask has columns");
            self.mask = {reinterpret_cast<const std::uint8_t*>(cells), columns};
        }, nb::arg("cells"), nb::arg("columns"))
        .def("place", [](Instance& self, std::vector<std::size_t> table) {
            check(table.size() == self.table.size(), "one address a buffer");
            for (std::size_t i = 0; i < table.size(); ++i) self.table[i] = reinterpret_cast<std::uint8_t*>(table[i]);
        }, nb::arg("addresses"));
    nb::class_<Pool>(m, "Pool")
        .def("__init__", [](Pool* self, const std::string& path, int workers, bool pin) {
            check(workers >= 1 && workers <= 256, "workers must be 1 to 256");
            new (self) Pool(path_of(path), workers, pin);
        }, nb::arg("path"), nb::arg("workers"), nb::arg("pin"))
        .def("launch", &launch, nb::arg("jobs"), nb::arg("order"), nb::arg("timeout_s"), nb::arg("traced"))
        .def("events", [](const Pool& self) {
            std::vector<std::tuple<int, int, int, std::int64_t, std::int64_t>> events;
            for (const Event& e : self.events()) events.emplace_back(e.worker, e.job, e.node, e.begin_ns, e.end_ns);
            return events;
        })
        .def_prop_ro("path", [](const Pool& self) { return self.path().name; })
        .def_prop_ro("workers", &Pool::workers)
        .def_prop_ro("broken", &Pool::broken);
}

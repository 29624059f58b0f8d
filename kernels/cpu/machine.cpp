#include "machine.h"

#include <pthread.h>
#include <sched.h>

#include <chrono>
#include <new>
#include <stdexcept>

namespace reverie {
namespace {

constexpr std::ptrdiff_t fetch_bytes = 1 << 18;  // ahead of use: a quarter of a second-level cache
constexpr int spins = 4000;  // about 20 us, then the processor is given away

std::int64_t now_ns() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void pause() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

// Worker i on the i-th processor that this process may use; without effect where there are fewer.
void pin_to(int worker) {
    cpu_set_t allowed, one;
    CPU_ZERO(&allowed);
    CPU_ZERO(&one);
    if (sched_getaffinity(0, sizeof allowed, &allowed)) return;
    for (int cpu = 0, seen = 0; cpu < CPU_SETSIZE; ++cpu)
        if (CPU_ISSET(cpu, &allowed) && seen++ == worker) {
            CPU_SET(cpu, &one);
            pthread_setaffinity_np(pthread_self(), sizeof one, &one);
            return;
        }
}

}  // namespace

std::vector<const Path*> all_paths() {
#if defined(__x86_64__)
    return {&amx_path, &avx512_path, &avxvnni_path, &avx2_path, &portable_path};
#elif defined(__aarch64__)
    return {&i8mm_path, &neon_path, &portable_path};
#else
    return {&portable_path};
#endif
}

Instance::Instance(std::shared_ptr<const Program> p)
    : program(std::move(p)), table(program->buffers), counters(new Counter[program->counters.size()]) {
    epochs.resize(program->queues.size());
}

void Instance::reset() {
    for (std::size_t i = 0; i < program->counters.size(); ++i) counters[i].value = 0;
    for (auto& epoch : epochs) epoch = 0;
}

Pool::Pool(const Path& path, int workers, bool pin) : path_(path), traces_(workers) {
    for (int i = 0; i < workers; ++i) {
        fetches_.push_back(std::make_unique<Fetch>());
        kept_.push_back(std::make_unique<Kept>());
    }
    for (int i = 0; i < workers; ++i)
        scratch_.push_back(static_cast<std::uint8_t*>(::operator new[](scratch_bytes, std::align_val_t(64))));
    for (int i = 0; i < workers; ++i)
        threads_.emplace_back([this, i, pin] {
            if (pin) pin_to(i);
            work(i);
        });
}

Pool::~Pool() {
    stop_ = abort_ = true;
    {
        std::lock_guard lock(mutex_);
        ++launches_;
    }
    wake_.notify_all();
    for (auto& thread : threads_) thread.join();
    for (auto* memory : scratch_) ::operator delete[](memory, std::align_val_t(64));
}

double Pool::launch(const std::vector<Job>& jobs, Order order, double timeout_s, bool traced) {
    if (broken_) throw std::runtime_error("a worker hangs; this pool cannot be used any more");
    const int workers = int(threads_.size());
    jobs_ = jobs;
    n_queues_ = jobs.size() * workers;
    queues_.reset(new Queue[n_queues_]);
    for (std::size_t j = 0; j < jobs.size(); ++j) {
        ++jobs[j].instance->epochs[jobs[j].model];
        for (int w = 0; w < workers; ++w) {
            Queue& queue = queues_[j * workers + w];
            queue.job = &jobs_[j], queue.index = int(j);
            queue.nodes = &jobs[j].instance->program->queues[jobs[j].model][w];
        }
    }
    order_ = order, traced_ = traced;
    for (auto& trace : traces_) trace.clear();
    finished_ = met_ = 0, abort_ = false;
    const auto began = now_ns();
    bool ended;
    {
        std::unique_lock lock(mutex_);
        launches_.fetch_add(1, std::memory_order_release);
        wake_.notify_all();
        const auto all_finished = [&] { return finished_.load(std::memory_order_acquire) == threads_.size(); };
        ended = done_.wait_for(lock, std::chrono::duration<double>(timeout_s), all_finished);
        if (!ended) {
            abort_ = true;
            broken_ = !done_.wait_for(lock, std::chrono::milliseconds(500), all_finished);
        }
    }
    const double seconds = double(now_ns() - began) * 1e-9;
    if (!ended || abort_) {
        if (!broken_)
            for (const Job& job : jobs) job.instance->reset();
        if (ended) throw std::runtime_error("a task has the unknown opcode " + std::to_string(unknown_));
        throw std::runtime_error("the launch did not end in " + std::to_string(timeout_s) + " s");
    }
    events_.clear();
    for (const auto& trace : traces_) events_.insert(events_.end(), trace.begin(), trace.end());
    return seconds;
}

void Pool::work(int worker) {
    Context context{nullptr, scratch_[worker], fetches_[worker].get(), kept_[worker].get(), 0, {}};
    for (std::uint32_t seen = 0;; ++seen) {
        context.launch = seen + 1;
        for (int i = 0; i < spins && launches_.load(std::memory_order_acquire) == seen; ++i) pause();
        {
            std::unique_lock lock(mutex_);
            wake_.wait(lock, [&] { return launches_.load(std::memory_order_acquire) != seen; });
        }
        if (stop_) return;
        if (order_ == Order::unfused)
            step_through(worker, context);
        else
            drain(worker, context);
        std::lock_guard lock(mutex_);
        if (finished_.fetch_add(1, std::memory_order_acq_rel) + 1 == threads_.size()) done_.notify_one();
    }
}

// The job that is furthest behind comes first, so that several models advance side by side.
void Pool::drain(int worker, const Context& context) {
    const int workers = int(threads_.size()), jobs = int(n_queues_) / workers;
    for (int idle = 0; !abort_.load(std::memory_order_relaxed);) {
        bool left = false, took = false;
        for (int shift = 0; shift < (order_ == Order::stealing ? workers : 1) && !took; ++shift) {
            double done_below = -1;
            for (int turn = 0; turn < jobs && !took; ++turn) {
                Queue* behind = nullptr;
                double least_done = 2;
                for (int j = 0; j < jobs; ++j) {
                    Queue& queue = queues_[j * workers + (worker + shift) % workers];
                    const int size = int(queue.nodes->size()), head = queue.head.load(std::memory_order_relaxed);
                    if (head >= size) continue;
                    const double done = (head + 0.5) / size + 1e-9 * j;
                    if (done > done_below && done < least_done) least_done = done, behind = &queue;
                }
                if (!behind) break;
                left = true, done_below = least_done;
                took = take(*behind, worker, context);
            }
        }
        if (took) {
            idle = 0;
        } else if (!left) {
            return;
        } else if (++idle < spins) {
            pause();
        } else {
            sched_yield();
        }
    }
}

bool Pool::ready(const Instance& instance, const Node& node) const {
    const Wait* wait = instance.program->waits.data() + node.first_wait;
    const std::uint32_t epoch = instance.epochs[node.model];
    for (int i = 0; i < node.n_waits; ++i) {
        const std::uint32_t wanted = epoch * std::uint32_t(wait[i].threshold);
        const std::uint32_t found = instance.counters[wait[i].counter].value.load(std::memory_order_acquire);
        if (std::int32_t(found - wanted) < 0) return false;  // counters may wrap around
    }
    return true;
}

bool Pool::take(Queue& queue, int worker, const Context& context) {
    int head = queue.head.load(std::memory_order_relaxed);
    if (head >= int(queue.nodes->size())) return false;
    const int number = (*queue.nodes)[head];
    if (!ready(*queue.job->instance, queue.job->instance->program->nodes[number])) return false;
    if (!queue.head.compare_exchange_strong(head, head + 1, std::memory_order_relaxed)) return false;
    look_ahead(worker, queue);
    execute(*queue.job, queue.index, worker, number, context);
    return true;
}

// What the worker's next tasks of another job will stream is fetched while this one computes.
void Pool::look_ahead(int worker, const Queue& but) {
    const int workers = int(threads_.size()), jobs = int(n_queues_) / workers;
    Fetch& fetch = *fetches_[worker];
    fetch = {};
    std::ptrdiff_t ahead = 0;
    for (int j = 0; j < jobs; ++j) {
        Queue& queue = queues_[j * workers + worker];
        if (queue.index == but.index) continue;
        const Instance& instance = *queue.job->instance;
        const int head = queue.head.load(std::memory_order_relaxed), size = int(queue.nodes->size());
        for (int n = head; n < size && fetch.count < Fetch::most && ahead < fetch_bytes; ++n) {
            const Node& node = instance.program->nodes[(*queue.nodes)[n]];
            if (node.stream_buffer < 0) continue;
            ahead += node.stream_bytes;
            if (n < queue.fetched) continue;
            fetch.starts[fetch.count] = instance.table[node.stream_buffer] + std::uint32_t(node.stream_offset);
            fetch.ends[fetch.count] = fetch.starts[fetch.count] + node.stream_bytes;
            ++fetch.count;
            queue.fetched = n + 1;
        }
    }
}

void Pool::execute(const Job& job, int index, int worker, int number, const Context& context) {
    Instance& instance = *job.instance;
    const Node& node = instance.program->nodes[number];
    const std::int64_t began = traced_ ? now_ns() : 0;
    Context own = context;
    own.table = instance.table.data();
    own.mask = instance.mask;
    if (!path_.run(node.opcode, instance.program->records.data() + std::size_t(number) * tasks::record_bytes, own)) {
        unknown_ = int(node.opcode);
        abort_ = true;
    }
    instance.counters[node.signal].value.fetch_add(1, std::memory_order_release);
    if (traced_) traces_[worker].push_back({worker, index, number, began, now_ns()});
}

// Unfused: each worker does its share of an operator, then waits for the others.
void Pool::step_through(int worker, const Context& context) {
    const int workers = int(threads_.size());
    for (std::size_t q = 0; q < n_queues_; q += workers) {
        const Queue& queue = queues_[q + worker];
        const Program& program = *queue.job->instance->program;
        int last = 0;
        for (int w = 0; w < workers; ++w)
            for (int number : *queues_[q + w].nodes) last = program.nodes[number].op > last ? program.nodes[number].op : last;
        std::size_t head = 0;
        for (int op = 0; op <= last; ++op) {
            for (; head < queue.nodes->size() && program.nodes[(*queue.nodes)[head]].op == op; ++head)
                execute(*queue.job, queue.index, worker, (*queue.nodes)[head], context);
            meet();
        }
    }
}

void Pool::meet() {
    const std::uint32_t all = std::uint32_t(threads_.size());
    const std::uint32_t mine = met_.fetch_add(1, std::memory_order_acq_rel), round = (mine / all + 1) * all;
    for (int i = 0; met_.load(std::memory_order_acquire) < round && !abort_.load(std::memory_order_relaxed); ++i)
        i < spins ? pause() : (void)sched_yield();
}

}  // namespace reverie

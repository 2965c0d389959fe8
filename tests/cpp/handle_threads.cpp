// SPDX-License-Identifier: MIT
//
// Threads that make, share, find, change and drop objects by shared_handle and weak_handle, while
// others move them: objects that bytes move, and objects that their move constructor moves. Nobody
// finds an object before it is whole or after its end, no count is lost, and nothing is left.
#include "moving.hpp"

#include <mutex>
#include <thread>

using namespace custom_alloc;

namespace
{

enum { THREADS = 3, SLOTS = 3000, HOT = 20, OWNED = 3000 };

// Of both kinds: how many live, how many threads are changing it, whose it is.
template <bool Bytes> class record
{
public:
  static std::atomic<long> &live()
  {
    static std::atomic<long> count(0);
    return count;
  }

  explicit record(std::size_t seed)
      : seed_(seed), changes_(0), text_(new std::string(std::to_string(seed))), small_("short")
  {
    live()++;
  }
  record(record &&other) noexcept
      : seed_(other.seed_), changes_(other.changes_.load(std::memory_order_relaxed)),
        text_(other.text_), small_(std::move(other.small_))
  {
    if (Bytes) std::abort();
    other.text_ = nullptr;
    live()++;
  }
  ~record()
  {
    delete text_;
    text_ = nullptr;
    seed_ = ~seed_;
    live()--;
  }
  bool is_whole() const
  {
    return text_ != nullptr && *text_ == std::to_string(seed_) && std::string(small_) == "short";
  }
  void change()
  {
    changes_.fetch_add(1, std::memory_order_relaxed);
  }
  long changes() const
  {
    return changes_.load(std::memory_order_relaxed);
  }

private:
  std::size_t seed_;
  std::atomic<long> changes_;
  std::string *text_;
  // A short std::string points into itself.
  typename std::conditional<Bytes, const char *, std::string>::type small_;
};

std::atomic<bool> is_over;
std::atomic<std::size_t> moved, locked, missed;

template <bool Bytes> struct shelf {
  std::mutex lock;
  shared_handle<record<Bytes>> owner;
  std::atomic<weak_handle<record<Bytes>>> name;
};

template <bool Bytes> class worker
{
public:
  worker(shelf<Bytes> *shelves, std::uint64_t seed) : shelves_(shelves), random_(seed)
  {
  }

  void run(std::size_t steps)
  {
    for (std::size_t i = 0; i < steps; i++) {
      // Half the time where the others are, too.
      shelf<Bytes> &at = shelves_[random_() % (random_() % 2 == 0 ? HOT : SLOTS)];
      switch (random_() % 8) {
      case 0:
        replace(at);
        break;
      case 1:
        drop(at);
        break;
      case 2:
        hold(at);
        break;
      default:
        look(at.name.load(std::memory_order_acquire).lock());
        break;
      }
    }
  }

private:
  using shared = shared_handle<record<Bytes>>;

  void replace(shelf<Bytes> &at)
  {
    shared made = make_shared_handle<record<Bytes>>(static_cast<std::size_t>(random_()));
    at.name.store(made, std::memory_order_release);
    std::lock_guard<std::mutex> guard(at.lock);
    at.owner.swap(made);
  }
  void drop(shelf<Bytes> &at)
  {
    shared gone;
    std::lock_guard<std::mutex> guard(at.lock);
    at.owner.swap(gone);
  }
  void hold(shelf<Bytes> &at)
  {
    shared copy;
    {
      std::lock_guard<std::mutex> guard(at.lock);
      copy = at.owner;
    }
    look(copy);
    if (owned_.size() < OWNED) owned_.push_back(copy);
    owned_[random_() % owned_.size()] = std::move(copy);
    if (random_() % 1000 == 0) owned_.clear();
  }
  void look(const shared &found)
  {
    (found ? locked : missed)++;
    if (!found) return;
    shared second = found;
    scope open;
    record<Bytes> &object = *found;
    if (!object.is_whole() || second.use_count() < 2) std::abort();
    object.change();
    if (object.changes() < 1 || second.get() != &object) std::abort();
  }

  shelf<Bytes> *shelves_;
  std::minstd_rand random_;
  std::vector<shared> owned_;
};

void keep_moving()
{
  do {
    custom_alloc::defrag_report report;
    mend_status status = defragment(report);
    if (status != MEND_OK && status != MEND_BUSY && status != MEND_BLOCKED) std::abort();
    moved += report.objects_moved;
  } while (!is_over || moved == 0);
}

template <bool Bytes> void check_threads()
{
  is_over = false;
  moved = locked = missed = 0;
  const std::uint64_t seed = random_seed();
  const std::size_t steps = 10000 + test_scaled(200000);
  {
    std::vector<shelf<Bytes>> shelves(SLOTS);
    std::vector<shared_handle<record<Bytes>>> holey;  // that there is something to move at once
    for (std::size_t i = 0; i < 4000; i++) holey.push_back(make_shared_handle<record<Bytes>>(i));
    thin_out(holey);
    std::vector<std::thread> threads;
    for (std::uint64_t i = 1; i <= THREADS; i++) {
      threads.emplace_back(
          [&shelves, seed, steps, i] { worker<Bytes>(shelves.data(), seed + i).run(steps); });
    }
    std::thread mover(keep_moving);
    for (std::thread &each : threads) each.join();
    is_over = true;
    mover.join();
  }
  MESSAGE(moved.load() << " moves, " << locked.load() << " found, " << missed.load() << " gone");
  CHECK(moved > 0);
  CHECK(locked > 0);
  CHECK(missed > 0);
  CHECK(record<Bytes>::live() == 0);
  CHECK(objects() == 0);
}

struct cell {
  std::atomic<std::size_t> count{0};
  std::string text{"0"};

  cell() = default;
  cell(cell &&other) noexcept : count(other.count.load()), text(std::move(other.text))
  {
  }
};

void count_up(const std::vector<shared_handle<cell>> &cells, std::vector<std::mutex> &locks,
              std::size_t steps, std::size_t thread)
{
  for (std::size_t i = 0; i < steps; i++) {
    std::size_t which = (i * 7 + thread) % cells.size();
    std::lock_guard<std::mutex> guard(locks[which]);
    scope open;
    cell &at = *cells[which];
    at.count.fetch_add(1);
    at.text = std::to_string(std::stoul(at.text) + 1);
  }
}

}  // namespace

template <> struct custom_alloc::is_trivially_relocatable<record<true>> : std::true_type {
};

TEST_CASE("shared and weak, while bytes are moved")
{
  check_threads<true>();
}

TEST_CASE("shared and weak, while move constructors run")
{
  check_threads<false>();
}

// Objects change under the eyes of a mover: no change is lost.
TEST_CASE("counting up in objects that move, with a thread in the background")
{
  defrag_options options;
  options.cpu_percent = 50;
  options.start_external = 0.01;
  options.start_bytes = 1;
  options.interval_ms = 1;
  background_defragmenter background(options);
  CHECK(background.status() == MEND_OK);
  const std::size_t steps = test_scaled(20000);
  std::vector<shared_handle<cell>> cells;
  for (int i = 0; i < 2000; i++) cells.push_back(make_shared_handle<cell>());
  thin_out(cells);
  std::vector<std::mutex> locks(cells.size());
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < THREADS; t++) {
    threads.emplace_back([&cells, &locks, steps, t] { count_up(cells, locks, steps, t); });
  }
  for (std::thread &each : threads) each.join();
  std::size_t sum = 0;
  scope open;
  for (const shared_handle<cell> &each : cells) {
    REQUIRE(each->text == std::to_string(each->count.load()));
    sum += each->count.load();
  }
  CHECK(sum == THREADS * steps);
}

#include "bench/baselines/delay_line.h"

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dataplane/base/system_time.h"

namespace godwit::baselines {
namespace {

// Deltas on the way at once: enough for 400 ms at 100 ms a step, four times over.
constexpr std::size_t kSlots = 16;
constexpr std::size_t kReaders = 16;

}  // namespace

class DelayLine::Ring {
 public:
  // Own ring: created aside and renamed, so that a reader never sees half of one.
  static Result<std::unique_ptr<Ring>> create(const std::string& path, std::size_t elements) {
    const std::string aside = path + ".part";
    const int fd = open(aside.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
      return system_failure(aside, "cannot be made");
    }
    const int error = posix_fallocate(fd, 0, static_cast<off_t>(bytes_for(elements)));
    if (error != 0) {
      close(fd);
      return fail(Code::kIo,
                  "{}: no room for {} bytes: {}; free some, or take fewer sites",
                  aside,
                  bytes_for(elements),
                  error_text(error));
    }
    auto ring = map(fd, elements, aside);
    if (ring && std::rename(aside.c_str(), path.c_str()) != 0) {
      return fail(Code::kIo, "{}: {}", path, error_text(errno));
    }
    return ring;
  }

  static Result<std::unique_ptr<Ring>> open_existing(const std::string& path,
                                                     std::size_t elements) {
    const int fd = open(path.c_str(), O_RDWR | O_CLOEXEC);
    struct stat status = {};
    if (fd < 0 || fstat(fd, &status) != 0) {
      return fail(Code::kNotFound, "{}: {}", path, error_text(errno));
    }
    if (static_cast<std::size_t>(status.st_size) != bytes_for(elements)) {
      close(fd);
      return fail(Code::kCorrupt, "{}: not a ring of {} elements", path, elements);
    }
    return map(fd, elements, path);
  }

  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;
  ~Ring() { munmap(shared_, bytes_for(elements_)); }

  // False when a reader is a whole ring behind.
  bool write(std::uint64_t step,
             std::span<const float> delta,
             Instant now,
             std::size_t readers,
             std::size_t self) {
    for (std::size_t reader = 0; reader < readers; ++reader) {
      if (reader != self && shared_->read.at(reader).load() + kSlots < step) {
        return false;
      }
    }
    std::memcpy(slot(step), delta.data(), delta.size_bytes());
    shared_->written_at.at(step % kSlots).store(now.ns());
    shared_->written.store(step);
    return true;
  }

  // Adds delta `step` when it was written at least `delay` ago.
  bool read(
      std::uint64_t step, Duration delay, Instant now, std::size_t reader, std::span<float> sum) {
    if (shared_->written.load() < step ||
        Instant::from_ns(shared_->written_at.at(step % kSlots).load()) + delay > now) {
      return false;
    }
    const float* values = slot(step);
    for (std::size_t i = 0; i < sum.size(); ++i) {
      sum[i] += values[i];
    }
    shared_->read.at(reader).store(step);
    return true;
  }

 private:
  struct Shared {
    std::atomic<std::uint64_t> written;                     // the newest step
    std::array<std::atomic<std::uint64_t>, kReaders> read;  // by site: the newest step it has added
    std::array<std::atomic<std::int64_t>, kSlots> written_at;  // ns
    alignas(64) float first;                                   // kSlots × elements
  };

  Ring(Shared* shared, std::size_t elements) : shared_(shared), elements_(elements) {}

  static std::size_t bytes_for(std::size_t elements) {
    return sizeof(Shared) + kSlots * elements * sizeof(float);
  }

  static Result<std::unique_ptr<Ring>> map(int fd, std::size_t elements, const std::string& path) {
    void* memory = mmap(
        nullptr, bytes_for(elements), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
    close(fd);
    if (memory == MAP_FAILED) {
      return fail(Code::kIo, "{}: {}", path, error_text(errno));
    }
    return std::unique_ptr<Ring>(new Ring(static_cast<Shared*>(memory), elements));
  }

  float* slot(std::uint64_t step) { return &shared_->first + (step % kSlots) * elements_; }

  Shared* shared_;
  std::size_t elements_;
};

DelayLine::DelayLine(DelayLineOptions options, std::size_t elements)
    : options_(std::move(options)), elements_(elements), next_(options_.delays.size(), 1) {}
DelayLine::~DelayLine() = default;

Result<void> DelayLine::connect(Instant deadline) {
  const std::size_t sites = options_.delays.size();
  if (options_.site >= sites || sites > kReaders) {
    return fail(Code::kInvalid, "site {} of {} sites; at most {}", options_.site, sites, kReaders);
  }
  rings_.resize(sites);
  const auto path = [this](std::size_t site) {
    return fmt::format("{}/{}.ring", options_.folder, site);
  };
  auto own = Ring::create(path(options_.site), elements_);
  if (!own) {
    return Failure(own.error());
  }
  rings_[options_.site] = std::move(*own);
  for (std::size_t site = 0; site < sites; ++site) {
    while (!rings_[site]) {
      auto ring = Ring::open_existing(path(site), elements_);
      if (ring) {
        rings_[site] = std::move(*ring);
      } else if (ring.error().code != Code::kNotFound || system_now() >= deadline) {
        return Failure(ring.error());
      } else {
        poll(nullptr, 0, 20);
      }
    }
  }
  return {};
}

Result<void> DelayLine::publish(std::uint64_t step, std::span<const float> delta) {
  if (!rings_[options_.site]->write(step, delta, system_now(), rings_.size(), options_.site)) {
    return fail(Code::kFull, "a site is {} steps behind: the delay line is too short", kSlots);
  }
  return {};
}

Result<void> DelayLine::collect(std::uint64_t /*step*/, std::span<float> parameters) {
  const Instant now = system_now();
  for (std::size_t site = 0; site < rings_.size(); ++site) {
    if (site != options_.site) {
      while (
          rings_[site]->read(next_[site], options_.delays[site], now, options_.site, parameters)) {
        ++next_[site];
      }
    }
  }
  return {};
}

std::string DelayLine::description() const {
  return "delay line in memory, unlimited rate, every delta uncoded";
}

}  // namespace godwit::baselines

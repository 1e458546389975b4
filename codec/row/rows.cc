#include "codec/row/rows.h"

#include <cstring>

namespace godwit::codec::row {
namespace {

// Calls visit(first element, element behind the last) for each run of named rows.
template <class Visit>
void for_each_stretch(const Rows& rows, const BitMap& named, Visit&& visit) {
  const std::size_t count = rows.count();
  for (Run run = next_run(named, 0, count); run.first < count;
       run = next_run(named, run.end, count)) {
    visit(rows.first_of(run.first), rows.first_of(run.end));
  }
}

}  // namespace

BitMap rows_with(const Rows& rows, const BitMap& elements) {
  BitMap named{};
  for (Run run = next_run(elements, 0, rows.elements); run.first < rows.elements;
       run = next_run(elements, run.end, rows.elements)) {
    set_ones(named, rows.row_of(run.first), rows.row_of(run.end - 1) + 1);
  }
  return named;
}

std::size_t elements_in(const Rows& rows, const BitMap& named) {
  std::size_t count = 0;
  for_each_stretch(rows, named, [&](std::size_t first, std::size_t end) { count += end - first; });
  return count;
}

void gather(const Rows& rows,
            const BitMap& named,
            std::span<const std::int64_t> values,
            std::span<std::int64_t> out) {
  for_each_stretch(rows, named, [&](std::size_t first, std::size_t end) {
    std::copy_n(values.begin() + static_cast<std::ptrdiff_t>(first), end - first, out.begin());
    out = out.subspan(end - first);
  });
}

// A row's place is never behind where it lies, so what is written was read.
void scatter(const Rows& rows, const BitMap& named, std::span<std::int64_t> values) {
  std::size_t from = values.size() - elements_in(rows, named);
  std::size_t to = 0;
  for_each_stretch(rows, named, [&](std::size_t first, std::size_t end) {
    std::fill(values.data() + to, values.data() + first, 0);
    std::memmove(values.data() + first, values.data() + from, (end - first) * sizeof(std::int64_t));
    from += end - first;
    to = end;
  });
  std::fill(values.data() + to, values.data() + values.size(), 0);
}

}  // namespace godwit::codec::row

// SPDX-License-Identifier: MIT
//
// Question: what do containers cost that are given mend's memory by their allocator, in a program
// whose malloc is the C library's?
//
// Model: containers.hpp. Ways: std::allocator, which is the C library's malloc; the same behind
// std::pmr (new_delete_resource), which adds a virtual call to each allocation; and from mend
// custom_alloc::allocator, heap_allocator (a heap of its own), and both behind std::pmr.
//
// Argument: the work scale. Prints JSON lines. Linked with libmend-core.a.
#include <memory_resource>

#include "allocator.hpp"
#include "containers.hpp"
#include "rounds.hpp"

namespace
{

std::uint64_t expected;  // what the first way's workload has returned

template <class Allocator>
way way_of(const char *name, const Allocator &allocator, std::size_t workload)
{
  return {name, [=](std::size_t steps) {
            std::uint64_t sum = churn::workloads<Allocator>()[workload].run(steps, allocator);
            if (expected != 0 && sum != expected) die("two allocators, two results");
            expected = sum;
          }};
}

}  // namespace

int main(int argc, char **argv)
{
  using pmr = std::pmr::polymorphic_allocator<char>;
  const std::size_t scale = work_scale(argc, argv);
  const auto &workloads = churn::workloads<std::allocator<char>>();
  custom_alloc::heap heap;
  custom_alloc::memory_resource of_heap(heap);
  for (std::size_t i = 0; i < workloads.size(); i++) {
    expected = 0;
    const std::vector<way> ways = {
        way_of("std", std::allocator<char>(), i),
        way_of("allocator", custom_alloc::allocator<char>(), i),
        way_of("heap_allocator", custom_alloc::heap_allocator<char>(heap), i),
        way_of("pmr std", pmr(std::pmr::new_delete_resource()), i),
        way_of("pmr mend", pmr(custom_alloc::global_resource()), i),
        way_of("pmr heap", pmr(&of_heap), i),
    };
    rounds_run(workloads[i].name, "alone", ways, scale * workloads[i].steps);
  }
  return 0;
}

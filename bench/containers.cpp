// SPDX-License-Identifier: MIT
//
// Question: what do the standard library's containers cost as they are, with operator new?
//
// Model: containers.hpp, with std::allocator. Arguments: the work scale, and which container: map,
// unordered_map, list or string.
#include "containers.hpp"

int main(int argc, char **argv)
{
  using allocator = std::allocator<char>;
  if (argc != 3) die("usage: containers SCALE map|unordered_map|list|string");
  for (const churn::workload<allocator> &one : churn::workloads<allocator>()) {
    if (std::strcmp(one.name, argv[2]) != 0) continue;
    std::size_t steps = work_scale(argc, argv) * one.steps;
    unsigned long long sum = one.run(steps, allocator());
    line_write("{\"program\":\"container_%s\",\"steps\":%zu,\"sum\":%llu}\n", one.name, steps, sum);
    return 0;
  }
  die("no such container");
}

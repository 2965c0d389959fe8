// SPDX-License-Identifier: MIT
//
// C++ on mend without replacing malloc: a table whose words live in a heap of their own, pointers
// that own, and scratch memory for each line that is kept from one to the next.
//
// Build: c++ containers.cpp -o containers $(pkg-config --cflags --libs mend-cpp-core)
// Run:   ./containers
#include "allocator.hpp"

#include <cstdio>
#include <memory_resource>
#include <sstream>
#include <string>
#include <unordered_map>
#include <vector>

int main()
{
  custom_alloc::heap heap;
  custom_alloc::memory_resource words(heap);
  custom_alloc::frame_resource line_memory;
  std::pmr::unordered_map<std::pmr::string, int> counts(&words);

  const char *const lines[] = {"the cat sat on the mat", "the dog sat on the cat"};
  for (const char *line : lines) {
    {
      std::pmr::vector<std::pmr::string> parts(&line_memory);
      std::istringstream text(line);
      for (std::string part; text >> part;) parts.emplace_back(part);
      for (const std::pmr::string &part : parts) ++counts[part];
    }
    line_memory.reset();
  }
  std::printf("the: %d times; the table is in its heap: %s\n", counts["the"],
              heap.owns(&*counts.begin()) ? "yes" : "no");
  return counts["the"] == 4 && counts["sat"] == 2 ? 0 : 1;
}

#!/bin/bash
# SPDX-License-Identifier: MIT
#
# clang, a large C++ program that links libLLVM: a file that pulls in much of the C++ library is
# compiled to an object file.
. "$(dirname "$0")/lib/real.bash"

needs clang clang

make_input() {
  cat >"$input/program.cpp" <<'CXX'
#include <algorithm>
#include <functional>
#include <iostream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

template <int N> struct table {
  std::map<std::string, std::function<int(int)>> entries;
  table() { entries[std::to_string(N)] = [](int x) { return x * N; }; }
  int run(int x) { return entries.begin()->second(x) + table<N - 1>().run(x); }
};
template <> struct table<0> { int run(int x) { return x; } };

int main(int argc, char **argv) {
  std::vector<std::string> words(argv, argv + argc);
  std::sort(words.begin(), words.end(), std::greater<>());
  std::ostringstream out;
  for (auto &word : words) out << word;
  std::cout << out.str() << table<40>().run(argc) << '\n';
}
CXX
}

job() { clang -std=c++17 -O1 -g -c "$input/program.cpp" -o program.o; }

compare clang

#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The C++ compiler, and operator new: a program full of the standard library's templates is
# compiled, then run with threads that hand strings to each other.
. "$(dirname "$0")/lib/real.bash"

needs g++ g++

make_input() {
  cat >"$input/program.cpp" <<'CXX'
#include <algorithm>
#include <condition_variable>
#include <deque>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <numeric>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

struct alignas(64) line { std::string text; };

struct channel {
  std::mutex lock;
  std::condition_variable filled;
  std::deque<std::unique_ptr<line>> lines;

  void send(std::unique_ptr<line> next) {
    std::lock_guard<std::mutex> hold(lock);
    lines.push_back(std::move(next));
    filled.notify_one();
  }
  std::unique_ptr<line> receive() {
    std::unique_lock<std::mutex> hold(lock);
    filled.wait(hold, [this] { return !lines.empty(); });
    auto next = std::move(lines.front());
    lines.pop_front();
    return next;
  }
};

int main() {
  channel requests;
  std::vector<std::map<std::string, int>> counts(4);
  std::vector<std::thread> threads;
  for (auto &count : counts)
    threads.emplace_back([&requests, &count] {
      while (auto next = requests.receive()) {
        if (reinterpret_cast<std::uintptr_t>(next.get()) % 64 != 0) std::abort();
        ++count[next->text];
      }
    });
  for (int i = 0; i < 50000; ++i)
    requests.send(std::make_unique<line>(line{std::string(i % 60, 'x') + std::to_string(i % 997)}));
  for (std::size_t i = 0; i < threads.size(); ++i) requests.send(nullptr);
  for (auto &thread : threads) thread.join();

  std::map<std::string, int> all;
  for (auto &count : counts)
    for (auto &[text, times] : count) all[text] += times;
  std::unordered_map<int, std::vector<std::string>> by_length;
  for (auto &[text, times] : all)
    by_length[static_cast<int>(text.size())].push_back(text + std::to_string(times));
  for (int length = 0; length < 64; ++length) {
    auto &texts = by_length[length];
    std::sort(texts.begin(), texts.end());
    std::cout << length << ' ' << texts.size();
    std::cout << ' ' << (texts.empty() ? "" : texts.back()) << '\n';
  }
  try {
    std::vector<char> impossible(static_cast<std::size_t>(-1) / 4);
    std::cout << impossible.size() << '\n';
  } catch (const std::bad_alloc &) {
    std::cout << "bad_alloc\n";
  }
}
CXX
}

job() {
  g++ -std=c++17 -O1 -frandom-seed=1 -pthread "$input/program.cpp" -o program
  ./program
}

compare g++ cc1plus as program

// clean
// SPDX-License-Identifier: MIT
#include <deque>
#include <functional>
#include <memory>
#include <set>
#include <sstream>
#include <string>

#include "plant.h"

static void work()
{
  std::deque<std::string> deque(100, std::string(50, 'x'));
  std::set<std::string> set(deque.begin(), deque.end());
  std::ostringstream stream;
  for (auto &text : deque) stream << text;
  auto shared = std::make_shared<std::string>(stream.str());
  std::weak_ptr<std::string> weak = shared;
  std::function<int()> call = [shared, deque] { return static_cast<int>(shared->size()); };
  if (call() != 5000) abort();
}

int main()
{
  plant(work);
}

// clean
// SPDX-License-Identifier: MIT
//
// Such as never end: what a variable holds is no leak, however deep.
#include <list>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "plant.h"

static auto &words = *new std::vector<std::string>;
static auto &tree = *new std::map<int, std::string>;
static auto &table = *new std::unordered_map<std::string, int>;
static auto &list = *new std::list<int>;

static void keep()
{
  for (int i = 0; i < 1000; i++) {
    words.push_back(std::string(40, 'x'));
    tree[i] = std::string(30, 'y');
    table[std::to_string(i) + " of many, many more"] = i;
    list.push_back(i);
  }
}

int main()
{
  plant(keep);
}

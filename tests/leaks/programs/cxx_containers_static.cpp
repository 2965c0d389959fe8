// clean
// SPDX-License-Identifier: MIT
//
// Containers that live to the end of the program, and end with it.
#include <list>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "plant.h"

static std::vector<std::string> words;
static std::map<int, std::string> tree;
static std::unordered_map<std::string, int> table;
static std::list<int> list;

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

#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Lua: tables, closures, strings and coroutines, under its garbage collector.
. "$(dirname "$0")/lib/real.bash"

needs lua5.4 lua5.4

job() {
  lua5.4 - <<'LUA'
local seed = 42
local function random(limit)
  seed = (seed * 1103515245 + 12345) % 2147483648
  return (seed >> 8) % limit
end

local function tree(depth)
  if depth == 0 then return { value = random(1000) } end
  return { value = depth, left = tree(depth - 1), right = tree(depth - 1) }
end

local function sum(node)
  return node.value + (node.left and sum(node.left) + sum(node.right) or 0)
end

for round = 1, 6 do print("tree", round, sum(tree(14))) end

local counts = {}
for i = 1, 200000 do
  local key = string.format("key%05d", random(20000))
  counts[key] = (counts[key] or 0) + i
end
local keys = {}
for key in pairs(counts) do keys[#keys + 1] = key end
table.sort(keys)
for i = 1, #keys, 40 do print(keys[i], counts[keys[i]]) end

local words = coroutine.wrap(function()
  for i = 1, 20000 do coroutine.yield(string.rep(string.char(97 + i % 26), random(200))) end
end)
local text = {}
for word in words do text[#text + 1] = word end
local all = table.concat(text, " ")
print(#all, #all:gsub("a+", "<%0>"), select(2, all:gsub("%a+", "")))
LUA
}

compare lua5.4

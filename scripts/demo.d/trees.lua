-- SPDX-License-Identifier: MIT
-- The demo's job for lua5.4: trees come and go beside a table of strings that stays.
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

local names = {}
for i = 1, 60000 do names["name" .. i] = string.rep("x", random(100)) .. i end
for round = 1, 6 do print(round, sum(tree(15))) end
local length = 0
for _, text in pairs(names) do length = length + #text end
print(length)

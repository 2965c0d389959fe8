-- SPDX-License-Identifier: MIT
--
-- A job for the Lua interpreter: trees that are built and dropped, tables that grow by hashing, and
-- strings that are made, split and joined. The argument scales the work; the last line is a
-- checksum, the same whatever malloc is underneath.
local scale = tonumber(arg[1] or "1")

local function tree(depth)
  if depth == 0 then return {} end
  return {tree(depth - 1), tree(depth - 1)}
end

local function count(node)
  return node[1] and 1 + count(node[1]) + count(node[2]) or 1
end

local checksum = 0
for _ = 1, 40 * scale do
  checksum = checksum + count(tree(14))
end

local words = {}
for i = 1, 60000 * scale do
  local word = ("key%d:%x"):format(i * 7919 % 50021, i)
  words[#words + 1] = word
  words[word:upper()] = {name = word, value = i}
  if i % 3 == 0 then words[words[i // 2]:upper()] = nil end
end
local joined = table.concat(words, " ")
for key, value in joined:gmatch("key(%d+):(%x+)") do
  checksum = (checksum * 31 + tonumber(key) + tonumber(value, 16)) % 1000000007
end
print(checksum)

# SPDX-License-Identifier: MIT
#
# A job for the Ruby interpreter: strings longer than what fits into an object slot, hashes and
# arrays that grow, and a symbol-free word count. The argument scales the work; the last line is a
# checksum, the same whatever malloc is underneath.
scale = (ARGV[0] || 1).to_i
checksum = 0

scale.times do |turn|
  lines = Array.new(40_000) do |number|
    "record #{number} of user #{number * 7919 % 5003} " + "v" * (number % 90)
  end
  groups = Hash.new { |hash, key| hash[key] = [] }
  lines.each do |line|
    words = line.split(" ")
    groups[words[4]] << { id: words[1].to_i, words: words, text: line.sub("record", "row #{turn}") }
  end
  groups.keys.sort.each do |key|
    ids = groups[key].map { |record| record[:id] }
    text = groups[key].map { |record| record[:text] }.join("\n")
    checksum = (checksum * 31 + text.length + ids.sum) % 1_000_000_007
  end
end
puts checksum

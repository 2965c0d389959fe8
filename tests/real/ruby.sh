#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Ruby: strings, hashes, arrays and big numbers under its garbage collector, with threads that
# compress outside the interpreter's lock.
. "$(dirname "$0")/lib/real.bash"

needs ruby ruby

make_input() { lines 20000 >"$input/words"; }

job() {
  INPUT=$input/words ruby --disable-gems - <<'RUBY'
require 'digest'
require 'zlib'

lines = File.readlines(ENV['INPUT'])
count = Hash.new(0)
lines.each { |line| line.scan(/[a-z]+/) { |word| count[word.to_sym] += 1 } }
count.sort.each { |word, times| puts "#{word} #{times}" }
sorted = lines.sort_by { |line| [line.split.last, line] }
puts sorted.each_slice(200).map(&:first)
puts Digest::SHA256.hexdigest(sorted.join.gsub(/\d+/) { |digits| (digits.to_i * 7).to_s })
puts (1..3000).inject(:*).to_s.size

5.times do |round|
  objects = Array.new(20_000) { |i| { key: "k#{i}", list: [i, i.to_s * (i % 20)] } }
  GC.start
  puts objects.sum { |object| object[:list].last.size + round }
end

threads = 4.times.map do |part|
  Thread.new do
    lines.each_slice(1000).with_index.select { |_, i| i % 4 == part }
         .map { |slice, _| Zlib.crc32(Zlib::Deflate.deflate(slice.join)) }
  end
end
p threads.map(&:value)
RUBY
}

compare ruby

# SPDX-License-Identifier: MIT
# The demo's job for perl: a text is generated, cut into words, counted, sorted and rewritten.
use strict;
use warnings;

my $state = 12345;
my @words = qw(red green blue stone river cloud amber violet north meadow copper winter);
my (@lines, %places);
for my $line (0 .. 30000) {
  my $text = $line;
  for (1 .. 6) {
    $state = ($state * 69069 + 1) % 4294967296;
    $text .= ' ' . $words[($state >> 16) % 12] . ($state >> 12) % 10000;
  }
  push @lines, $text;
  push @{$places{$_}}, $line for split ' ', $text;
}
my @common = sort { @{$places{$b}} <=> @{$places{$a}} || $a cmp $b } keys %places;
print "$_ @{$places{$_}}\n" for @common[0 .. 20];
my $all = join "\n", sort @lines;
$all =~ s/(\w+) (\w+)/$2 $1/g;
printf "%d %u\n", length $all, unpack '%32C*', $all;

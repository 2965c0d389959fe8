#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Perl: hashes, strings and regular expressions, then threads, each of which is a copy of the whole
# interpreter.
. "$(dirname "$0")/lib/real.bash"

needs perl perl

make_input() { lines 20000 >"$input/words"; }

job() {
  PERL_HASH_SEED=0 INPUT=$input/words perl - <<'PERL'
use strict;
use warnings;
use threads;

open my $file, '<', $ENV{INPUT} or die;
my (%count, @lines);
while (my $line = <$file>) {
  push @lines, $line;
  $count{$_}++ for $line =~ /([a-z]+)/g;
  $count{"tail$1"}++ if $line =~ /(\d)(\d)$/;
}
print "$_ $count{$_}\n" for sort keys %count;
my @sorted = sort { substr($a, -12) cmp substr($b, -12) || $a cmp $b } @lines;
print @sorted[map { $_ * 100 } 0 .. 99];
my $text = join '', @lines;
for my $round (1 .. 5) {
  $text =~ s/(\w+) (\w+)/$2 $1/g;
  printf "%d %d %u\n", $round, length $text, unpack '%32C*', $text;
}

sub tally {
  my ($part) = @_;
  my %seen;
  for (my $i = $part; $i < @lines; $i += 4) { $seen{$_} .= $i for split ' ', $lines[$i]; }
  my $bytes = 0;
  $bytes += length for values %seen;
  return join ',', $part, scalar keys %seen, $bytes;
}
my @threads = map { threads->create(\&tally, $_) } 0 .. 3;
print $_->join, "\n" for @threads;
PERL
}

compare perl

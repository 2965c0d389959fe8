# SPDX-License-Identifier: MIT
#
# A job for the Perl interpreter: hashes of arrays, strings cut by regular expressions, a sort, and
# a graph of references that is built and dropped. The argument scales the work; the last line is
# a checksum, the same whatever malloc is underneath.
use strict;
use warnings;

my $scale = shift // 1;
my $checksum = 0;

for my $turn (1 .. $scale) {
  my %groups;
  for my $number (1 .. 60000) {
    my $line = sprintf("%d,user%d,%s", $number, $number * 7919 % 5003, "v" x ($number % 40));
    my ($id, $name, $value) = split /,/, $line;
    push @{$groups{$name}}, {id => $id, value => $value // "", words => [split //, $name]};
  }
  for my $name (sort keys %groups) {
    my @ids = map { $_->{id} } @{$groups{$name}};
    my $text = join "-", @ids;
    $text =~ s/(\d+)-(\d+)/$2:$1/g;
    $checksum = ($checksum * 31 + length($text) + $ids[0]) % 1000000007;
  }
}
print "$checksum\n";

# What Perl programs are made of: text taken apart by patterns, hashes, sorting, string building. The
# argument is the number of rounds.
use strict;
use warnings;

my $sum = 0;
for my $round (1 .. $ARGV[0]) {
    my @lines = map { sprintf "host%d %s /page/%d?id=%d 200 %d", $_ % 97, $_ % 3 ? 'GET' : 'POST',
        $_ * 31 % 211, $_ * $round % 1013, $_ * 7 } 1 .. 3000;
    my (%bytes, %pages);
    for (@lines) {
        next unless m{^(host\d+) (GET|POST) /page/(\d+)\?id=(\d+) 200 (\d+)$};
        $bytes{$1} += $5;
        push @{ $pages{"$2 $3"} }, $4;
    }
    for my $host (sort { $bytes{$b} <=> $bytes{$a} || $a cmp $b } keys %bytes) {
        $sum = ($sum * 33 + $bytes{$host}) % 4294967291;
    }
    for my $page (sort keys %pages) {
        (my $name = reverse join ',', @{ $pages{$page} }) =~ tr/0-9/a-j/;
        $sum = ($sum + unpack '%32C*', $name) % 4294967291;
    }
}
print "$sum\n";

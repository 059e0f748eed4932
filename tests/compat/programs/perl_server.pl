# Counts in an alarm handler, forks a child for each connection, and answers as answers.py does.
use strict;
use warnings;
use IO::Socket::INET;
use POSIX ();
use Time::HiRes qw(setitimer ITIMER_REAL time);

my $token = sprintf('%08x%08x', rand(2**32), rand(2**32));
my %table = map { $_ => "value $_" } 1 .. 20000;
$SIG{CHLD} = 'IGNORE';
my $server = IO::Socket::INET->new(Listen => 8, LocalPort => 9000, ReuseAddr => 1, Proto => 'tcp') or die $!;
while (1) {
    my $client = $server->accept or next;
    next if fork;
    my $count = 0;
    $SIG{ALRM} = sub { $count++ };
    setitimer(ITIMER_REAL, 0.01, 0.01);
    my $pending = '';
    while (1) {
        my $got = sysread($client, my $buffer, 4096);
        next if !defined $got && $!{EINTR};
        last unless $got;
        $pending .= $buffer;
        while ($pending =~ s/^[^\n]*\n//) {
            my $one = 1 + int rand 20000;
            my $state = $table{$one} eq "value $one" ? 'ok' : 'its table changed';
            my $line = "$token $count $state\n";
            while (length $line) {
                my $put = syswrite($client, $line);
                next if !defined $put && $!{EINTR};
                exit unless $put;
                substr($line, 0, $put, '');
            }
        }
    }
    exit;
}

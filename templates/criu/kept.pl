# kept.pl note MACHINE FOLDER PID... | apply MACHINE FOLDER PID...: what CRIU does not keep of these processes, the container's
# first one first: `attributes` and `sockets` in FOLDER. `note` writes them, `apply` puts back what they say and prints what
# of sockets it could not. One program for both, for clients wait.
use strict; use warnings; no warnings 'portable';
my ($do, $machine, $folder, @pids) = @ARGV;
my $SETNS = {x86_64 => 308, aarch64 => 268, riscv64 => 268, ppc64le => 350, s390x => 339}->{$machine};
my %given;
@pids = grep { !$given{$_}++ } @pids;    # the first one comes twice
# include attributes.pl
# include sockets.pl
package main;
Sockets::known($machine);
if ($do eq 'apply') {
    Attributes::apply("$folder/attributes", @pids) if Attributes::known($machine) && -s "$folder/attributes";
    Sockets::apply("$folder/sockets", @pids) if -s "$folder/sockets";
    exit 0;
}
open my $attributes, '>', "$folder/attributes" or exit 1;
select $attributes;
Attributes::note(@pids) if Attributes::known($machine);
close $attributes;
open my $sockets, '>', "$folder/sockets" or exit 1;
select $sockets;
# Last, for it does not come back: new sockets of that namespace say what is the default there.
open my $network, '<', "/proc/$pids[0]/ns/net" or exit 1;
Sockets::note(@pids) if defined $SETNS && syscall($SETNS, fileno $network, 0x40000000) == 0;
close $sockets;

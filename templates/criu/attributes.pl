# What CRIU does not keep of tasks, and of files that exist in memory; a part of kept.pl.
# `note` prints it for these processes, of which the first is the container's first; `apply` reads FILE, which comes from
# another host, and puts back what differs, before the tasks run. Tasks: where they may run, how their input and output
# ranks, their timers' slack, what a core dump holds. Files in tmpfs mounts: times below a second, extended attributes.
# Segments of System V's shared memory: which of them go with their last user. Without modules: clients wait for them.
package Attributes;
my %CALLS = (
    x86_64 => {lsetxattr => 189, lgetxattr => 192, llistxattr => 195, utimensat => 280, statx => 332,
        sched_setaffinity => 203, ioprio_set => 251, ioprio_get => 252},
    aarch64 => {lsetxattr => 6, lgetxattr => 9, llistxattr => 12, utimensat => 88, statx => 291,
        sched_setaffinity => 122, ioprio_set => 30, ioprio_get => 31},
);
my $call;
sub known { $call = $CALLS{$_[0]} }    # MACHINE
my $FILES = 20000;    # files that are looked at: clients wait
my $online;
my ($AT_FDCWD, $NOFOLLOW, $UTIME_OMIT) = (-100, 0x100, (1 << 30) - 2);

sub regular { ($_[0] & 0170000) == 0100000 }
sub folder { ($_[0] & 0170000) == 0040000 }
sub content { open my $file, '<', $_[0] or return ''; local $/; my $text = <$file>; defined $text ? $text : '' }
sub put { open my $file, '>', $_[0] or return; print $file $_[1]; close $file }
sub unhex { my ($hex) = @_; $hex =~ /^(?:[0-9a-f]{2})*$/ ? pack 'H*', $hex : undef }

# What is kept in memory, by the container's own mounts: the kernel's and the engine's own are left out.
sub in_memory {
    my @found;
    return @found if (readlink("/proc/$_[0]/ns/mnt") // '') eq (readlink('/proc/self/ns/mnt') // '');    # the host's
    for (split /\n/, content("/proc/$_[0]/mountinfo")) {
        my ($target, $kind) = /^\S+ \S+ \S+ \/ (\S+) .* - (\S+) / or next;
        next if $kind ne 'tmpfs' || $target =~ m{^/(?:proc|sys)(?:/|$)|^/dev$|^/run/(?:secrets|\.containerenv)} || $target =~ m{\\|/\.\.?(?:/|$)};
        push @found, $target;
    }
    return @found;
}

sub each_task {
    my ($pids, $do) = @_;
    for my $pid (@$pids) {
        opendir(my $list, "/proc/$pid/task") or next;
        for my $task (grep { /^\d+$/ } readdir $list) {
            my $status = content("/proc/$pid/task/$task/status");
            next if $status =~ /^State:\s+[ZX]/m;
            my ($inside) = $status =~ /^NSpid:.*?(\d+)$/m or next;
            my ($cpus) = $status =~ /^Cpus_allowed:\s+([0-9a-f,]+)$/m or next;
            my ($listed) = $status =~ /^Cpus_allowed_list:\s+(\S+)$/m;
            $cpus = '-' if $listed eq $online;
            my $slack = content("/proc/$task/timerslack_ns"); chomp $slack;
            my $core = content("/proc/$task/coredump_filter"); chomp $core;
            my $rank = syscall($call->{ioprio_get}, 1, $task + 0);
            $do->($task, $inside, $slack =~ /^\d+$/ ? $slack : '-', $rank, $cpus, $core =~ /^[0-9a-f]+$/ ? $core : '-');
        }
    }
}

sub attributes {
    my ($path) = @_;
    my ($names, $value, %found) = ("\0" x 4096, "\0" x 4096);
    my $size = syscall($call->{llistxattr}, $path, $names, 4096);
    return %found if $size <= 0;
    for my $name (split /\0/, substr $names, 0, $size) {
        next unless $name =~ /^(?:user\.|security\.capability$|system\.posix_acl_(?:access|default)$|trusted\.)/;
        my $got = syscall($call->{lgetxattr}, $path, $name, $value, 4096);
        $found{$name} = substr $value, 0, $got if $got >= 0;
    }
    return %found;
}

sub note_files {
    my ($root, @todo) = @_;
    while (@todo) {
        my $path = pop @todo;
        my $there = "$root$path";
        my $got = "\0" x 256;
        next if syscall($call->{statx}, $AT_FDCWD, $there, $NOFOLLOW, 0x7ff, $got) != 0;
        my $mode = unpack 'x28 S', $got;
        my ($seconds, $nanoseconds) = unpack 'x112 q L', $got;
        my %has = regular($mode) || folder($mode) ? attributes($there) : ();
        print join(' ', 'file', unpack('H*', $path), $seconds, $nanoseconds,
            map { unpack('H*', $_) . '=' . unpack('H*', $has{$_}) } sort keys %has), "\n";
        return if --$FILES <= 0;
        next unless folder($mode) && opendir(my $list, $there);
        push @todo, map { "$path/$_" } grep { !/^\.\.?$/ } readdir $list;
    }
}

# In the IPC namespace of process PID, in a process of its own.
sub among_segments {
    my ($pid, $do) = @_;
    return if (readlink("/proc/$pid/ns/ipc") // '') eq (readlink('/proc/self/ns/ipc') // '');
    my $child = fork;
    return unless defined $child;
    if (!$child) {
        open(my $space, '<', "/proc/$pid/ns/ipc") or exit 1;
        exit 1 if syscall($SETNS, fileno $space, 0x08000000) != 0;
        my %marked;    # by the bit SHM_DEST of their mode
        for (split /\n/, content('/proc/sysvipc/shm')) {
            my @is = split;
            $marked{$is[1]} = oct($is[2]) & 01000 if @is > 6 && $is[1] =~ /^\d+$/ && $is[2] =~ /^\d+$/;
        }
        $do->(\%marked);
        exit 0;
    }
    waitpid $child, 0;
}

sub note {
    my (@pids) = @_;
    $online = content('/sys/devices/system/cpu/online'); chomp $online;
    each_task(\@pids, sub { shift; print join(' ', 'task', @_), "\n" });
    return unless @pids;
    note_files("/proc/$pids[0]/root", in_memory($pids[0]));
    $|++;    # nothing is left that a child could print again
    among_segments($pids[0], sub { my ($is) = @_; print "segment $_\n" for grep { $is->{$_} } sort keys %$is });
}

sub apply {
    my ($file, @pids) = @_;
    $online = content('/sys/devices/system/cpu/online'); chomp $online;
    my (%wanted, @files, %segments);
    open my $noted, '<', $file or return;
    while (<$noted>) {
        if (/^task (\d+) (\d+|-) (\d+) ([0-9a-f,]+|-) ([0-9a-f]+|-)$/) { $wanted{$1} = [$2, $3, $4, $5] }
        elsif (/^segment (\d{1,10})$/) { $segments{$1}++ }
        elsif (my @is = /^file ([0-9a-f]+) (-?\d{1,18}) (\d{1,9})((?: [0-9a-f]+=[0-9a-f]*)*)$/) { push @files, [unhex(shift @is), @is] }
    }
    each_task(\@pids, sub {
        my ($task, $inside, $slack, $rank, $cpus, $core) = @_;
        my $want = $wanted{$inside} or return;
        put("/proc/$task/timerslack_ns", $want->[0]) if $want->[0] ne '-' && $want->[0] ne $slack;
        syscall($call->{ioprio_set}, 1, $task + 0, $want->[1] + 0) if $want->[1] != $rank;
        put("/proc/$task/coredump_filter", "0x$want->[3]") if $want->[3] ne '-' && $want->[3] ne $core;
        return if $want->[2] eq '-' || $want->[2] eq $cpus;
        my $mask = $want->[2] =~ tr/,//dr;
        $mask = "0$mask" if length($mask) % 2;
        $mask = reverse pack 'H*', $mask;
        $mask .= "\0" x (8 - length($mask) % 8) if length($mask) % 8;
        syscall($call->{sched_setaffinity}, $task + 0, length $mask, $mask);    # where this host has none of them, all it has
    });
    among_segments($pids[0], sub { my ($is) = @_; for (keys %segments) { shmctl($_, 0, 0) if exists $is->{$_} && !$is->{$_} } }) if %segments;    # IPC_RMID
    put_files($pids[0], @files);
}

# Nothing runs yet, so that what is no link now is none when it is written to.
sub put_files {
    my ($first, @files) = @_;
    my $root = "/proc/$first/root";
    my %tops = map { $_ => 1 } in_memory($first);
    my %plain;
    my $inside_memory = sub {
        my ($path) = @_;
        return 0 if $path =~ m{//|/\.\.?(?:/|$)|\0};
        my ($top) = sort { length $b <=> length $a } grep { $path eq $_ || index($path, "$_/") == 0 } keys %tops;
        return 0 unless defined $top;
        my $at = $top;
        my @parts = split m{/}, length $path > length $top ? substr($path, 1 + length $top) : '';
        pop @parts;
        for my $part (@parts) {
            $at .= "/$part";
            $plain{$at} = -l "$root$at" || !-d _ ? 0 : 1 unless defined $plain{$at};
            return 0 unless $plain{$at};
        }
        return 1;
    };
    for my $one (reverse @files) {    # folders after what is in them
        my ($path, $seconds, $nanoseconds, $has) = @$one;
        next unless defined $path && $inside_memory->($path);
        my $there = "$root$path";
        my @entry = lstat $there;
        next unless @entry;
        if (regular($entry[2]) || folder($entry[2])) {
            for (split ' ', $has) {
                my ($name, $value) = map { unhex($_) } split /=/, $_, 2;
                next unless defined $value && $name =~ /^(?:user\.[^\0]+|security\.capability|system\.posix_acl_(?:access|default)|trusted\.(?!overlay)[^\0]+)$/;
                syscall($call->{lsetxattr}, $there, $name, $value, length $value, 0);
            }
        }
        my $times = pack 'q q q q', 0, $UTIME_OMIT, $seconds, $nanoseconds;
        syscall($call->{utimensat}, $AT_FDCWD, $there, $times, $NOFOLLOW);
    }
}

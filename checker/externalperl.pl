# Runs a file as the check type external-perl does in the Perl ldirectord: as the body of a function,
# with the four arguments in @ARGV and @_. It is a success unless the file dies, or calls exit with
# something that is not 0 as a number.
#
# The file is compiled once. Then each line of descriptor 3, NUMBER and the arguments with tabs between
# them, is a check in a process of its own. The answers are lines on the standard output: "ready" in
# the beginning, for a check NUMBER and the process that runs it (0: there can be none, and why), and at
# its end NUMBER, its status as of wait(2), and the beginning of its output in hexadecimal digits.
no warnings;

# The first END block runs last.
END { ldirectord::program::learn() }
BEGIN {
	*CORE::GLOBAL::exit = sub { CORE::exit($_[0] == 0 ? 0 : $_[0] & 255 || 255) };
}

sub ld_log { print STDERR "@_\n" }
sub ld_debug { }

# Nothing of what follows is seen by the file: its code begins here.
sub ldirectord::program::compile { eval "package main; sub { \@ARGV = \@_;\n#line 1 \"$_[0]\"\n$_[1]\n}" }

package ldirectord::program;

# What a file could use there without asking for it, loaded where its text speaks of it.
my @modules = (
	[ qr/\b(?:inet_|sockaddr_|pack_sockaddr|[AP]F_INET|SOCK_|gethost|INADDR_)/, "Socket" ],
	[ qr/\bIO::Socket\b/, "IO::Socket" ],
	[ qr/\bIO::Select\b/, "IO::Select" ],
	[ qr/\bhostname\b/, "Sys::Hostname" ],
	[ qr/\b(?:setsid|WNOHANG|WIFEXITED|WEXITSTATUS|uname|POSIX)\b/, "POSIX qw(setsid uname :sys_wait_h)" ],
	[ qr/\bmd5/, "Digest::MD5 qw(md5 md5_hex)" ],
	[ qr/\bLWP::UserAgent\b/, "LWP::UserAgent" ],
	[ qr/\bNet::HTTP\b/, "Net::HTTP" ],
	[ qr/\bNet::Ping\b/, "Net::Ping" ],
	[ qr/\bNet::SMTP\b/, "Net::SMTP" ],
	[ qr/\bURI\b/, "URI" ],
);
my $kept = 4096;  # bytes of the output of a check
my $idle = 61.7;  # seconds without a check until this ends; hardly an interval
my ($file, $daemon) = (shift @ARGV, getppid);
my ($failed, $error, $check);         # why there is no check
my ($said, $theirs);                  # while it was compiled: its output, its handler of SIGCHLD
my %running;                          # by process: number, pipe, what was read of it
my ($news, $tell);                    # a pipe for the modules that checks load, in the process of a check
my %before;                           # that were loaded before the check

open my $orders, "<&=", 3 or die "no orders: $!\n";
open my $answers, ">&", \*STDOUT or die "no answers: $!\n";
my @check = serve(load());
# From here on this is the process of a check, outside of all loops.
package main;
$check->(@check);
CORE::exit(0);

package ldirectord::program;

# load compiles the file, and keeps what is said meanwhile.
sub load {
	require Fcntl;
	pipe my $from, my $to;
	fcntl $_, Fcntl::F_SETFL(), Fcntl::O_NONBLOCK() for $from, $to; # more than it holds is lost
	point($to);
	if (open my $in, "<", $file) {
		my $code = do { local $/; <$in> };
		close $in;
		for my $module (@modules) {
			eval "package main; use $module->[1]; 1" if $code =~ $module->[0];
		}
		$check = compile($file, $code) or $failed = $@;
	} else {
		($failed, $error) = ("can't open $file: $!\n", $!);
	}
	pipe $news, $tell;
	alarm 0;
	$theirs = $SIG{CHLD};
	open my $nowhere, ">", "/dev/null";
	point($nowhere);
	sysread $from, $said, $kept;
	$said = "" unless defined $said;
}

# point makes a handle the standard output and the standard error.
sub point {
	open STDOUT, ">&", $_[0];
	open STDERR, ">&", $_[0];
}

# serve starts and ends checks. It returns in the process of a check alone.
sub serve {
	my ($text, $open) = ("", 1);
	$SIG{CHLD} = sub { }; # ends select
	answer("ready");
	while ($open || %running) {
		if (!$open && getppid != $daemon) { # nobody would kill them at the limit
			kill "KILL", map -$_, keys %running;
			last;
		}
		my $bits = "";
		vec($bits, 3, 1) = 1 if $open;
		vec($bits, fileno $news, 1) = 1;
		$_->[1] and vec($bits, fileno $_->[1], 1) = 1 for values %running;
		my $n = select $bits, undef, undef, %running ? 0.05 : $idle;
		$n > 0 or $bits = "";
		last if $n == 0 && !%running;
		load_too() if vec $bits, fileno $news, 1;
		listen_to($_, $bits) for values %running;
		while ((my $pid = waitpid -1, 1) > 0) {
			end($pid, $?) if $running{$pid};
		}
		$open && vec $bits, 3, 1 or next;
		$n = sysread $orders, $text, 65536, length $text;
		defined $n or next;
		$open = $n > 0;
		while ($text =~ s/^(.*)\n//) {
			my ($number, @arguments) = split /\t/, $1, -1;
			return @arguments if !begin($number);
		}
	}
	kill "KILL", $$; # END blocks are for checks
}

# begin starts a process for a check, and returns true but in that.
sub begin {
	my $number = shift;
	pipe my $from, my $to or return answer($number, 0, unpack "H*", "$!");
	my $pid = fork;
	return answer($number, 0, unpack "H*", "$!") if !defined $pid;
	setpgrp $pid, $pid;
	if ($pid) {
		$running{$pid} = [$number, $from, ""];
		return answer($number, $pid);
	}
	point($to);
	undef %running;
	close $_ for $orders, $answers, $news, $from, $to;
	%before = %INC;
	syswrite STDERR, $said;
	$SIG{CHLD} = $theirs || "DEFAULT";
	$check ||= sub { die $failed };
	$^T = time;
	($!, $?) = ($error, 0);
	return 0;
}

# learn tells which modules a check loaded when it ran, so that the next one need not.
sub learn {
	my $names = join "", map "$_\n", grep !$before{$_} && /^\w[\w\/]*\.pm\z/, keys %INC;
	syswrite $tell, $names if %before && length $names && length $names <= 4096;
}

# load_too loads them.
sub load_too {
	sysread $news, my $names, 65536;
	for my $name (split /\n/, $names) {
		eval { package main; require $name };
	}
	alarm 0;
}

# listen_to reads what a check says, if there is something.
sub listen_to {
	my ($run, $bits) = @_;
	$run->[1] && vec $bits, fileno $run->[1], 1 or return;
	my $n = sysread $run->[1], my $text, 65536;
	$run->[2] .= substr $text, 0, $kept - length $run->[2] if $n;
	undef $run->[1] if defined $n && $n == 0;
	return $n;
}

# end tells of the end of a check. Its process said all that it had to say.
sub end {
	my ($pid, $status) = @_;
	my $run = delete $running{$pid};
	while ($run->[1] && length $run->[2] < $kept) {
		vec(my $bits = "", fileno $run->[1], 1) = 1;
		select($bits, undef, undef, 0) > 0 && listen_to($run, $bits) or last;
	}
	answer($run->[0], $status, unpack "H*", $run->[2]);
}

# answer writes a line, and returns true. A signal may cut a write short.
sub answer {
	my $line = join("\t", @_) . "\n";
	while (length $line) {
		my $n = syswrite $answers, $line;
		defined $n || $! == 4 or kill "KILL", $$;
		substr $line, 0, $n, "";
	}
	return 1;
}
__END__

# Runs a file as the check type external-perl does in the Perl ldirectord: as the body of a function,
# with the four arguments in @ARGV and @_. It is a success unless the file dies, or calls exit with
# something that is not 0 as a number.
no warnings;

BEGIN {
	*CORE::GLOBAL::exit = sub { CORE::exit($_[0] == 0 ? 0 : $_[0] & 255 || 255) };
}

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

sub ld_log { print STDERR "@_\n" }
sub ld_debug { }

my $file = shift @ARGV;
open my $in, "<", $file or die "can't open $file: $!\n";
my $code = do { local $/; <$in> };
close $in;
for my $module (@modules) {
	eval "use $module->[1]; 1" if $code =~ $module->[0];
}
my $check = eval "sub { \@ARGV = \@_;\n#line 1 \"$file\"\n$code\n}";
die $@ if !$check;
my @arguments = @ARGV; # not @ARGV itself, which the file changes
$check->(@arguments);
CORE::exit(0);
__END__

# For each line "pattern TAB text", both in hexadecimal, prints whether the text matches as in the Perl ldirectord: 1,
# 0, or E if Perl refuses the pattern (or takes more than a second).
use strict;
no warnings;
$| = 1;
$SIG{ALRM} = sub { die "slow" if $^S };
while (my $line = <STDIN>) {
	chomp $line;
	my ($pattern, $text) = map { pack "H*", $_ } split /\t/, $line, 2;
	my $answer = eval {
		alarm 1;
		$pattern eq "" || $text =~ /$pattern/ ? 1 : 0;
	};
	alarm 0;
	$answer = "E" if $@ ne "";
	print "$answer\n";
}

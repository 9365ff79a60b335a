#compdef ldirectord
# Completion of ldirectord for zsh.

local -a commands
commands=(
	'start:start the daemon'
	'stop:stop the daemon'
	'restart:let a new daemon take over'
	'try-restart:the same, only if one runs'
	'reload:read the file again'
	'force-reload:read the file again'
	'status:does it run? -v shows every server'
	'why:what the checks of a server found, and what was done'
	'check:what is wrong with the file'
	'plan:what the file would change'
	'probe:make each check once'
	'shadow:what would differ from the running daemon'
	'standby:start a daemon that checks and waits'
	'notify:what keepalived tells'
	'drain:no new connections for a server'
	'undrain:let it have them again'
	'wait:until a server is up or out'
	'set:drain, maintenance or another weight, with a reason and an end'
	'undo:no order for a server'
	'orders:which orders there are'
	'obey:checks may take out all that keepserving or checkvip holds'
	'withdraw:an address is not announced'
	'announce:an address is announced again'
	'realserver-script:what sets a real server up'
	'connections:what the virtual services carry'
	'doctor:does this machine have what the file needs?'
)

# The values of a directive in the file before the command, ldirectord.cf without one.
_ldirectord_values() {
	local folder file=${words[2]}
	(( ${commands[(I)$file:*]} )) && file=ldirectord.cf
	for folder in /etc/ha.d/ /etc/ha.d/conf/ ''; do
		[[ ! -f $folder$file ]] || break
	done
	compadd -- ${(fu)"$(sed -En "s/^[[:blank:]]*${1}6?[[:blank:]]*=[[:blank:]]*([^[:blank:]>]+)([[:blank:]].*)?\$/\1/p" "$folder$file" 2>/dev/null | sed -En "${2-p}")"}
}

_ldirectord_argument() {
	case " ${words[*]} " in
	*' set '*) _ldirectord_values real; compadd drain maint ready weight ;;
	*' wait '*) _ldirectord_values real; compadd up out ;;
	*' drain '*|*' undrain '*|*' undo '*|*' why '*) _ldirectord_values real ;;
	*' withdraw '*|*' announce '*) _ldirectord_values virtual 's/^\[?([[:xdigit:].:]+)\]?:[^:]+$/\1/p' ;;
	*' connections '*|*' obey '*|*' probe '*) _ldirectord_values virtual ;;
	esac
}

_arguments -S \
	'(-d --debug)'{-d,--debug}'[stay in the foreground, log on standard error]' \
	'(-h --help)'{-h,--help}'[help, also for a topic]::topic:(commands options files directives checks marks exit '"${(j: :)${(@)commands%%:*}}"')' \
	'(-v --version)'{-v,--version}'[the version]' \
	'--ipvs[which table]:table:(kernel memory)' \
	'--log-format[form of the log]:form:(text json)' \
	'--rundir[folder of the pid file]:folder:_files -/' \
	'--foreground[become the daemon]' \
	'--keep[with stop\: leave the table as it is]' \
	'--off[with obey\: not any more]' \
	'--strict[with check\: refuse what the Perl refuses]' \
	'--no-lookup[with check\: leave host names alone]' \
	'--json[the answer as JSON]' \
	'--exit-code[with plan\: 4 when something would change]' \
	'--warnings-are-errors[with check\: refuse what it warns of]' \
	'--with-secrets[with check --json\: passwords too]' \
	'--verbose[with status\: every server, with probe and why\: what was said]' \
	'--watch=-[with status\: at each interval]::time:' \
	'--wait[with drain\: until its connections are gone]' \
	'--timeout[of --wait]:time:' \
	'--force[with drain and set\: even the last server]' \
	'--why[the reason of an order]:text:' \
	'--until[when an order ends]:time:' \
	'(-n --lines)'{-n,--lines}'[with why\: how many entries]:number:' \
	'--for[how long an order or a shadow lasts]:time:' \
	'--report[with shadow\: a file for its report]:file:_files' \
	'--with-programs[with shadow\: run external checks too]' \
	'1: :{_alternative "files:file:_files -g \"*.cf\"" "names:file:compadd -- /etc/ha.d/*.cf(N\:t)" "commands:command:{_describe command commands}"}' \
	'2: :{_describe command commands}' \
	'*:server or virtual service:_ldirectord_argument'

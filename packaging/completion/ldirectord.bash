# Completion of ldirectord for bash.

# The values of a directive in the named configuration file, or in ldirectord.cf.
_ldirectord_values() {
	local directive=$1 file=${2:-ldirectord.cf} folder
	for folder in /etc/ha.d/ /etc/ha.d/conf/ ''; do
		[[ $file == @(.|..)/* && $folder || ! -f $folder$file ]] || break
	done
	sed -En "s/^[[:blank:]]*${directive}6?[[:blank:]]*=[[:blank:]]*([^[:blank:]>]+)([[:blank:]].*)?\$/\1/p" "$folder$file" 2>/dev/null
}

# The addresses of virtual services, without port and brackets.
_ldirectord_addresses() { _ldirectord_values virtual "$1" | sed -En 's/^\[?([[:xdigit:].:]+)\]?:[^:]+$/\1/p' | sort -u; }

# Offers the values that begin with the typed text. Bash replaces only the part after the last colon.
_ldirectord_offer() {
	local typed=${COMP_LINE:0:COMP_POINT} value
	typed=${typed##*[[:blank:]]}
	COMPREPLY=()
	while read -r value; do
		[[ -z $value || $value != "$typed"* ]] && continue
		[[ $COMP_WORDBREAKS == *:* && $typed == *:* ]] && value=${value#"${typed%:*}:"}
		COMPREPLY+=("$value")
	done
}

# Sets the caller's variables to what may follow a command, or, for "", to what needs no command before it. The lines are
# generated from the rows of cmd/ldirectord by `go test ./cmd/ldirectord -run TestHelp -update`.
# rows
_ldirectord_row() {
	commands='start stop restart try-restart reload force-reload confirm status why orders connections check plan test probe shadow doctor drain undrain set undo roll wait obey standby notify withdraw announce realserver-script'
	topics='commands options files directives checks marks exit'
	options='--debug --help --version --ipvs --log-format --rundir' takes=''
	case $1 in
	'') options+=' --foreground --last-good --keep --confirm --empty --strict --verbose --watch --warnings-are-errors --no-lookup --all --exit-code --down --drain --without-director --each --running --json --lines --of --client --top --with-secrets --wait --timeout --wait-budget --force --why --from --until --for --report --state --with-programs --off' ;;
	start) options+=' --foreground --last-good --strict' ;;
	stop) options+=' --keep' ;;
	restart) options+=' --foreground --strict' ;;
	try-restart) options+=' --foreground --strict' ;;
	reload) options+=' --confirm --empty --json --strict' ;;
	force-reload) options+=' --empty --json --strict' ;;
	confirm) options+=' --json' ;;
	status) options+=' --json --of --verbose --watch' ;;
	why) takes='REAL' options+=' --json --lines --verbose' ;;
	orders) options+=' --json' ;;
	connections) takes='VIRTUAL' options+=' --client --json --lines --top' ;;
	check) options+=' --all --json --no-lookup --strict --warnings-are-errors --with-secrets' ;;
	plan) options+=' --down --drain --each --exit-code --json --running --strict --without-director' ;;
	test) options+=' --strict' ;;
	probe) takes='VIRTUAL REAL' options+=' --json --strict --verbose' ;;
	shadow) options+=' --for --report --strict --with-programs' ;;
	doctor) options+=' --json' ;;
	drain) takes='REAL' options+=' --for --force --from --json --timeout --until --wait --wait-budget --why' ;;
	undrain) takes='REAL' options+=' --json' ;;
	set) takes='REAL drain maint ready weight' options+=' --for --force --from --json --timeout --until --wait --wait-budget --why' ;;
	undo) takes='REAL' options+=' --json' ;;
	roll) takes='REAL --' options+=' --force --state --timeout --wait-budget --why' ;;
	wait) takes='REAL up out' options+=' --json --timeout' ;;
	obey) takes='VIRTUAL' options+=' --for --json --off --until --why' ;;
	standby) options+=' --foreground --last-good --strict' ;;
	notify) takes='master backup fault stop' ;;
	withdraw) takes='ADDRESS' options+=' --for --json --timeout --until --wait --why' ;;
	announce) takes='ADDRESS' options+=' --json' ;;
	realserver-script) ;;
	esac
}
# end

_ldirectord() {
	local commands topics options takes word before= given= command=
	local current=${COMP_WORDS[COMP_CWORD]}
	_ldirectord_row ''
	for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
		[[ $word != = ]] || continue # bash splits --rundir=FOLDER at it
		if [[ -z $command && $commands =~ (^|[[:space:]])"$word"([[:space:]]|$) ]]; then
			command=$word
			_ldirectord_row "$command"
		fi
		[[ -n $command || $word == -* || $before =~ ^--(ipvs|log-format|rundir)$ ]] || given+=$word
		before=$word
	done
	case $before in
	--ipvs) COMPREPLY=($(compgen -W 'kernel memory' -- "$current")) && return ;;
	--log-format) COMPREPLY=($(compgen -W 'text json' -- "$current")) && return ;;
	--rundir) COMPREPLY=($(compgen -d -- "$current")) && return ;;
	--help | -h) COMPREPLY=($(compgen -W "$topics $commands" -- "$current")) && return ;;
	esac
	if [[ $current == -* ]]; then
		COMPREPLY=($(compgen -W "$options" -- "$current"))
		return
	fi
	if [[ -n $command ]]; then
		_ldirectord_offer < <(for word in $takes; do
			case $word in
			REAL) _ldirectord_values real "$given" | sort -u ;;
			VIRTUAL) _ldirectord_values virtual "$given" | sort -u ;;
			ADDRESS) _ldirectord_addresses "$given" ;;
			*) printf '%s\n' "$word" ;;
			esac
		done)
		return
	fi
	COMPREPLY=($(compgen -W "$commands" -- "$current"))
	if [[ -z $given ]]; then # the file comes before the command
		local name
		for name in /etc/ha.d/*.cf /etc/ha.d/conf/*.cf; do
			[[ ! -e $name ]] || COMPREPLY+=($(compgen -W "${name##*/}" -- "$current"))
		done
		COMPREPLY+=($(compgen -f -X '!*.cf' -- "$current") $(compgen -d -S / -- "$current"))
	fi
}
complete -F _ldirectord ldirectord

# Completion of ldirectord for bash.

# The values of a directive in the file that a word names, ldirectord.cf without one.
_ldirectord_values() {
	local directive=$1 file=${2:-ldirectord.cf} folder
	for folder in /etc/ha.d/ /etc/ha.d/conf/ ''; do
		[[ ! -f $folder$file ]] || break
	done
	sed -En "s/^[[:blank:]]*${directive}6?[[:blank:]]*=[[:blank:]]*([^[:blank:]>]+)([[:blank:]].*)?\$/\1/p" "$folder$file" 2>/dev/null
}

# The addresses of virtual services, without port and brackets.
_ldirectord_addresses() { _ldirectord_values virtual "$1" | sed -En 's/^\[?([[:xdigit:].:]+)\]?:[^:]+$/\1/p' | sort -u; }

# Offers values that begin with what is typed, of which bash replaces what comes after the last colon.
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
_ldirectord() {
	local commands='start stop restart try-restart reload force-reload status check plan probe shadow standby notify
		drain undrain wait set undo orders obey withdraw announce why realserver-script connections doctor'
	local options='--debug --help --version --ipvs --log-format --rundir --strict --no-lookup --json --exit-code --warnings-are-errors --verbose --watch --wait --force
		--keep --off --foreground --timeout --with-secrets --why --until --for --lines --report --with-programs'
	local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
	case $previous in
	--ipvs) COMPREPLY=($(compgen -W 'kernel memory' -- "$current")) && return ;;
	--log-format) COMPREPLY=($(compgen -W 'text json' -- "$current")) && return ;;
	--rundir) COMPREPLY=($(compgen -d -- "$current")) && return ;;
	--help | -h)
		COMPREPLY=($(compgen -W "commands options files directives checks marks exit $commands" -- "$current"))
		return
		;;
	notify) COMPREPLY=($(compgen -W 'master backup fault stop' -- "$current")) && return ;;
	esac
	if [[ $current == -* ]]; then
		COMPREPLY=($(compgen -W "$options" -- "$current"))
		return
	fi
	local word given=
	for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
		case $word in
		set) _ldirectord_offer < <(_ldirectord_values real "$given" | sort -u; printf '%s\n' drain maint ready weight) && return ;;
		wait) _ldirectord_offer < <(_ldirectord_values real "$given" | sort -u; printf '%s\n' up out) && return ;;
		drain | undrain | undo | why) _ldirectord_offer < <(_ldirectord_values real "$given" | sort -u) && return ;;
		withdraw | announce) _ldirectord_offer < <(_ldirectord_addresses "$given") && return ;;
		connections | obey | probe) _ldirectord_offer < <(_ldirectord_values virtual "$given" | sort -u) && return ;;
		esac
		[[ $commands =~ (^|[[:space:]])"$word"([[:space:]]|$) ]] && return
		[[ $word == -* ]] || given+=$word
	done
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

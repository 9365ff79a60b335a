#!/bin/sh
# Writes the ready pods of a service of Kubernetes as a list for realfile, every 5 seconds:
#
#     endpoints.sh shop web 8080 /run/lb/web
#
# ldirectord.cf has:  realfile = /run/lb/web masq
namespace=$1 service=$2 port=$3 list=$4
while sleep 5; do
	ips=$(kubectl get endpoints -n "$namespace" "$service" \
		-o jsonpath="{range .subsets[*].addresses[*]}{.ip}{'\n'}{end}") || continue
	printf '%s\n' "$ips" | sed "/^\$/d; s/.*:.*/[&]/; s/\$/:$port/" >"$list.new" || continue # IPv6 in brackets
	cmp -s "$list.new" "$list" || mv "$list.new" "$list" # a rename: no half list is ever seen
done

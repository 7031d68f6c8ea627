# SPDX-License-Identifier: Apache-2.0
# Completion of domus(8) for bash: nouns, verbs, options, and names that the agent here knows.
# shellcheck shell=bash

_domus_names() {
	# Names are letters, digits, '.', '_' and '-': the agent takes no others.
	domus "$1" list --json 2>/dev/null |
		sed -n 's/^      "name": "\([A-Za-z0-9._-]*\)",\{0,1\}$/\1/p'
}

_domus_volumes() {
	domus volume list 2>/dev/null | sed -n 's/^\([A-Za-z0-9._-]*\/[A-Za-z0-9._-]*\) .*/\1/p'
}

_domus() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
	local noun=${COMP_WORDS[1]-} verb=${COMP_WORDS[2]-} words=
	local options='--json --socket --help'

	COMPREPLY=()
	if [[ $prev == --on ]]; then
		words=$(_domus_names node)
	elif [[ $cur == -* ]]; then
		case "$noun $verb" in
		'guest start' | 'guest create') options+=' --on --no-wait' ;;
		'guest stop' | 'guest shutdown') options+=' --now --no-wait' ;;
		'guest destroy' | 'guest pause' | 'guest resume' | 'guest migrate' | \
			'volume create' | 'volume delete' | 'node drain') options+=' --no-wait' ;;
		'node fence') options+=' --yes --no-wait' ;;
		'node confirm-off') options+=' --yes' ;;
		'fence set') options+=' --power-on' ;;
		'events '*) options+=' --follow --after' ;;
		esac
		words=$options
	elif ((COMP_CWORD == 1)); then
		words='status cluster node guest volume pool fence events why request help'
	elif ((COMP_CWORD == 2)); then
		case $noun in
		cluster) words='init join' ;;
		node) words='list show drain activate fence confirm-off' ;;
		guest) words='list show define create undefine start stop shutdown destroy pause resume
			migrate console' ;;
		volume) words='list create delete' ;;
		pool) words='list create delete' ;;
		fence) words='list set' ;;
		why) words=$(_domus_names guest) ;;
		esac
	else
		case "$noun $verb" in
		'guest define' | 'guest create' | 'pool create')
			mapfile -t COMPREPLY < <(compgen -f -- "$cur")
			return
			;;
		'guest migrate')
			if ((COMP_CWORD == 3)); then words=$(_domus_names guest); else words=$(_domus_names node); fi
			;;
		'guest '*) words=$(_domus_names guest) ;;
		'node '* | 'fence set') words=$(_domus_names node) ;;
		'volume delete') words=$(_domus_volumes) ;;
		'pool delete') words=$(_domus_names pool) ;;
		esac
	fi
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}

complete -F _domus domus

#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Debian packages that building, testing and the lab need.
#
#	deps.sh check [model]	names what is missing; status 1 if anything is
#	deps.sh install [model]	installs it as root, else prints the command that does
#
# With the word model: what make model needs, and nothing else.
#
# While packages are installed no daemon may start (corosync's would, on the host itself):
# policy-rc.d says so to invoke-rc.d, and is put back as it was, whatever happens.
set -eu

build="gcc libc6-dev make pkg-config python3 libglib2.0-dev libqb-dev libcpg-dev libquorum-dev
	libvotequorum-dev libcmap-dev libcfg-dev libcorosync-common-dev libsqlite3-dev
	libjansson-dev libssl-dev pacemaker-dev scdoc"
tests="libcmocka-dev shellcheck binutils"
lab="corosync python3-pytest nftables iproute2 util-linux procps qemu-system-x86 qemu-utils cpio
	xz-utils zstd"
all="$build $tests $lab"
model="gcc libc6-dev make python3 spin"

policy=/usr/sbin/policy-rc.d
saved=$policy.before-domus
mark="made by domus packaging/deps.sh"

# One query for all: this runs before each check.
missing() {
	# shellcheck disable=SC2086
	have=" $(dpkg-query -W -f '${db:Status-Status}/${Package} ' $all 2>/dev/null || :)"
	for package in $all; do
		case $have in
		*" installed/$package "*) ;;
		*) printf '%s ' "$package" ;;
		esac
	done
}

put_back() {
	if grep -qs "$mark" "$policy"; then
		rm -f "$policy"
	fi
	if [ -e "$saved" ]; then
		mv -f "$saved" "$policy"
	fi
}

forbid_daemons() {
	put_back # what a killed run may have left
	trap put_back EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM
	if [ -e "$policy" ]; then
		mv "$policy" "$saved"
	fi
	printf '#!/bin/sh\n# %s\nexit 101\n' "$mark" >"$policy"
	chmod 755 "$policy"
}

get() {
	# shellcheck disable=SC2086
	DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $wanted
}

have_lists() {
	for list in /var/lib/apt/lists/*_Packages*; do
		[ -e "$list" ] && return 0
	done
	return 1
}

install() {
	forbid_daemons
	have_lists || apt-get update -q
	# Old lists name files that the mirror has replaced since: once more with new ones.
	get || { apt-get update -q && get; }
	# It must not start at the next boot either, unless it was the host's before.
	case " $wanted" in
	*" corosync "*) systemctl disable -q corosync 2>/dev/null || : ;;
	esac
}

command=${1:-}
case ${2:-} in
'') ;;
model) all=$model ;;
*) command= ;;
esac
if ! command -v dpkg-query >/dev/null; then
	echo "deps.sh: not a Debian system; see that the equivalents of these are there:"
	# shellcheck disable=SC2086
	echo $all
	exit 0
fi
wanted=$(missing)
case $command in
check)
	[ -z "$wanted" ] || { echo "missing: $wanted"; exit 1; }
	;;
install)
	[ -n "$wanted" ] || exit 0
	if [ "$(id -u)" != 0 ]; then
		echo "Debian packages are missing: $wanted" >&2
		echo "Run this, then try again:  sudo $0 install${2:+ $2}" >&2
		exit 1
	fi
	install
	;;
*)
	echo "usage: deps.sh check|install [model]" >&2
	exit 2
	;;
esac

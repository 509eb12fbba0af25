# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Shared by scripts/demo and scripts/test; to be sourced by a bash script that runs with `set -eu`.

# fail MESSAGE...: say what went wrong and stop the script.
fail() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

# as_root COMMAND...: run a command as root, through sudo when we are somebody else.
as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo -- "$@"
	else
		fail "must become root to run '$*', but sudo is not installed"
	fi
}

package_installed() {
	[[ $(dpkg-query -W -f '${db:Status-Abbrev}' "$1" 2>/dev/null) == ii* ]]
}

# need_packages PACKAGE...: install with apt the Debian packages that are missing; silent when none is.
need_packages() {
	local package log missing=()

	command -v dpkg-query >/dev/null || fail "this is not a Debian system; install by hand: $*"
	for package in "$@"; do
		package_installed "$package" || missing+=("$package")
	done
	[ "${#missing[@]}" -gt 0 ] || return 0
	printf '%s: installing %s\n' "${0##*/}" "${missing[*]}" >&2
	log=$(mktemp)
	if ! { as_root apt-get update && as_root env DEBIAN_FRONTEND=noninteractive \
		apt-get install -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
		tail -n 30 "$log" >&2
		rm -f "$log"
		fail "apt-get could not install ${missing[*]}"
	fi
	rm -f "$log"
}

# need_venv PACKAGE==VERSION...: install with pip what build/venv lacks of these Python packages; silent when nothing.
need_venv() {
	local venv package present missing=()

	venv=$(dirname "${BASH_SOURCE[0]}")/../build/venv
	need_packages python3-venv
	[ -x "$venv/bin/pip" ] || quietly "making build/venv" python3 -m venv --clear "$venv"
	present=$("$venv/bin/pip" list --format freeze --disable-pip-version-check)
	for package in "$@"; do
		grep -qixF -- "$package" <<<"$present" || missing+=("$package")
	done
	[ "${#missing[@]}" -gt 0 ] || return 0
	printf '%s: installing %s\n' "${0##*/}" "${missing[*]}" >&2
	quietly "installing ${missing[*]}" "$venv/bin/pip" install --disable-pip-version-check "${missing[@]}"
}

# quietly WHAT COMMAND...: run a command without its output; on failure show the end of it and stop.
quietly() {
	local what=$1 log

	shift
	log=$(mktemp)
	if ! "$@" >"$log" 2>&1; then
		tail -n 60 "$log" >&2
		rm -f "$log"
		fail "$what failed: $*"
	fi
	rm -f "$log"
}

# SPDX-License-Identifier: MIT
# Completion for bash: options, the names of boards, and files after --unix.
_nmhal_vboard()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local options="--unix --tcp --pty --address --once --json --list --help --version"

	case $prev in
	--unix) mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
	--tcp | --address) COMPREPLY=() ;;
	*) mapfile -t COMPREPLY < <(compgen -W "$options $("$1" --list 2>/dev/null | grep -v '^ ')" -- "$cur") ;;
	esac
}
complete -F _nmhal_vboard nmhal-vboard

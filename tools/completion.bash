# SPDX-License-Identifier: MIT
#
# Completion of the command `mend` for bash. What there is to complete is asked of the command
# itself: its --help lists commands, their options and whether these take a value, `mend options` the
# library's options. What has to be changed here when one is added is the words that a value may be.

_mend_commands() {
  "$1" --help 2>/dev/null | sed -n 's/^  \([a-z]*\)  .*/\1/p'
}

# The options of a command: those in the lines of its help that begin with one.
_mend_options_of() {
  "$1" "$2" --help 2>/dev/null | sed -n '/^  -/p' | grep -oE -- '--[a-z][a-z-]*'
}

# What an option of a command takes, as its help calls it: FILE, N. Nothing if it takes nothing.
_mend_value_of() {
  "$1" "$2" --help 2>/dev/null | sed -n "s/^  \(-., \)\{0,1\}$3 \([A-Z=]*\)  .*/\2/p"
}

# The library's options.
_mend_options() {
  "$1" options 2>/dev/null | sed -n 's/^\([a-z][a-z_]*\) .*/\1/p'
}

# Processes that have the library, of those that this user may look at.
_mend_processes() {
  grep -ls '/libmend[^/]*\.so' /proc/[0-9]*/maps 2>/dev/null | cut -d/ -f3
}

# The place of the program that the command is to run: behind --, or what of `run` is no option.
# Nothing if the cursor is before that. Bash takes NAME=VALUE for three words.
_mend_program_at() {
  local i
  for ((i = 2; i < COMP_CWORD; i++)); do
    case ${COMP_WORDS[i]} in
    --)
      echo $((i + 1))
      return
      ;;
    -o | --option)
      ((i++))
      [ "${COMP_WORDS[i + 1]}" != = ] || ((i += 2))
      ;;
    =) ((i++)) ;;
    -*) ;;
    *) [ "${COMP_WORDS[1]}" != run ] || break ;;
    esac
  done
  [ "${COMP_WORDS[1]}" != run ] || [[ ${COMP_WORDS[i]} == [-=]* ]] || echo "$i"
}

# A program and its arguments: as bash-completion has them, if that is there.
_mend_program() {
  if declare -F _command_offset >/dev/null; then
    _command_offset "$1"
  elif [ "$1" = "$COMP_CWORD" ]; then
    mapfile -t COMPREPLY < <(compgen -c -- "$2")
  else
    mapfile -t COMPREPLY < <(compgen -f -- "$2")
  fi
}

# What the word before the cursor asks for; false if that is nothing in particular.
_mend_value() {
  case $2 in
  -o | --option)
    mapfile -t COMPREPLY < <(compgen -S = -W "$(_mend_options "$1")" -- "$3")
    compopt -o nospace 2>/dev/null || true
    ;;
  value) mapfile -t COMPREPLY < <(compgen -W 'on off' -- "$3") ;;
  --color) mapfile -t COMPREPLY < <(compgen -W 'auto always never' -- "$3") ;;
  --show) mapfile -t COMPREPLY < <(compgen -W 'blocks reachable' -- "$3") ;;
  --by) mapfile -t COMPREPLY < <(compgen -W 'live total sparse' -- "$3") ;;
  --sort) mapfile -t COMPREPLY < <(compgen -W 'live free size' -- "$3") ;;
  --format)
    mapfile -t COMPREPLY < <(
      compgen -W 'table pprof collapsed heap heaptrack massif json track' -- "$3"
    )
    ;;
  --*)
    # A file, or a number, which nobody else can know.
    case $(_mend_value_of "$1" "${COMP_WORDS[1]}" "$2") in
    FILE | LIBRARY) mapfile -t COMPREPLY < <(compgen -f -- "$3") ;;
    '') return 1 ;;
    esac
    ;;
  *) return 1 ;;
  esac
}

# bash calls it with the command, the word that is to be completed, and the one before that.
_mend() {
  local word=$2 before=$3 end=$COMP_CWORD at processes=
  COMPREPLY=()
  if [ "$COMP_CWORD" = 1 ]; then
    mapfile -t COMPREPLY < <(compgen -W "$(_mend_commands "$1") --help --version" -- "$word")
    return
  fi
  if [ "${COMP_WORDS[end]}" = = ]; then  # the cursor is right behind it
    word=
    ((end++))
  fi
  if [ "${COMP_WORDS[end - 1]}" = = ]; then
    before=${COMP_WORDS[end - 2]}
    [[ ${COMP_WORDS[end - 3]} != -@(o|-option) ]] || before=value
  fi
  at=$(_mend_program_at)
  if [ -n "$at" ] && [ "$at" -le "$COMP_CWORD" ]; then
    _mend_program "$at" "$word"
  elif _mend_value "$1" "$before" "$word"; then
    :
  elif [[ $word == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$(_mend_options_of "$1" "${COMP_WORDS[1]}")" -- "$word")
  elif [ "${COMP_WORDS[1]}" = options ]; then
    mapfile -t COMPREPLY < <(compgen -W "$(_mend_options "$1")" -- "$word")
  else
    case ${COMP_WORDS[1]} in
    stats | leaks | profile | top | serve | doctor | map) processes=$(_mend_processes) ;;
    esac
    mapfile -t COMPREPLY < <(
      compgen -W "$processes" -- "$word"
      compgen -f -- "$word"
    )
  fi
}

complete -F _mend -o filenames mend

# Completion of fibserver for bash, 3.2 or newer, with bash-completion or without:
#   source <(fibserver completion bash)
# The program that is on the PATH says what may follow. It gets the line as text: nothing typed is run.
_fibserver() {
  # Each with a value, for who has set -u.
  local kind= word= answer=
  COMPREPLY=()
  # What bash itself has to say of the program would stand in the line that is typed.
  { answer=$(command fibserver __complete bash "$COMP_WORDBREAKS" "${COMP_LINE:0:$COMP_POINT}"); } 2>/dev/null || return 0
  {
    read -r kind
    while [[ $kind == words ]] && IFS=$'\t' read -r word _; do
      COMPREPLY[${#COMPREPLY[@]}]=$word
      # What goes on behind it.
      case $word in *[:=]) compopt -o nospace 2>/dev/null ;; esac
    done
  } <<<"$answer"
  # Readline finds them, and quotes what is odd in their names.
  case $kind in
    files) compopt -o default 2>/dev/null ;;
    folders) compopt -o dirnames 2>/dev/null ;;
  esac
}
# Bash 3.2 has no compopt: there, files are offered where there is nothing else.
if ((BASH_VERSINFO[0] < 4)); then
  complete -o default -F _fibserver fibserver
else
  complete -F _fibserver fibserver
fi

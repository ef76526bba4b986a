#compdef fibserver
# Completion of fibserver for zsh, as _fibserver in a folder of fpath, or:
#   source <(fibserver completion zsh)
# The program that is on the PATH says what may follow. It gets the words as text: nothing typed is run.
_fibserver() {
  local line kind head word about
  local -a answer plain open typed
  # Without their quotes; what they expand to is left alone.
  typed=("${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}")
  answer=("${(@f)$(command fibserver __complete zsh "${typed[@]}" 2>/dev/null)}")
  kind=${answer[1]%%$'\t'*}
  head=${answer[1]#*$'\t'}
  [[ $kind == (words|files|folders) ]] || return 1
  [[ -n $head ]] && compset -P 1 '*='
  case $kind in
    (files) _files; return ;;
    (folders) _files -/; return ;;
  esac
  for line in "${(@)answer[2,-1]}"; do
    word=${${line%%$'\t'*}//:/\\:}
    about=${line#*$'\t'}
    about=${about:+:$about}
    if [[ $word == *: ]]; then open+=("$word$about"); else plain+=("$word$about"); fi
  done
  local -i status_=1
  (( $#plain )) && _describe -V 'fibserver' plain && status_=0
  # What goes on behind it.
  (( $#open )) && _describe -V 'fibserver' open -S '' && status_=0
  return status_
}
# As a file of fpath this is the function itself, called for the first time. The braces are for who has set ksharrays.
if [[ ${funcstack[1]-} == _fibserver ]]; then
  _fibserver "$@"
else
  (( ${+functions[compdef]} )) || { autoload -Uz compinit && compinit }
  compdef _fibserver fibserver
fi

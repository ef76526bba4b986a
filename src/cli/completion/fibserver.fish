# Completion of fibserver for fish, 3.1 or newer:
#   fibserver completion fish | source
# The program that is on the PATH says what may follow. It gets the words as text: nothing typed is run.
function __fibserver_ask
    set -l words (commandline -opc)
    # What fish says of a program that is missing or crashes goes to the screen, whatever is redirected; sh's does not.
    command sh -c '"$@"; exit 0' sh fibserver __complete $argv[1] $words[2..-1] (commandline -ct) 2>/dev/null
end
function __fibserver_words
    set -l answer (__fibserver_ask fish)
    test "$answer[1]" = words
    and printf '%s\n' $answer[2..-1]
end
function __fibserver_is
    set -l answer (__fibserver_ask kind)
    test "$answer[1]" = $argv[1]
end
complete -c fibserver -e
complete -c fibserver -f -k -a '(__fibserver_words)'
complete -c fibserver -n '__fibserver_is files' -F
complete -c fibserver -n '__fibserver_is folders' -f -a '(__fish_complete_directories)'

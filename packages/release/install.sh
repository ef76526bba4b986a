#!/bin/sh
# Installs fibserver for one user, without root; `sh install.sh --help` says how it is told what.
# For every POSIX shell: dash, busybox ash, bash 3.2. All of it is one command, in braces, so that nothing runs of a
# script whose download was cut.
{
set -eu

# Where this release is, if that was known when it was made.
home='@URL@'

# Within the prefix; the program comes last, when all that belongs to it is there.
FOLDERS='share/doc/fibserver share/man/man1 share/bash-completion/completions share/zsh/site-functions
share/fish/vendor_completions.d bin'

usage() {
  cat <<END
Installs fibserver @VERSION@: the program, its manual page and completions.

Usage: sh install.sh [--prefix FOLDER] [--version VERSION] [URL or FOLDER]
       curl -fsSL URL/install.sh | sh -s -- [--prefix FOLDER] [--version VERSION] URL

  URL or FOLDER       where the release is, with its SHA256SUMS; by default this script's folder${home:+, or $home}
  --prefix FOLDER     where it is installed; by default ~/.local (the program is ~/.local/bin/fibserver)
  --version VERSION   which version is installed; by default @VERSION@

An older version is replaced only when the new one has run. A server that runs goes on, with the old one.
END
}

main() {
  version='@VERSION@' source='' prefix=''
  options "$@"
  find_source
  find_prefix
  find_platform
  find_tools
  for folder in $FOLDERS; do must_be_writable "$prefix/$folder"; done

  # Where the program will be, so that it is put there by a rename and no copy that can be interrupted.
  mkdir -p -- "$prefix/bin"
  trap 'rm -rf -- "${work:-}"' EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
  trap 'exit 141' PIPE
  work=$(mktemp -d "$prefix/bin/.fibserver-install.XXXXXX") || fail "cannot make a folder in $prefix/bin"

  fetch_archive
  new=$work/fibserver-$version-$platform
  # Not by -C, in whose value GNU's takes a backslash for the begin of a code.
  (cd -- "$work" && tar -xzf "$archive") || fail "cannot unpack $archive (is the disk full?). Nothing was changed"
  # This script may be what there is to read.
  said=$("$new/bin/fibserver" --version </dev/null 2>&1) ||
    fail "the new program does not run here. Nothing was changed. It said: $said"
  [ "${said%% *}" = "$version" ] || fail "the new program is not $version but $said. Nothing was changed"
  put_in_place
  report
}

options() {
  while [ $# -gt 0 ]; do
    case $1 in
      -h | --help)
        usage
        exit 0
        ;;
      --prefix | --version)
        option "$1" "${2:-}"
        shift
        ;;
      --prefix=* | --version=*) option "${1%%=*}" "${1#*=}" ;;
      -*) misused "there is no option $1" ;;
      *)
        [ -n "$1" ] || misused "a URL or folder is empty"
        [ -z "$source" ] || misused "one URL or folder is enough: $source or $1"
        source=$1
        ;;
    esac
    shift
  done
  case $version in
    *[!0-9A-Za-z.+-]*) misused "'$version' is no version" ;;
  esac
}

# An empty value is a variable that is not set, and not what is meant by leaving the option out.
option() {
  [ -n "$2" ] || misused "$1 needs a value"
  if [ "$1" = --prefix ]; then prefix=$2; else version=$2; fi
}

# What is named, else the folder of this script, else the address for which it was made.
find_source() {
  if [ -z "$source" ]; then
    # A script from a pipe has no folder: then $0 is the shell.
    case $0 in
      *install.sh)
        beside=$(dirname -- "$0")
        [ ! -f "$beside/SHA256SUMS" ] || source=$beside
        ;;
    esac
  fi
  source=${source:-$home}
  case $source in
    '') misused "say where the release is: a URL or a folder with SHA256SUMS" ;;
    http://* | https://*) source=${source%/} ;;
    *://*) misused "$source: only http: and https: are known" ;;
    *)
      [ -f "$source/SHA256SUMS" ] || fail "$source is no folder with a release: there is no SHA256SUMS in it"
      source=$(CDPATH='' cd -- "$source" && pwd)
      ;;
  esac
}

find_prefix() {
  if [ -z "$prefix" ]; then
    [ -n "${HOME:-}" ] || fail "HOME is not set: say where to install, with --prefix FOLDER"
    prefix=${HOME%/}/.local
  fi
  case $prefix in
    /*) ;;
    *) prefix=$(pwd)/$prefix ;;
  esac
  prefix=${prefix%/}
}

find_platform() {
  system=$(uname -s) || fail "uname does not tell which system this is"
  case $system in
    Linux) ;;
    Darwin) fail "fibserver is for Linux, and this is macOS: run it in a container or a virtual machine" ;;
    MINGW* | MSYS* | CYGWIN*) fail "fibserver is for Linux, and this is Windows: run it in WSL" ;;
    *) fail "fibserver is for Linux, and this is $system" ;;
  esac
  machine=$(uname -m)
  case $machine in
    x86_64 | amd64) platform=linux-x64 ;;
    aarch64 | arm64) platform=linux-arm64 ;;
    i?86 | arm*) fail "fibserver needs a system with 64 bits, and this one ($machine) has 32" ;;
    *) fail "fibserver is for x64 and arm64, and this is $machine" ;;
  esac
  # As on Raspberry Pi OS: the kernel has 64 bits, and all else 32.
  if has getconf && [ "$(getconf LONG_BIT 2>/dev/null)" = 32 ]; then
    fail "fibserver needs a system with 64 bits: here the kernel has them, but the programs have 32"
  fi
  if is_musl; then
    platform=$platform-musl
    [ -e /usr/lib/libstdc++.so.6 ] || [ -e /lib/libstdc++.so.6 ] || [ -e /usr/local/lib/libstdc++.so.6 ] ||
      fail "fibserver needs libstdc++, which is missing here: apk add libstdc++"
  fi
  has_vectors=yes
  case $platform in
    linux-x64*) find_vectors ;;
  esac
}

find_vectors() {
  flags=" $(grep -m 1 '^flags' /proc/cpuinfo 2>/dev/null || :) "
  case $flags in
    '  ' | *' sse4_2 '*) ;;
    *) fail "fibserver needs a processor with SSE4.2 (made since 2008 by Intel, since 2011 by AMD)" ;;
  esac
  case $flags in
    '  ' | *' avx '*) ;;
    *) has_vectors=no ;;
  esac
}

# ldd is the C library's own; where it is missing, its loader tells. Debian may have musl's loader beside its own.
is_musl() {
  if has ldd; then
    case $(ldd --version 2>&1 || :) in
      *musl*) return 0 ;;
      *) return 1 ;;
    esac
  fi
  for loader in /lib/ld-musl-*.so.1; do
    if [ -e "$loader" ] && [ ! -e /lib64/ld-linux-x86-64.so.2 ] && [ ! -e /lib/ld-linux-aarch64.so.1 ]; then return 0; fi
  done
  return 1
}

find_tools() {
  for tool in tar mktemp; do has "$tool" || fail "$tool is missing: install it, and run this again"; done
  has gzip || has busybox || fail "gzip is missing: install it, and run this again"
  has sha256sum || has shasum || has openssl ||
    fail "nothing here can check the download's sum: install sha256sum (coreutils), shasum (perl) or openssl"
  case $source in
    /*) ;;
    *) has curl || has wget || fail "curl and wget are missing: install one of them, and run this again" ;;
  esac
}

# Before anything is fetched. The next folder above that exists is the one that counts.
must_be_writable() {
  above=$1
  while [ ! -e "$above" ] && [ ! -L "$above" ]; do above=$(dirname -- "$above"); done
  [ -d "$above" ] || fail "$above is in the way: a folder must be there"
  if [ ! -w "$above" ] || [ ! -x "$above" ]; then
    fail "cannot write to $above: name another folder with --prefix, or run this as the user to whom it belongs"
  fi
}

fetch_archive() {
  archive=fibserver-$version-$platform.tar.gz
  fetch SHA256SUMS
  expected='' others='' return=$(printf '\r')
  # As other tools write it, too: with CR, with the star of binary files, in upper case, without a last newline.
  while read -r sum name || [ -n "$sum" ]; do
    name=${name%"$return"} name=${name#\*}
    # What is no sum, or no name of an archive's, is for nobody here; least of all for the terminal.
    case $sum in *[!0-9A-Fa-f]*) continue ;; esac
    case $name in *[!0-9A-Za-z.+_-]*) continue ;; esac
    case $name in
      "$archive")
        [ -z "$expected" ] || fail "SHA256SUMS of $source names $archive twice. Nothing was changed"
        expected=$(printf '%s' "$sum" | tr A-F a-f)
        ;;
      fibserver-*.tar.gz) others="$others $name" ;;
    esac
  done <"$work/SHA256SUMS"
  [ -n "$expected" ] ||
    fail "$source has no $archive;${others:- it is no release: SHA256SUMS names no archive at all}"
  fetch "$archive"
  actual=$(sum_of "$work/$archive")
  [ "$actual" = "$expected" ] ||
    fail "the sum of $archive is not what SHA256SUMS says: the download was cut or changed. Nothing was changed
  expected $expected
  but got  $actual"
}

fetch() {
  if [ -d "$source" ]; then
    cp -- "$source/$1" "$work/$1" || fail "cannot read $source/$1"
    return
  fi
  if has curl; then tool=curl; else tool=wget; fi
  status=0
  "with_$tool" "$source/$1" "$work/$1" || status=$?
  [ "$status" -eq 0 ] || fail "cannot fetch $source/$1 ($tool ended with $status). Nothing was changed"
}

# From https: to http: no redirect leads. What comes slower than 1 KB/s for a minute has stopped.
with_curl() {
  case $1 in
    https:*) redirects='=https' ;;
    *) redirects='=http,https' ;;
  esac
  curl -fsSL --proto '=http,https' --proto-redir "$redirects" --connect-timeout 30 --speed-time 60 --speed-limit 1000 \
    -o "$2" "$1"
}

# No wget can be told that, but each says which answers it got: so what came by such a redirect is not used. GNU's would
# try 20 times. That of busybox tries once, and must not be told for how long: with -T Debian's crashes.
with_wget() {
  case $(wget --version 2>&1 || :) in
    *GNU*) set -- "$@" -nv -T 60 --tries=2 ;;
    *) set -- "$@" -q ;;
  esac
  from=$1 to=$2
  shift 2
  status=0
  LC_ALL=C wget -S "$@" -O "$to" "$from" 2>"$work/said" || status=$?
  # The lines of the answers' heads begin with blanks.
  [ "$status" -eq 0 ] || grep -v '^  ' "$work/said" >&2 || :
  case $from in
    https:*)
      ! grep -iq '^ *location: *http:' "$work/said" || fail "$from leads from https: to http:. Nothing was changed"
      ;;
  esac
  return "$status"
}

sum_of() {
  if has sha256sum; then sha256sum <"$1"; elif has shasum; then shasum -a 256 <"$1"; else openssl dgst -sha256 -r <"$1"; fi |
    {
      read -r sum _
      printf '%s' "$sum"
    }
}

put_in_place() {
  for folder in $FOLDERS; do
    for file in "$new/$folder"/*; do
      [ -f "$file" ] || fail "there is no $folder in the archive. Nothing was changed"
      [ ! -d "$prefix/$folder/${file##*/}" ] ||
        fail "the folder $prefix/$folder/${file##*/} is in the way: a file must be there. Nothing was changed"
    done
  done
  # What begins here ends in an instant.
  trap '' HUP INT TERM PIPE
  for folder in $FOLDERS; do
    mkdir -p -- "$prefix/$folder"
    for file in "$new/$folder"/*; do
      mv -f -- "$file" "$prefix/$folder/" || fail "cannot write to $prefix/$folder"
    done
  done
}

report() {
  program=$prefix/bin/fibserver
  say "fibserver $version is installed: $program"
  [ "$has_vectors" = yes ] || say "This processor has no AVX: numbers of many digits take longer."
  if is_on_path; then
    first=$(command -v fibserver || :)
    [ "$(folder_of "$first")" = "$(folder_of "$program")" ] || say "But the PATH leads to another one first: $first"
    return
  fi
  case $prefix in
    *:*) say "Its folder cannot be on the PATH, since there is a colon in its name." ;;
    *)
      say "Its folder is not on the PATH. For this shell, and in ~/.profile for the next ones:"
      say "  export PATH=$(quoted "$prefix/bin"):\"\$PATH\""
      ;;
  esac
}

# However it is written there: with a slash at its end, or by a link.
is_on_path() (
  here=$(folder_of "$program")
  set -f
  IFS=:
  for folder in ${PATH:-}; do
    if [ "$(folder_of "${folder:-.}/fibserver")" = "$here" ]; then exit 0; fi
  done
  exit 1
)

# The folder's one name; nothing when it is not there.
folder_of() {
  if CDPATH='' cd -P -- "$(dirname -- "$1")" 2>/dev/null; then pwd -P; fi
}

# For a shell that is given this as a word.
quoted() {
  rest=$1 before=''
  while :; do
    case $rest in
      *\'*) before="$before${rest%%\'*}'\\''" rest=${rest#*\'} ;;
      *) break ;;
    esac
  done
  printf "'%s'" "$before$rest"
}

# Not by echo: that of dash takes the backslashes in names for codes.
say() {
  printf '%s\n' "$*"
}

has() {
  command -v "$1" >/dev/null 2>&1
}

fail() {
  say "install.sh: $*" >&2
  exit 1
}

misused() {
  say "install.sh: $*" >&2
  say "  sh install.sh --help says more" >&2
  exit 2
}

main "$@"
}

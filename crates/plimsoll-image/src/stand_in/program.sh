#!/bin/sh
# Starts the program when only its options are given.
set -eu

case ${1-} in
    '' | -*) set -- "$PROGRAM" "$@" ;;
esac
exec "$@"

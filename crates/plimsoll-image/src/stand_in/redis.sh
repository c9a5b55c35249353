#!/bin/sh
# Starts the server with the arguments that users of its usual image know: options alone, a
# configuration file alone, or any other program.
set -eu

case ${1-} in
    '' | -* | *.conf) set -- "$SERVER" "$@" ;;
esac
if [ "$1" != "$SERVER" ]; then
    exec "$@"
fi
shift
configuration=
case ${1-} in
    '' | -*) ;;
    *)
        configuration=$1
        shift
        ;;
esac
umask 077
# Who may connect is decided by the container's network; without a password the protected mode
# would refuse every other container.
if [ -z "$configuration" ] || ! grep -q '^[[:space:]]*protected-mode' "$configuration"; then
    set -- --protected-mode no "$@"
fi
exec "$SERVER" ${configuration:+"$configuration"} "$@"

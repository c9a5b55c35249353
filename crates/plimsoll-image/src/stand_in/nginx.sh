#!/bin/sh
# Starts nginx after filling the templates in /etc/nginx/templates with variables, as users of
# its usual image know it.
set -eu

case ${1-} in -*) set -- nginx "$@" ;; esac
templates=/etc/nginx/templates
if [ "${1-}" = nginx ] && [ -d "$templates" ]; then
    names=$(env | sed -n 's/^\([A-Za-z_][A-Za-z0-9_]*\)=.*/$\1/p')
    find "$templates" -type f -name '*.template' | while read -r template; do
        name=${template#"$templates/"}
        target=/etc/nginx/conf.d/${name%.template}
        mkdir -p "$(dirname "$target")"
        if ! envsubst "$names" <"$template" >"$target"; then
            echo "error: cannot write $target from $template" >&2
            echo "hint: mount a writable directory at /etc/nginx/conf.d" >&2
            exit 1
        fi
    done
fi
exec "$@"

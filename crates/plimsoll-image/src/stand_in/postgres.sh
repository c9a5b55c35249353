#!/bin/bash
# Starts PostgreSQL with the variables, arguments and directories that users of its usual image
# know. Runs as an ordinary user throughout: nothing here changes owners or gives up rights.
set -eu

fail() {
    printf 'error: %s\n' "$1" >&2
    shift
    local hint
    for hint in "$@"; do printf 'hint: %s\n' "$hint" >&2; done
    exit 1
}

# setting NAME [DEFAULT]: exports NAME, from itself, from the file that NAME_FILE names, or from
# the default.
setting() {
    local name=$1 file=$1_FILE value
    if [[ -n ${!name-} && -n ${!file-} ]]; then
        fail "$name and $file are both set" "set one of them"
    elif [[ -n ${!file-} ]]; then
        [[ -r ${!file} ]] || fail "$file names \`${!file}\`, which cannot be read"
        value=$(<"${!file}")
    else
        value=${!name-${2-}}
    fi
    unset "$file"
    export "$name=$value"
}

# initdb and psql want the user to have a name; a service may run under any number.
name_the_user() {
    local user group
    user=$(id -u)
    group=$(id -g)
    if ! getent passwd "$user" >/dev/null; then
        NSS_WRAPPER_PASSWD=$(mktemp)
        NSS_WRAPPER_GROUP=$(mktemp)
        printf 'postgres:x:%s:%s:PostgreSQL:%s:/bin/false\n' "$user" "$group" "$PGDATA" >"$NSS_WRAPPER_PASSWD"
        printf 'postgres:x:%s:\n' "$group" >"$NSS_WRAPPER_GROUP"
        export NSS_WRAPPER_PASSWD NSS_WRAPPER_GROUP LD_PRELOAD=libnss_wrapper.so
    fi
}

forget_the_name() {
    if [[ -n ${NSS_WRAPPER_PASSWD-} ]]; then
        rm -f "$NSS_WRAPPER_PASSWD" "$NSS_WRAPPER_GROUP"
        unset NSS_WRAPPER_PASSWD NSS_WRAPPER_GROUP LD_PRELOAD
    fi
}

# SQL as the superuser. Scripts in the initialisation directory know it under this name.
docker_process_sql() {
    local database=()
    [[ -n $POSTGRES_DB ]] && database=(--dbname "$POSTGRES_DB")
    PGHOST=$sockets PGHOSTADDR='' psql -v ON_ERROR_STOP=1 --no-psqlrc --no-password \
        --username "$POSTGRES_USER" "${database[@]}" "$@"
}

make_cluster() {
    setting POSTGRES_USER postgres
    setting POSTGRES_PASSWORD
    setting POSTGRES_DB "$POSTGRES_USER"
    setting POSTGRES_INITDB_ARGS
    local method=${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}
    if [[ -z $POSTGRES_PASSWORD && $method != trust ]]; then
        fail "POSTGRES_PASSWORD is not set, and a database that lets nobody or everybody in is not made" \
            "set POSTGRES_PASSWORD, or POSTGRES_PASSWORD_FILE" \
            "POSTGRES_HOST_AUTH_METHOD=trust lets everybody in without a password"
    fi
    local arguments=(--username "$POSTGRES_USER" --auth-local trust --auth-host trust) secret=
    if [[ -n $POSTGRES_PASSWORD ]]; then
        secret=$(mktemp)
        printf '%s\n' "$POSTGRES_PASSWORD" >"$secret"
        arguments+=(--pwfile "$secret")
    fi
    [[ -n ${POSTGRES_INITDB_WALDIR-} ]] && arguments+=(--waldir "$POSTGRES_INITDB_WALDIR")
    # The variable holds shell words, as it does in the usual image.
    local -a more
    eval "more=($POSTGRES_INITDB_ARGS)"
    initdb --pgdata "$PGDATA" "${arguments[@]}" "${more[@]}"
    [[ -z $secret ]] || rm -f "$secret"
    printf '\nhost all all all %s\n' "$method" >>"$PGDATA/pg_hba.conf"
    printf "\nlisten_addresses = '*'\n" >>"$PGDATA/postgresql.conf"
}

# Fills the new cluster while nobody can reach it.
fill_cluster() {
    export PGPASSWORD=$POSTGRES_PASSWORD
    pg_ctl --pgdata "$PGDATA" --wait --silent \
        --options "-c listen_addresses='' -c unix_socket_directories='$sockets'" start \
        || fail "the new database does not start"
    if [[ $POSTGRES_DB != postgres ]]; then
        POSTGRES_DB=postgres docker_process_sql --quiet --set name="$POSTGRES_DB" \
            <<<'CREATE DATABASE :"name";'
    fi
    local file
    for file in /docker-entrypoint-initdb.d/*; do
        [[ -e $file ]] || continue
        printf '%s: running %s\n' "$0" "$file"
        case $file in
            *.sh) if [[ -x $file ]]; then "$file"; else . "$file"; fi ;;
            *.sql) docker_process_sql --file "$file" ;;
            *.sql.gz) gunzip --stdout "$file" | docker_process_sql ;;
            *.sql.xz) xzcat "$file" | docker_process_sql ;;
            *.sql.zst) zstd --decompress --stdout "$file" | docker_process_sql ;;
            *) printf '%s: leaving out %s\n' "$0" "$file" ;;
        esac
    done
    pg_ctl --pgdata "$PGDATA" --mode fast --wait --silent stop
    unset PGPASSWORD
}

# Makes the cluster aside and moves it into place when it is whole, its version last: a start that
# is killed on the way leaves nothing that a later one would take for a database.
initialise() {
    local place=$PGDATA entry
    if [[ ! -d $place/.ready ]]; then
        rm -rf "$place/.new"
        for entry in "$place"/* "$place"/.[!.]*; do
            [[ -e $entry && ${entry##*/} != lost+found ]] || continue
            fail "$place is not empty and holds no database" "mount an empty volume there"
        done
        PGDATA=$place/.new
        make_cluster
        fill_cluster
        mv "$place/.new" "$place/.ready"
        PGDATA=$place
    fi
    for entry in "$place"/.ready/*; do
        [[ ${entry##*/} == PG_VERSION || ! -e $entry ]] || mv "$entry" "$place/"
    done
    mv "$place/.ready/PG_VERSION" "$place/"
    rmdir "$place/.ready"
}

[[ ${1-} == -* ]] && set -- postgres "$@"
if [[ ${1-postgres} != postgres ]]; then
    exec "$@"
fi
for argument in "$@"; do
    case $argument in --help | -\? | --version | -V | --describe-config | -C) exec "$@" ;; esac
done
[[ $(id -u) != 0 ]] || fail "PostgreSQL does not run as root" "leave out \`user\`, or name another"

major=${PG_MAJOR:?}
umask 077
mkdir -p "$PGDATA" 2>/dev/null || true
[[ -w $PGDATA ]] || fail "$PGDATA cannot be written by user $(id -u)" \
    "give the directory that is mounted there to user $(id -u)"
chmod 700 "$PGDATA" 2>/dev/null || true

sockets=/var/run/postgresql
options=()
mkdir -p "$sockets" 2>/dev/null || true
if [[ ! -w $sockets ]]; then
    sockets=/tmp
    options=(-c "unix_socket_directories=$sockets")
    export PGHOST=$sockets
fi

if [[ -s $PGDATA/PG_VERSION ]]; then
    found=$(<"$PGDATA/PG_VERSION")
    [[ $found == "$major" ]] || fail \
        "the data in $PGDATA was written by PostgreSQL $found; this is PostgreSQL $major, which cannot read it" \
        "make the registry of the image you asked for reachable, or dump the data and start with an empty volume"
else
    name_the_user
    # A shell hears a signal only when what it runs is over, and a server that is started afterwards
    # never does. What is half made here is never taken for a database, so it may end at once, and
    # with the first process everything does.
    trap 'exit 143' INT TERM QUIT
    initialise &
    wait "$!"
    trap - INT TERM QUIT
    forget_the_name
    printf '\nPostgreSQL is initialised and ready to start.\n\n'
fi
exec "$@" "${options[@]}"

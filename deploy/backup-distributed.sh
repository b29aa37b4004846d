#!/bin/sh
# A backup of the distributed home (PostgreSQL and a bucket) beside the running nodes, and the way back:
#
#   deploy/backup-distributed.sh backup FOLDER       FOLDER must not exist. Both steps:
#   deploy/backup-distributed.sh database FOLDER       first this one, where pg_dump is;
#   deploy/backup-distributed.sh objects FOLDER        then this one, where the copy command is
#   deploy/backup-distributed.sh restore FOLDER      into an empty database and an empty place for objects. All of it, and
#                                                      maxray reindex --missing, for what came in after the dump:
#   deploy/backup-distributed.sh restore-objects FOLDER
#   deploy/backup-distributed.sh restore-database FOLDER
#   deploy/backup-distributed.sh verify                whether all is there: maxray verify --deep
#
# --prefix PREFIX before FOLDER is object_storage.s3.prefix of the site that is saved, or of the one that is restored.
#
#   DATABASE_URL    as database.url, or DATABASE_URL_FILE: a file with it
#   DATABASE_NAME   another database of that server
#   BUCKET          as the copy command names it: store:maxray (rclone), s3://maxray (aws), store/maxray (mc)
#   COPY            rclone, aws or mc (MinIO's), with arguments if need be; the first that is installed. Another program is
#                   called as `PROGRAM objects FROM TO` (all but keys/), `PROGRAM keys FROM TO` (keys/ alone), `PROGRAM list
#                   PLACE` (prints what is there)
#   MAXRAY          the program (maxray). Its settings for `restore` and `verify` come from the environment: the bucket that is restored
#                   into, its keys, and the root key; where the database is and the prefix are told by this script
#
# The order is that of deploy/backup.sh, for its reasons: the database first, the objects after it, keys last. Names in the
# backup are without the prefix. root key and doctor secret are not in it. The database holds names and headers in clear
# (docs/object-format.md): the place of the backup has to be encrypted and as well guarded as the site.
#
# Do not rotate keys (`maxray key rotate`) and do not purge while it runs; it has to end within archive.delete_grace_ms.
set -eu
umask 077

fail() { echo "backup-distributed.sh: $*" >&2; exit 1; }
usage() {
    echo "usage: backup-distributed.sh backup|database|objects|restore|restore-objects|restore-database|verify [--prefix PREFIX] [FOLDER]" >&2
    exit 2
}

[ $# -ge 1 ] || usage
step=$1 prefix='' folder=''
shift
while [ $# -gt 0 ]; do
    case $1 in
        --prefix) [ $# -ge 2 ] || usage; prefix=$2; shift ;;
        -*) usage ;;
        *) [ -z "$folder" ] || usage; folder=$1 ;;
    esac
    shift
done
case $step in
    verify) [ -z "$folder" ] || usage ;;
    *) [ -n "$folder" ] || usage ;;
esac
# As MaxRay takes it.
while [ "$prefix" != "${prefix#/}" ]; do prefix=${prefix#/}; done
while [ "$prefix" != "${prefix%/}" ]; do prefix=${prefix%/}; done
# Without the slashes at its end, for what is unfinished has to lie beside it; and no name that mc takes for a store's.
folder=${folder%"${folder##*[!/]}"}
case $folder in /*) ;; *) folder=$PWD/$folder ;; esac
# A copy that broke off is never taken for a backup.
unfinished=$folder.unfinished

# Who may list the processes of this machine sees the URL.
find_database() {
    url=${DATABASE_URL:-}
    [ -n "$url" ] || [ -z "${DATABASE_URL_FILE:-}" ] || url=$(cat "$DATABASE_URL_FILE")
    [ -n "$url" ] || fail "DATABASE_URL is not set: postgres://user:password@host/name"
    [ -z "${DATABASE_NAME:-}" ] ||
        url=$(printf '%s\n' "$url" | sed "s|^\([a-z]*://[^/]*/\)[^?]*|\1$DATABASE_NAME|")
}

find_bucket() {
    [ -n "${BUCKET:-}" ] || fail "BUCKET is not set: as store:maxray (rclone), s3://maxray (aws), store/maxray (mc)"
    if [ -z "${COPY:-}" ]; then
        for COPY in rclone aws mc; do ! command -v "$COPY" >/dev/null || break; done
        command -v "$COPY" >/dev/null || fail "none of rclone, aws and mc is installed, and COPY names no other program"
    fi
    tool=${COPY%% *}
    tool=${tool##*/}
    place=${BUCKET%/}${prefix:+/$prefix}
}

# COPY is several words.
copy_objects() {
    case $tool in
        rclone) $COPY copy --exclude '/keys/**' "$1" "$2" ;;
        aws) $COPY s3 sync --only-show-errors --exclude 'keys/*' "$1" "$2" ;;
        mc) $COPY --quiet mirror --exclude 'keys/*' "$1" "$2" ;;
        *) $COPY objects "$1" "$2" ;;
    esac
}
copy_keys() {
    case $tool in
        rclone) $COPY copy "$1/keys" "$2/keys" ;;
        aws) $COPY s3 sync --only-show-errors "$1/keys" "$2/keys" ;;
        mc) $COPY --quiet mirror "$1/keys" "$2/keys" ;;
        *) $COPY keys "$1" "$2" ;;
    esac
}
# What cannot be listed is not there, or the copy says what is wrong with it.
list() {
    case $tool in
        rclone) $COPY lsf --max-depth 1 "$1" ;;
        aws) $COPY s3 ls "$1/" ;;
        mc) $COPY ls "$1/" ;;
        *) $COPY list "$1" ;;
    esac 2>/dev/null || true
}

# An object that goes away between the list and the copy had no row or was erased, but the copy fails over it. The next one
# does not see it any more, and goes on where this one ended: objects do not change once they have their names.
thrice() {
    "$@" || "$@" || "$@"
}

save_database() {
    find_database
    command -v pg_dump >/dev/null || fail "pg_dump is not installed"
    [ ! -e "$folder" ] || fail "$folder is there already"
    rm -rf "$unfinished"
    mkdir -p "$unfinished"
    pg_dump --format=custom --file="$unfinished/maxray.dump" --dbname="$url"
}

# A key that is destroyed meanwhile must not come back from an attempt before.
save_keys() {
    rm -rf "$unfinished/bucket/keys"
    copy_keys "$place" "$unfinished/bucket"
}

save_objects() {
    find_bucket
    [ ! -e "$folder" ] || fail "$folder is there already"
    [ -s "$unfinished/maxray.dump" ] || fail "there is no $unfinished/maxray.dump: the database comes first"
    mkdir -p "$unfinished/bucket"
    thrice copy_objects "$place" "$unfinished/bucket" || fail "objects could not be copied"
    thrice save_keys || fail "keys could not be copied"
    [ -s "$unfinished/bucket/keys/root" ] || fail "$place has no keys/root: is --prefix what object_storage.s3.prefix is?"
    # The copy of the objects may hold what came in after the dump: no node removes any of it before `maxray reindex`.
    beat=$(cat "$unfinished/bucket/keys/beat" 2>/dev/null || echo 0)
    now=$(date +%s)000
    [ "$now" -gt "$beat" ] || now=$((beat + 1))
    printf %s "$now" >"$unfinished/bucket/keys/beat"
    sync
    mv "$unfinished" "$folder"
    echo "backed up to $folder"
    echo "root key and doctor secret are not in it: keep their copies elsewhere"
}

bring_objects() {
    find_bucket
    [ -s "$folder/bucket/keys/root" ] || fail "$folder is no whole backup: it has no bucket/keys/root"
    [ -z "$(list "$place")" ] || fail "$place is not empty: restore into a place of its own"
    thrice copy_objects "$folder/bucket" "$place" || fail "objects could not be copied"
    thrice copy_keys "$folder/bucket" "$place" || fail "keys could not be copied"
    echo "objects and keys are in $place"
}

# All or nothing, and nothing when a table is there already.
bring_database() {
    find_database
    command -v pg_restore >/dev/null || fail "pg_restore is not installed"
    [ -s "$folder/maxray.dump" ] || fail "$folder is no whole backup: it has no maxray.dump"
    pg_restore --exit-on-error --single-transaction --no-owner --no-privileges --no-comments --dbname="$url" \
        "$folder/maxray.dump" || fail "the database was not restored: it has to be there, and to be empty"
    echo "the database is restored"
}

over_the_restored() {
    find_database
    unset MAXRAY_DATABASE__URL_FILE MAXRAY_OBJECT_STORAGE__S3__PREFIX_FILE
    export MAXRAY_DATABASE__URL="$url" MAXRAY_OBJECT_STORAGE__S3__PREFIX="$prefix"
    if [ -z "${MAXRAY_DATA_DIRECTORY:-}" ]; then
        MAXRAY_DATA_DIRECTORY=$(mktemp -d)
        export MAXRAY_DATA_DIRECTORY
        trap 'rm -rf "$MAXRAY_DATA_DIRECTORY"' EXIT
    fi
    mkdir -p "$MAXRAY_DATA_DIRECTORY"
    "${MAXRAY:-maxray}" "$@"
}

case $step in
    database) save_database ;;
    objects) save_objects ;;
    backup) save_database; save_objects ;;
    restore-objects) bring_objects ;;
    restore-database) bring_database ;;
    verify) over_the_restored verify --deep ;;
    restore)
        bring_objects
        bring_database
        over_the_restored reindex --missing
        over_the_restored verify --deep
        ;;
    *) usage ;;
esac

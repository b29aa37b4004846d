#!/bin/sh
# A backup of the embedded home (SQLite and a directory) beside the running server:
#
#   deploy/backup.sh DATA_DIRECTORY DESTINATION [OBJECTS_DIRECTORY]      DESTINATION must not exist; needs sqlite3
#
# OBJECTS_DIRECTORY is object_storage.directory, where `objects` and `keys` lie when they are not in the data directory.
#
# The order is what makes it whole:
#   1. small files   who this node is and what signs the audit trail; the trail's witness is then not younger than the
#                    database, which would look like a trail that somebody cut
#   2. database      one consistent snapshot of everything that was acknowledged until now
#   3. objects       every object that a row of the snapshot names was durable before the row, and is there still: what is
#                    deleted stays for archive.delete_grace_ms, what a rotation replaced for keys.rotation_grace_ms
#   4. keys          every key that something was sealed with is older than it; and a key that was destroyed meanwhile
#                    stays away, so that what was erased stays erased
# The other way round, objects before the database, rows would come whose objects are not in the copy.
#
# What opens and signs is left out. Keep copies elsewhere of root.key (without it no object can be read) and of
# doctor-keys.secret (without it no signed prescription can be verified). token-keys.json is made anew at the next start.
# What is left is not harmless: the database holds names and headers in clear (docs/object-format.md), so that the place
# of the backup has to be encrypted and as well guarded as the server.
#
# Do not rotate keys (`maxray key rotate`) and do not purge while it runs.
set -eu
umask 077
[ $# = 2 ] || [ $# = 3 ] || { echo "usage: backup.sh DATA_DIRECTORY DESTINATION [OBJECTS_DIRECTORY]" >&2; exit 2; }
# Without the slashes at its end: what is unfinished has to lie beside it and not inside.
data=$1 destination=${2%"${2##*[!/]}"} store=${3:-$1}
command -v sqlite3 >/dev/null || { echo "backup.sh: sqlite3 is not installed" >&2; exit 1; }
[ -f "$data/maxray.sqlite" ] || { echo "backup.sh: $data holds no maxray.sqlite" >&2; exit 1; }
[ -d "$store/objects" ] || { echo "backup.sh: $store holds no objects: give object_storage.directory as the third argument" >&2; exit 1; }
[ ! -e "${destination:-/}" ] || { echo "backup.sh: $2 is there already" >&2; exit 1; }
# Unfinished until it gets its name: a copy that broke off is never taken for a backup.
unfinished=$destination.unfinished
rm -rf "$unfinished"
mkdir -p "$unfinished"

for file in node.id audit.key audit-checkpoints.jsonl; do
    [ ! -e "$data/$file" ] || cp -p "$data/$file" "$unfinished/$file"
done
# One read transaction: writers go on, and nothing of them is half in it.
sqlite3 -readonly -cmd '.timeout 30000' "$data/maxray.sqlite" "VACUUM INTO '$(printf %s "$unfinished/maxray.sqlite" | sed "s/'/''/g")'"

# An object does not change once it has its name, so that the copy of any moment is good. What goes away between the list
# and the copy had no row or was erased: tar says so and ends with 1. 2 is a failure.
copy() {
    status=0
    { tar -C "$store" -cf - "$1" || status=$?; echo "$status" >"$unfinished/.status"; } | tar -C "$unfinished" -xpf -
    [ "$(cat "$unfinished/.status")" -le 1 ] || { echo "backup.sh: $1 could not be copied" >&2; exit 1; }
    rm "$unfinished/.status"
}
copy objects
copy keys

# The copy of the objects may hold what came in after the snapshot: no server removes any of it before `maxray reindex` (docs/verify.md).
beat=$(cat "$unfinished/keys/beat" 2>/dev/null || echo 0)
now=$(date +%s)000
[ "$now" -gt "$beat" ] || now=$((beat + 1))
printf %s "$now" >"$unfinished/keys/beat"

sync -f "$unfinished"
mv "$unfinished" "$destination"
echo "backed up $data to $destination: $(find "$destination/objects" -type f | wc -l) objects"
echo "root.key and doctor-keys.secret are not in it: keep their copies elsewhere"

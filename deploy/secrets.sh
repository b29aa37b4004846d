#!/bin/sh
# Makes what the containers of docker-compose.yml keep secret: deploy/secrets/, each file once. Run it again and nothing
# changes; delete a file and run it to make that one anew, with what is made of it (docs/operations.md says what that means
# for each).
#
#   deploy/secrets.sh [FOLDER]        needs openssl
#
# Keep a copy of root_key and doctor_secret away from the backups of database and bucket: without root_key nothing can be
# read again, by anybody.
set -eu
umask 077
folder=${1:-$(dirname "$0")/secrets}
command -v openssl >/dev/null || { echo "secrets.sh: openssl is not installed" >&2; exit 1; }
mkdir -p "$folder"
# Nobody else on this machine gets past the folder. The files below are readable by all, because the users of the
# containers that they are mounted into have other numbers than ours.
chmod 700 "$folder"
# What is not finished lies here, and goes away however this ends.
unfinished=$(mktemp -d "$folder/.unfinished.XXXXXX")
trap 'rm -rf "$unfinished"' EXIT
trap 'exit 1' HUP INT TERM

# put NAME: standard input becomes the file, whole or not at all, unless it is there.
put() {
    [ -e "$folder/$1" ] && { cat >/dev/null; return; }
    cat >"$unfinished/$1"
    [ -s "$unfinished/$1" ] || { echo "secrets.sh: $1 came out empty" >&2; exit 1; }
    chmod 444 "$unfinished/$1"
    mv "$unfinished/$1" "$folder/$1"
    echo "made $folder/$1"
}
# outdate NAME FILE..: when the secret is gone, files that were made of it are good for nothing.
outdate() {
    [ -e "$folder/$1" ] && return
    shift
    for file; do rm -f "$folder/$file"; done
}
word() { openssl rand -hex 24; }
key() { openssl rand -base64 32; }

# Of MaxRay: the same on every node.
key | put root_key
key | put token_secret
key | put doctor_secret

outdate postgres_password database_url
word | put postgres_password
printf 'postgres://maxray:%s@postgres/maxray\n' "$(cat "$folder/postgres_password")" | put database_url

printf 'maxray%s\n' "$(openssl rand -hex 6)" | put s3_access_key
word | put s3_secret_key

outdate rabbitmq_password broker_url rabbitmq_conf
word | put rabbitmq_password
printf 'amqp://maxray:%s@rabbitmq/%%2F\n' "$(cat "$folder/rabbitmq_password")" | put broker_url
printf 'default_user = maxray\ndefault_pass = %s\n' "$(cat "$folder/rabbitmq_password")" | put rabbitmq_conf

outdate redis_password redis_url redis_conf
word | put redis_password
printf 'redis://:%s@redis/0\n' "$(cat "$folder/redis_password")" | put redis_url
printf 'requirepass %s\nsave ""\nmaxmemory 64mb\nmaxmemory-policy volatile-lru\n' "$(cat "$folder/redis_password")" | put redis_conf

word | put grafana_password

# Certificate and key of the proxy, in one PEM file, for SITE_HOST. This one is for trying: put your own in its place.
if [ ! -e "$folder/proxy_pem" ]; then
    host=${SITE_HOST:-localhost}
    # It tells of its progress where it tells of errors: shown only when it fails.
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 365 -subj "/CN=$host" \
        -addext "subjectAltName=DNS:$host" -keyout "$unfinished/key" -out "$unfinished/certificate" 2>"$unfinished/said" ||
        { cat "$unfinished/said" >&2; echo "secrets.sh: openssl made no certificate for $host" >&2; exit 1; }
    cat "$unfinished/certificate" "$unfinished/key" | put proxy_pem
fi

#!/bin/bash
# bench/ceph.sh start FOLDER PORT | stop FOLDER
# A Ceph of its own on the loopback device, one monitor, one OSD on a sparse file, one RADOS gateway, with an empty bucket `bench`.
# Needs Debian's ceph-mon, ceph-osd, radosgw, uuid-runtime, curl and openssl.
set -euo pipefail
folder=$2
# What is there is removed.
[ ! -e "$folder" ] || [ -e "$folder/ceph.conf" ] || { echo "ceph.sh: $folder is there and was not made by this script" >&2; exit 1; }
quietly() { "$@" >>"$folder/log" 2>&1 </dev/null; }
within() { # seconds, a command that is asked again and again
    local until=$((SECONDS + $1)); shift
    until quietly "$@"; do [ $SECONDS -lt $until ] || { tail -n 20 "$folder/log" >&2; echo "ceph: $* fails" >&2; exit 1; }; sleep 0.3; done
}
begin() { local name=$1; shift; "$@" >>"$folder/log" 2>&1 </dev/null & echo $! >"$folder/$name.of"; }

bucket() { # signed in S3's old way, which is one line; curl of Debian 12 signs in the new one what the gateway refuses
    local date signature
    date=$(LC_ALL=C date -u '+%a, %d %b %Y %H:%M:%S GMT')
    signature=$(printf 'PUT\n\n\n%s\n/bench' "$date" | openssl dgst -sha1 -hmac benchsecret -binary | base64)
    curl -fsS --noproxy '*' -X PUT -H "Date: $date" -H "Authorization: AWS bench:$signature" "http://127.0.0.1:$1/bench"
}

stop() {
    local file pid
    for file in "$folder"/*.of; do
        # It may have ended long ago, and another program have its number.
        pid=$(cat "$file" 2>/dev/null) && grep -qs -e ceph -e radosgw "/proc/$pid/comm" && kill -9 "$pid" || true
    done
    # What was killed may still write.
    rm -rf "$folder" || { sleep 2; rm -rf "$folder"; }
}

start() {
    local port=$1 fsid osd keyring=$folder/keyring
    stop; mkdir -p "$folder"/{mon,osd,run,rgw}
    fsid=$(uuidgen); osd=$(uuidgen)
    cat >"$folder/ceph.conf" <<C
[global]
fsid = $fsid
mon_host = [v2:127.0.0.1:$((port + 2)),v1:127.0.0.1:$((port + 1))]
keyring = $keyring
osd_pool_default_size = 1
osd_pool_default_min_size = 1
mon_allow_pool_size_one = true
osd_pool_default_pg_num = 1
osd_crush_chooseleaf_type = 0
mon_data = $folder/mon
osd_data = $folder/osd
run_dir = $folder/run
log_file = $folder/\$name.log
pid_file = $folder/\$name.pid
admin_socket = $folder/run/\$name.\$pid.asok
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
mon_warn_on_insecure_global_id_reclaim = false
osd_objectstore = bluestore
bluestore_block_size = 21474836480
bluestore_block_db_create = false
bluestore_block_wal_create = false
osd_max_object_name_len = 460
rgw_data = $folder/rgw
rgw_frontends = beast endpoint=127.0.0.1:$port tcp_nodelay=1
C
    local conf=(-c "$folder/ceph.conf")
    quietly ceph-authtool -C "$keyring" --gen-key -n mon. --cap mon 'allow *'
    quietly ceph-authtool "$keyring" --gen-key -n client.admin --cap mon 'allow *' --cap osd 'allow *' --cap mgr 'allow *'
    quietly ceph-authtool "$keyring" --gen-key -n client.rgw.a --cap mon 'allow rwx' --cap osd 'allow rwx'
    quietly ceph-authtool "$keyring" --gen-key -n osd.0 --cap mon 'allow profile osd' --cap osd 'allow *'
    quietly monmaptool --create --clobber --addv a "[v2:127.0.0.1:$((port + 2)),v1:127.0.0.1:$((port + 1))]" --fsid "$fsid" "$folder/monmap"
    quietly ceph-mon "${conf[@]}" --mkfs -i a --monmap "$folder/monmap" --keyring "$keyring"
    begin mon ceph-mon "${conf[@]}" -i a -f
    within 60 timeout 20 ceph "${conf[@]}" osd new "$osd"
    within 60 timeout 20 ceph "${conf[@]}" auth import -i "$keyring"
    quietly ceph-osd "${conf[@]}" -i 0 --mkfs --osd-uuid "$osd" --keyring "$keyring"
    begin osd ceph-osd "${conf[@]}" -i 0 -f
    within 60 timeout 20 sh -c 'ceph -c "$0" osd stat | grep "1 up"' "$folder/ceph.conf"
    begin gateway radosgw "${conf[@]}" -f -n client.rgw.a
    within 60 timeout 60 radosgw-admin "${conf[@]}" -n client.rgw.a user create --uid bench --display-name bench --access-key bench --secret-key benchsecret
    within 60 bucket "$port"
}

case $1 in
    start) start "$3" ;;
    stop) stop ;;
esac

#!/bin/bash
# bench/run.sh --target NAME [bench.py options]
# Starts a peer (or the server given with --start-cmd), runs the workload against
# it over loopback, stops it. See README.md.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
scratch=${BENCH_SCRATCH:-/tmp/mrbench-scratch}
export CARGO_TARGET_DIR=${BENCH_CARGO_TARGET:-/tmp/mrbench-target}
export MRBENCH=$CARGO_TARGET_DIR/release/mrbench
mkdir -p "$scratch"
cargo build --release --quiet --manifest-path "$here/mrbench/Cargo.toml"

target=; args=("$@")
while [ $# -gt 0 ]; do [ "$1" = --target ] && target=$2; shift; done
[ -n "$target" ] || { echo "usage: run.sh --target orthanc-sqlite|orthanc-pg|orthanc-*-nosync|orthanc110-sqlite|dcmqrscp|pynetdicom|limit-null|limit-write|limit-fsync|limit-group|limit-direct|maxray|maxray-pg|maxray-pg-ceph [options]" >&2; exit 2; }

data=$scratch/data-$target; rm -rf "$data"; mkdir -p "$data"
extra=(); root=
cleanup() { :; }

pg_start() { # own cluster, own port, defaults except what every guide sets
  pg=$scratch/pg; bin=$(ls -d /usr/lib/postgresql/*/bin | tail -1)
  pgsock=$scratch
  if [ ! -d "$pg" ]; then
    install -d -o postgres "$pg"
    runuser -u postgres -- "$bin/initdb" -D "$pg" -A trust -U postgres --locale=C -E UTF8 >"$scratch/initdb.log"
    cat >>"$pg/postgresql.conf" <<C
listen_addresses='127.0.0.1'
port=55633
unix_socket_directories=''
shared_buffers=1GB
effective_cache_size=8GB
work_mem=16MB
maintenance_work_mem=256MB
max_wal_size=8GB
checkpoint_timeout=15min
random_page_cost=1.1
max_connections=150
C
  fi
  nice -n "${BENCH_NICE:-0}" runuser -u postgres -- "$bin/pg_ctl" -D "$pg" -l "$pg/log" -w start >/dev/null
  cleanup() { runuser -u postgres -- "$bin/pg_ctl" -D "$pg" -m fast -w stop >/dev/null || true; }
  psql -q -h 127.0.0.1 -p 55633 -U postgres -c "DROP DATABASE IF EXISTS bench" -c "CREATE DATABASE bench"
}

# Orthanc tuned as its book advises for a high-rate modality: no compression, no
# saved jobs, more threads, large PDU, keep-alive, main tags that QIDO returns.
orthanc_conf() { # $1 storage as the server sees it  $2 plugin dir  $3 pg|sqlite  $4 sync  $5 new|old
  local idx='' tags='' pgp=''
  [ "$3" = pg ] && pgp=",\"$2/libOrthancPostgreSQLIndex.so\"" && idx='"PostgreSQL":{"EnableIndex":true,"EnableStorage":false,"Host":"127.0.0.1","Port":55633,"Database":"bench","Username":"postgres","Password":"x","IndexConnectionsCount":'$pgn',"Lock":false,"TransactionMode":"ReadCommitted"},'
  [ "$5" = new ] && tags='"ExtraMainDicomTags":{"Instance":["Rows","Columns","ImageType","SOPClassUID","ContentDate","ContentTime","FrameOfReferenceUID","PixelSpacing","SpecificCharacterSet","BitsAllocated","BitsStored","NumberOfFrames"],"Series":["TimezoneOffsetFromUTC","PerformedProcedureStepStartDate","PerformedProcedureStepStartTime","RequestAttributesSequence"],"Study":["TimezoneOffsetFromUTC"],"Patient":[]},'
  cat <<C
{"Name":"bench","StorageDirectory":"$1","IndexDirectory":"$1","StorageCompression":false,"HttpPort":28642,"DicomPort":28742,"DicomAet":"ORTHANC",
"RemoteAccessAllowed":false,"AuthenticationEnabled":false,"DicomServerEnabled":true,"DicomAlwaysAllowEcho":true,"DicomAlwaysAllowStore":true,"DicomAlwaysAllowFind":true,
"DicomCheckCalledAet":false,"HttpThreadsCount":50,"DicomThreadsCount":8,"ConcurrentJobs":2,"SaveJobs":false,"LimitFindResults":0,"OverwriteInstances":false,
"SyncStorageArea":$4,"MaximumPduLength":131072,"KeepAlive":true,"TcpNoDelay":true,"StorageCacheSize":128,"MaximumStorageCacheSize":128,"HttpCompressionEnabled":false,"UnknownSopClassAccepted":true,
$idx $tags
"DicomWeb":{"Enable":true,"Root":"/dicom-web/","EnableWado":true,"EnableMetadataCache":true,"MetadataWorkerThreadsCount":4},
"Plugins":["$2/libOrthancDicomWeb.so","$2/libOrthancGdcm.so"$pgp]}
C
}

stop() { cleanup; [ -n "$root" ] && mountpoint -q "$root/proc" && umount "$root/proc"; [ -n "${BENCH_KEEP:-}" ] || rm -rf "$data"; }
trap stop EXIT

case $target in
  orthanc*)
    kind=sqlite; [[ $target == *-pg* ]] && kind=pg
    # DCMTK leaves Nagle on unless this variable is set: each C-STORE then waits
    # ~40 ms for a delayed ACK. Tuned targets set it; *-nagle shows the default.
    # Plugin 5.0 (the newest in Debian) runs SERIALIZABLE: parallel writers mostly
    # collide and retry, so one connection ingests best; *-pg10 shows ten.
    pgn=1; [[ $target == *-pg10* ]] && pgn=10
    nd=1; [[ $target == *-nagle* ]] && nd=0
    sync=true; [[ $target == *-nosync* ]] && sync=false
    [ $kind = pg ] && { pg_start; extra+=(--pid-file "$scratch/pg/postmaster.pid"); }
    if [[ $target == orthanc110* ]]; then # the host distribution's Orthanc
      orthanc_conf "$data" /usr/share/orthanc/plugins $kind $sync old >"$scratch/$target.json"
      start="env TCP_NODELAY=$nd /usr/sbin/Orthanc $scratch/$target.json"
    else # in a chroot that peers.sh makes: Debian 13's 1.12.7, or Debian sid's
      root=$scratch/trixie; [[ $target == orthanc113* ]] && root=$scratch/sid; [ -x "$root/usr/sbin/Orthanc" ] || { echo "run peers.sh first: no Orthanc in $root" >&2; exit 1; }
      rm -rf "$root/bench-data"; mkdir -p "$root/bench-data" "$root/proc"; mountpoint -q "$root/proc" || mount -t proc proc "$root/proc"
      data=$root/bench-data
      orthanc_conf /bench-data /usr/share/orthanc/plugins $kind $sync new >"$root/bench.json"
      # without this Orthanc's STOW blocks 5 s at a time on resolving its own host name
      printf '127.0.0.1 localhost %s\n' "$(hostname)" >"$root/etc/hosts"
      start="env TCP_NODELAY=$nd chroot $root /usr/sbin/Orthanc /bench.json"
    fi
    stores=$data; [ $kind = pg ] && stores=$data,$scratch/pg
    dur="file fsync=$sync; index $([ $kind = pg ] && echo 'PG synchronous_commit=on' || echo 'SQLite WAL synchronous=NORMAL (not durable per commit)')"
    set -- --url http://127.0.0.1:28642 --dicom 127.0.0.1:28742 --aet ORTHANC --delete orthanc --store-dir "$stores" --durability "$dur" --start-cmd "$start" ;;
  dcmqrscp)
    printf 'NetworkTCPPort = 28743\nMaxPDUSize = 131072\nMaxAssociations = 32\nHostTable BEGIN\nHostTable END\nVendorTable BEGIN\nVendorTable END\nAETable BEGIN\nDCMQR %s RW (100000, 1024mb) ANY\nAETable END\n' "$data" >"$scratch/dcmqrscp.cfg"
    set -- --dicom 127.0.0.1:28743 --aet DCMQR --durability "no fsync; index.dat" --store-dir "$data" --start-cmd "env TCP_NODELAY=1 dcmqrscp -c $scratch/dcmqrscp.cfg" ;;
  pynetdicom)
    py=${BENCH_PYTHON:-python3}
    printf '[DEFAULT]\nae_title: QRSCP\nport: 28744\nmax_pdu: 131072\nacse_timeout: 30\ndimse_timeout: 30\nnetwork_timeout: 30\nbind_address: 127.0.0.1\ninstance_location: %s\ndatabase_location: %s/instances.sqlite\nlog_type: s\nlog_level: error\n' "$data" "$data" >"$scratch/qrscp.ini"
    set -- --dicom 127.0.0.1:28744 --aet QRSCP --durability "no fsync of files; SQLite default (full sync)" --store-dir "$data" --start-cmd "$py -m pynetdicom qrscp -c $scratch/qrscp.ini" ;;
  limit-*)
    m=${target#limit-}
    set -- --dicom 127.0.0.1:28745 --steps store --durability "sink, $m" --start-cmd "$MRBENCH sink-scp --port 28745 --mode $m --dir $data" ;;
  storescp)
    set -- --dicom 127.0.0.1:28746 --steps store --durability "none (--ignore)" --start-cmd "env TCP_NODELAY=1 storescp --ignore --fork -pdu 131072 28746" ;;
  maxray | maxray-pg | maxray-pg-ceph) # BENCH_MAXRAY, or the release build of this tree
    maxray=${BENCH_MAXRAY:-}
    if [ -z "$maxray" ]; then
      CARGO_TARGET_DIR=${BENCH_MAXRAY_TARGET:-$here/../target} cargo build --release --quiet --manifest-path "$here/../Cargo.toml" -p maxray
      maxray=$(readlink -f "${BENCH_MAXRAY_TARGET:-$here/../target}/release/maxray")
    fi
    settings=(MAXRAY_DATA_DIRECTORY="$data/maxray" MAXRAY_HTTP__LISTEN=127.0.0.1:28842 MAXRAY_PACS__LISTEN=127.0.0.1:28843 MAXRAY_IDENTITY__ACCESS_TOKEN_LIFETIME_SECONDS=36000)
    stores=$data; index='SQLite WAL synchronous=FULL'
    if [[ $target == maxray-pg* ]]; then
      pg_start; extra+=(--pid-file "$scratch/pg/postmaster.pid")
      settings+=(MAXRAY_DATABASE__URL=postgres://postgres@127.0.0.1:55633/bench); stores=$data,$scratch/pg; index='PG synchronous_commit=on'
    fi
    objects='file fsync before success'
    if [ "$target" = maxray-pg-ceph ]; then
      cleanup() { "$here/ceph.sh" stop "$scratch/ceph" || true; runuser -u postgres -- "$bin/pg_ctl" -D "$pg" -m fast -w stop >/dev/null || true; }
      "$here/ceph.sh" start "$scratch/ceph" 28950
      for name in mon osd gateway; do extra+=(--pid-file "$scratch/ceph/$name.of"); done
      settings+=(MAXRAY_OBJECT_STORAGE__BACKEND=s3 MAXRAY_OBJECT_STORAGE__S3__ENDPOINT=http://127.0.0.1:28950 MAXRAY_OBJECT_STORAGE__S3__BUCKET=bench
        MAXRAY_OBJECT_STORAGE__S3__ACCESS_KEY_ID=bench MAXRAY_OBJECT_STORAGE__S3__SECRET_ACCESS_KEY=benchsecret MAXRAY_OBJECT_STORAGE__S3__ALLOW_HTTP=true)
      stores=$data,$scratch/pg,$scratch/ceph; objects='PUT answered by Ceph before success'
    fi
    # A password for this run only, handed over on standard input and in a file that only we can read.
    umask 077; password=$(head -c 24 /dev/urandom | base64); printf '%s' "$password" >"$scratch/maxray.password"; umask 022
    mkdir -p "$data/maxray"; env "${settings[@]}" "$maxray" migrate >/dev/null 2>&1 || true # accounts are made where a MaxRay is
    printf '%s' "$password" | env "${settings[@]}" "$maxray" user add --username bench --role service --password-stdin >/dev/null
    set -- --url http://127.0.0.1:28842 --web-root /dicomweb --dicom 127.0.0.1:28843 --aet MAXRAY --delete none --store-dir "$stores" \
      --login bench --password-file "$scratch/maxray.password" --durability "$objects; index $index" \
      --start-cmd "env ${settings[*]} $maxray serve" ;;
  *) set -- ;; # any other server: give --start-cmd or --pid, --url, --dicom, --aet
esac
nice -n "${BENCH_NICE:-0}" python3 "$here/bench.py" --scratch "$scratch" --mrbench "$MRBENCH" "$@" "${extra[@]}" "${args[@]}"

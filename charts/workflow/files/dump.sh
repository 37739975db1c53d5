# Dumps the database into /backups, whole or not at all, and removes all but the newest KEEP. Variables of libpq, or
# DATABASE_URL, say which.
set -eu
umask 077
name="deis-$(date -u +%Y%m%dT%H%M%SZ).dump"
part="/backups/.$name.part"
trap 'rm -f "$part"' EXIT
await_database
pg_dump --format=custom --no-owner --no-privileges --file="$part" ${DATABASE_URL:+--dbname="$DATABASE_URL"}
# What cannot be read again is no backup.
pg_restore --list "$part" > /dev/null
sync "$part"
mv "$part" "/backups/$name"
size=$(wc -c < "/backups/$name")
echo "$name: $size bytes"
ls -1 /backups | grep '^deis-.*\.dump$' | sort -r | tail -n "+$((KEEP + 1))" | while read -r old; do
  rm -f "/backups/$old"
  echo "removed $old"
done

# Puts the database back to BACKUP (`newest`, or a name in /backups), in one transaction: afterwards it is as it was then, or
# as it is now. Variables of libpq, or DATABASE_URL, say which.
set -eu
name="$BACKUP"
if [ "$name" = newest ]; then
  name=$(ls -1 /backups | grep '^deis-.*\.dump$' | sort -r | head -n 1)
  [ -n "$name" ] || { echo 'there is no backup' >&2; exit 1; }
fi
case "$name" in
  */* | .*) echo "$name is no name of a backup" >&2; exit 1 ;;
esac
[ -f "/backups/$name" ] || { echo "there is no backup $name; there are:" >&2; ls -1 /backups >&2; exit 1; }
echo "restoring $name"
await_database
pg_restore --clean --if-exists --no-owner --no-privileges --single-transaction --exit-on-error \
  --dbname="${DATABASE_URL:-$PGDATABASE}" "/backups/$name"
echo "restored $name"

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
# A pod of this network that has just begun may be let through to the database a moment later.
left=30
until pg_isready --quiet ${DATABASE_URL:+--dbname="$DATABASE_URL"}; do
  left=$((left - 1))
  [ "$left" -gt 0 ] || break
  sleep 1
done
pg_restore --clean --if-exists --no-owner --no-privileges --single-transaction --exit-on-error \
  --dbname="${DATABASE_URL:-$PGDATABASE}" "/backups/$name"
echo "restored $name"

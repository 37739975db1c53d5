# What the programs for the database have in common. Variables of libpq, or DATABASE_URL, say which it is.

# A pod of this network that has just begun may be let through a moment later.
await_database() {
  left=30
  until pg_isready --quiet ${DATABASE_URL:+--dbname="$DATABASE_URL"}; do
    left=$((left - 1))
    [ "$left" -gt 0 ] || break
    sleep 1
  done
}

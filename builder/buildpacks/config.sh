# For our buildpacks: the app's config, a file for each variable in the directory $1, becomes the environment, but for what
# would change which programs run.
export_config() {
  [ -d "$1" ] || return 0
  for file in "$1"/*; do
    name=${file##*/}
    case $name in
      '*' | PATH | HOME | TMPDIR | IFS | ENV | BASH_ENV | SHELLOPTS | LD_* | NODE_OPTIONS | PYTHONHOME | GIT_*) continue ;;
    esac
    # The full stop keeps newlines at the end.
    value=$(cat "$file" && printf .) || continue
    export "$name=${value%.}"
  done
}

# A digest of what comes in, as a name.
digest() {
  cksum | tr ' ' '-'
}

say() {
  printf '%s\n' "-----> $*"
}

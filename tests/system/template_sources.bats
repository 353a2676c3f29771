# variants: root-bwrap user-bwrap: the identities differ in ids and mounts, the engine does not matter
# Sources of templates: holes, access lists and attributes are kept, pipes are read, and a source that is no root is
# refused.

load helpers

setup() {
  common_setup
  STORE=$SCRATCH/store
  mkdir -m 0700 "$STORE"
  chown "$CALLER_UID:$CALLER_GID" "$STORE"
  as_caller mkdir -p "$SCRATCH/root/bin" "$SCRATCH/root/etc"
  as_caller cp /bin/true "$SCRATCH/root/bin/true"
}
create() { isolatectl template create "$1" --from "${@:2}"; }
layer() { echo "$STORE/templates/$1/layers/1"; }
kib() { du -sk "$STORE" | cut -f1; }

# Prints the id of the user and the group that an access list in the source names, as this store has it on disk: the
# same number inside. An ordinary user's id is in the user's range.
named_id() { if [[ $IDENTITY == root ]]; then echo 1000; else echo $((SUBORDINATE_BASE + 999)); fi; }

@test "a sparse file stays sparse, from a directory, from an archive and through a pipe" {
  as_caller truncate -s 3G "$SCRATCH/root/etc/lastlog"
  as_caller tar --create --sparse --directory "$SCRATCH/root" --file "$SCRATCH/root.tar" .
  succeeds create directory "$SCRATCH/root"
  succeeds create archive "$SCRATCH/root.tar"
  succeeds create pipe - <"$SCRATCH/root.tar"
  [[ $(kib) -lt 100000 ]] || complain "$(kib) KiB"
  for name in directory archive pipe; do [[ $(stat -c %s "$(layer "$name")/etc/lastlog") == 3221225472 ]]; done
}

@test "a sparse file stays sparse in an edit and in the copy for --userns=private" {
  as_caller truncate -s 3G "$SCRATCH/root/etc/lastlog"
  copy_of_tree "$SCRATCH/tree"
  as_caller truncate -s 3G "$SCRATCH/tree/etc/lastlog"
  succeeds create small "$SCRATCH/tree"
  succeeds isolatectl template edit small -- sh -c 'touch /etc/lastlog; truncate -s 2G /etc/other; chmod 600 /etc/lastlog'
  if [[ $IDENTITY == user ]]; then succeeds isolate -q --userns=private -z small stat -c %s /etc/lastlog; fi
  [[ $(kib) -lt 1500000 ]] || complain "$(kib) KiB"
}

@test "access lists and user attributes are kept, and mean the same ids inside" {
  local id
  id=$(named_id)
  setfacl -m "u:$id:rwx,d:g:$id:rx" "$SCRATCH/root/etc"
  as_caller setfattr -n user.checksum -v abc "$SCRATCH/root/bin/true"
  as_caller touch "$SCRATCH/root/etc/passwd"
  setfacl -m "u:$id:r" "$SCRATCH/root/etc/passwd"
  succeeds create attributes "$SCRATCH/root"
  run getfacl -np "$(layer attributes)/etc"
  [[ $output == *"user:$id:rwx"* && $output == *"default:group:$id:r-x"* ]] || complain "access list of /etc"
  run getfacl -np "$(layer attributes)/etc/passwd"
  [[ $output == *"user:$id:r--"* ]] || complain "access list of a file"
  run getfattr --absolute-names --only-values -n user.checksum "$(layer attributes)/bin/true"
  expect_output abc
}

@test "an access list that names an id outside the user's range is reported" {
  [[ $IDENTITY == user ]] || return 0 # root has all ids
  setfacl -m u:4000000:rwx "$SCRATCH/root/etc"
  succeeds create partly "$SCRATCH/root"
  expect_in_errors 'warning: tar: acl_set_file'
}

@test "access lists and attributes of an archive are kept" {
  setfacl -m g:adm:rx "$SCRATCH/root/etc" # journald's directories have such a list
  as_caller setfattr -n user.checksum -v abc "$SCRATCH/root/bin/true"
  as_caller tar --create --acls --xattrs --directory "$SCRATCH/root" --file "$SCRATCH/root.tar" .
  succeeds create attributes "$SCRATCH/root.tar"
  local adm=4
  if [[ $IDENTITY == user ]]; then adm=$((SUBORDINATE_BASE + 3)); fi
  run getfacl -np "$(layer attributes)/etc"
  [[ $output == *"group:$adm:r-x"* ]] || complain "access list"
  run getfattr --absolute-names --only-values -n user.checksum "$(layer attributes)/bin/true"
  expect_output abc
}

@test "M14: attributes with a meaning for overlays are not copied from a source" {
  as_caller setfattr -n user.overlay.opaque -v y "$SCRATCH/root/etc"
  as_caller setfattr -n user.overlay.redirect -v /bin "$SCRATCH/root/etc"
  as_caller setfattr -n user.overlay.metacopy "$SCRATCH/root/bin/true"
  setfattr -n trusted.overlay.opaque -v y "$SCRATCH/root/etc"
  tar --create --xattrs --xattrs-include='*' --directory "$SCRATCH/root" --file "$SCRATCH/root.tar" .
  chown "$CALLER_UID" "$SCRATCH/root.tar"
  local source
  for source in "$SCRATCH/root" "$SCRATCH/root.tar"; do
    succeeds create "from-${source: -3:1}" "$source"
    run getfattr --absolute-names --recursive --dump --match=overlay "$STORE/templates/from-${source: -3:1}/layers"
    expect_output ''
  done
}

@test "an archive is read from a pipe, compressed or not, through -, /dev/stdin and a path" {
  local program archive=$SCRATCH/root.tar
  as_caller tar --create --directory "$SCRATCH/root" --file "$archive" .
  for program in cat gzip xz zstd bzip2; do
    "$program" <"$archive" >"$archive.$program"
    "$program" <"$archive" | succeeds create "by-dash-$program" -
    "$program" <"$archive" | succeeds create "by-name-$program" /dev/stdin
    # Standard input may also be a file.
    succeeds create "by-file-$program" - <"$archive.$program"
    [[ -x $(layer "by-dash-$program")/bin/true && -x $(layer "by-name-$program")/bin/true ]]
    [[ -x $(layer "by-file-$program")/bin/true ]]
  done
  as_caller mkfifo "$SCRATCH/fifo"
  gzip <"$archive" >"$SCRATCH/fifo" 3>&- &
  succeeds create by-fifo "$SCRATCH/fifo"
  run as_caller bash -c '"$1" --store "$2" template create by-descriptor --from <(gzip -c "$3")' \
    bash "$ISOLATECTL" "$STORE" "$archive"
  expect_status 0
  [[ -x $(layer by-fifo)/bin/true && -x $(layer by-descriptor)/bin/true ]]
  run isolatectl --json template show by-dash-gzip
  [[ $output == *'standard input'* ]] || complain "origin"
}

@test "a stream that ends early, is empty or contains no archive makes no template" {
  local archive=$SCRATCH/root.tar
  as_caller tar --create --directory "$SCRATCH/root" --file "$archive" .
  gzip <"$archive" >"$archive.gz"
  head -c 2000 "$archive.gz" | isolatectl_refuses unexpected -- create torn -
  head -c 3000 "$archive" | isolatectl_refuses EOF -- create torn -
  head -c 100000 /dev/urandom | isolatectl_refuses 'tar archive' -- create noise -
  isolatectl_refuses 'holds no files' -- create none - < <(:)
  store_gets_clean
  [[ -z $(ls -A "$STORE/templates") ]] || complain "a template was made"
}

@test "a source that does not look like a root is refused with a reason, and accepted with --force" {
  as_caller mkdir -p "$SCRATCH/documents" "$SCRATCH/clone/upper/etc" "$SCRATCH/clone/work" "$SCRATCH/wrapped/rootfs/usr"
  as_caller touch "$SCRATCH/documents/letter"
  isolatectl_refuses 'not look like a linux root' --force -- create x "$SCRATCH/documents"
  isolatectl_refuses 'clone' -- create x "$SCRATCH/clone"
  isolatectl_refuses 'changed' -- create x "$SCRATCH/clone/upper"
  isolatectl_refuses "'rootfs'" -- create x "$SCRATCH/wrapped"
  as_caller tar --create --directory "$SCRATCH/documents" --file "$SCRATCH/documents.tar" .
  isolatectl_refuses 'not look like a linux root' -- create x "$SCRATCH/documents.tar"
  succeeds create real "$SCRATCH/root"
  isolatectl_refuses 'template in a store' -- create x "$STORE/templates/real"
  isolatectl_refuses 'store of templates' -- create x "$STORE"
  store_gets_clean
  succeeds create forced "$SCRATCH/documents" --force
}

@test "the error about a missing source lists the sources that exist" {
  isolatectl_refuses 'debian:suite' 'docker export' -- create x ubuntu:24.04
  isolatectl_refuses 'docker export' -- create x alpine
  isolatectl_refuses 'curl -fL' -- create x https://example.org/root.tar.gz
  isolatectl_refuses 'debian:trixie' -- create x trixie
  isolatectl_refuses 'no such file' -- create x "$SCRATCH/none.tar"
}

@test "isolatectl reports tar's error, not an earlier warning" {
  /usr/bin/python3 - "$SCRATCH" <<'END'
import io, sys, tarfile
with tarfile.open(f"{sys.argv[1]}/bad.tar", "w", format=tarfile.PAX_FORMAT) as archive:
    for name, headers in (("bin/a", {"ACME.unknown": "1"}), ("bin/a/b", {})):
        entry = tarfile.TarInfo(name)
        entry.pax_headers = headers
        archive.addfile(entry, io.BytesIO(b""))
END
  isolatectl_refuses 'bin/a/b' -- create bad "$SCRATCH/bad.tar"
  [[ $stderr != *'Ignoring unknown'* && $stderr != *'template bad: unpacking
'* ]] || complain "a warning"
}

# variants: root-bwrap: the identity hardly matters
# other variants: user-bwrap
# isolatectl template: create, list, show, edit, remove.

load helpers

# Each test has its own store.
setup() {
  common_setup
  STORE=$SCRATCH/store
  mkdir -m 0700 "$STORE"
  chown "$CALLER_UID:$CALLER_GID" "$STORE"
}

# Makes a template that is quick to copy: the Debian root without its documentation.
create_small() {
  if [[ ! -d $SCRATCH/small ]]; then
    copy_of_tree "$SCRATCH/small"
    rm -rf --one-file-system "$SCRATCH/small/usr/share" "$SCRATCH/small/var/cache" "$SCRATCH/small/var/lib/apt"
  fi
  isolatectl template create "$1" --from "$SCRATCH/small" >&2
}
names() { isolatectl --json template list | jq -r '.[].name' | sort | tr '\n' ' '; }

@test "create from a directory copies it with owners, modes, links and attributes" {
  copy_of_tree "$SCRATCH/tree"
  isolate -q -t "$SCRATCH/tree" \
    sh -ec 'mkdir /made; cd /made; echo x >a; ln a b; ln -s /nowhere c; mkfifo d; touch e; chown 1000:65534 e
    mkdir -m 2750 f; touch -d 2001-02-03 a; cp /bin/true g; chown 7 g; chmod 4755 g'
  succeeds isolatectl template create copy --from "$SCRATCH/tree"
  succeeds isolate -q -z copy \
    sh -c 'cd /made; stat -c "%n %F %a %u:%g %h" *; readlink c; date -r a +%F; stat -c %a /tmp /usr/bin/passwd'
  expect_output "a regular file 644 0:0 2
b regular file 644 0:0 2
c symbolic link 777 0:0 1
d fifo 644 0:0 1
e regular empty file 644 1000:65534 1
f directory 2750 0:0 2
g regular file 4755 7:0 1
/nowhere
2001-02-03
1777
4755"
  [[ $(names) == 'copy ' ]]
}

@test "create from a tarball works" {
  succeeds isolatectl template create tarred --from "$TARBALL"
  succeeds isolate -q -z tarred \
    sh -c '. /etc/os-release; echo $VERSION_CODENAME; stat -c %U:%G /etc/shadow; dpkg --audit; id -u'
  expect_output $'bookworm\nroot:shadow\n0'
}

@test "create from a compressed tarball works" {
  create_small small
  tar --create --gzip --numeric-owner --directory "$SCRATCH/small" --file "$SCRATCH/small.tar.gz" .
  chown "$CALLER_UID" "$SCRATCH/small.tar.gz"
  if [[ $IDENTITY == root ]]; then
    succeeds isolatectl template create gzipped --from "$SCRATCH/small.tar.gz"
    succeeds isolate -q -z gzipped stat -c %U:%G /etc/shadow
    expect_output root:shadow
  else
    # In small.tar.gz the owners are a user's ids on disk, so unpack the Debian tarball instead.
    gzip --stdout "$TARBALL" >"$SCRATCH/debian.tar.gz"
    succeeds isolatectl template create gzipped --from "$SCRATCH/debian.tar.gz"
    succeeds isolate -q -z gzipped stat -c %U:%G /etc/shadow
    expect_output root:shadow
  fi
}

@test "sources that are not a root or an archive are refused, and nothing is left" {
  local source
  head -c 100000 /dev/urandom >"$SCRATCH/noise.tar"
  head -c 1000000 "$TARBALL" >"$SCRATCH/torn.tar"
  : >"$SCRATCH/empty.tar"
  for source in "$SCRATCH/noise.tar" "$SCRATCH/torn.tar" "$SCRATCH/empty.tar" /no/such/source \
    debian:nosuchrelease fedora:40 ''; do
    isolatectl_refuses "$source" -- isolatectl template create broken --from "$source"
    store_gets_clean
    [[ ! -e $STORE/templates/broken ]]
  done
  isolatectl_refuses -- isolatectl template create broken
}

@test "an archive with paths that lead outside is kept inside or refused" {
  mkdir "$SCRATCH/victim"
  chown "$CALLER_UID" "$SCRATCH/victim"
  /usr/bin/python3 - "$SCRATCH" <<'END'
import io, sys, tarfile
scratch = sys.argv[1]
def add(archive, name, kind=tarfile.REGTYPE, link="", data=b""):
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname, entry.size = kind, link, len(data)
    archive.addfile(entry, io.BytesIO(data))
with tarfile.open(f"{scratch}/evil.tar", "w") as archive:
    add(archive, "out", tarfile.SYMTYPE, f"{scratch}/victim")
    add(archive, "out/through-link", data=b"x")
    add(archive, "../" * 12 + f"{scratch}/victim/by-dots".lstrip("/"), data=b"x")
    add(archive, f"{scratch}/victim/absolute", data=b"x")
END
  run isolatectl template create evil --from "$SCRATCH/evil.tar"
  [[ -z $(ls -A "$SCRATCH/victim") ]]
}

@test "invalid template names are refused" {
  local name
  create_small present
  for name in ../x /etc '' .hidden . .. -x a/b 'a b' "$(printf 'x%.0s' {1..300})" \
    $'a\nb' $'a\e[2J' 'a;b' 'ä' present; do
    isolatectl_refuses -- isolatectl template create --from "$SCRATCH/small" -- "$name"
    store_gets_clean
  done
  [[ $(names) == 'present ' ]]
  [[ ! -e $STORE/x && ! -e $STORE/../x ]]
}

@test "an existing name is refused, and its template does not change" {
  create_small small
  isolatectl_refuses small already -- isolatectl template create small --from "$TARBALL"
  [[ $(names) == 'small ' ]]
  succeeds isolate -q -z small test ! -e /usr/share/doc
}

@test "two creates of one name at a time: one succeeds, and nothing of the other is left" {
  create_small first
  local status_one=0 status_two=0 one
  isolatectl template create same --from "$SCRATCH/small" >"$SCRATCH/one" 2>&1 3>&- &
  one=$!
  isolatectl template create same --from "$SCRATCH/small" >"$SCRATCH/two" 2>&1 || status_two=$?
  wait "$one" || status_one=$?
  [[ $((status_one + status_two)) == 1 ]] || { cat "$SCRATCH/one" "$SCRATCH/two"; false; }
  store_gets_clean
  succeeds isolate -q -z same true
}

@test "list and show print name, generation and origin, for people and as JSON" {
  create_small one
  create_small two
  succeeds isolatectl template list
  expect_in_output one
  expect_in_output two
  succeeds isolatectl --json template list
  jq -e 'map(.name) == ["one", "two"] and all(.generation | type == "number")' <<<"$output"
  succeeds isolatectl template show one
  expect_in_output one
  expect_in_output "$SCRATCH/small"
  succeeds isolatectl --json template show one
  jq -e '.name == "one" and .generation == 1' <<<"$output"
  isolatectl_refuses nosuch -- isolatectl template show nosuch
}

@test "an empty store lists nothing" {
  succeeds isolatectl --json template list
  jq -e '. == []' <<<"$output"
  succeeds isolatectl template list
  succeeds isolatectl --json ps
  jq -e '. == []' <<<"$output"
}

@test "a removed template is gone, and its name is free again" {
  create_small small
  succeeds isolatectl template remove small
  [[ $(names) == '' ]]
  [[ -z $(find "$STORE" -path '*small*') ]]
  isolate_refuses small -- isolate -z small true
  isolatectl_refuses small -- isolatectl template remove small
  create_small small
}

@test "a template in use can't be removed" {
  create_small small
  start_isolate -q -z small sleep "$MARK"
  wait_until 10 in_use small
  isolatectl_refuses small 'in use' -- isolatectl template remove small
  succeeds isolatectl gc
  kill_started TERM
  [[ $STATUS == 143 ]]
  succeeds isolatectl template remove small
}
in_use() { isolatectl --json ps | jq -e --arg name "$1" 'any(.template == $name)' >/dev/null; }

@test "usage errors give one line and status 1" {
  isolatectl_refuses -- isolatectl nonsense
  isolatectl_refuses -- isolatectl template nonsense
  isolatectl_refuses -- isolatectl template show
  isolatectl_refuses -- isolatectl template remove
  isolatectl_refuses -- isolatectl template create
  isolatectl_refuses -- isolatectl --nonsense template list
  isolatectl_refuses -- as_caller "$ISOLATECTL" --store
  isolatectl_refuses -- isolatectl template create x --from debian:bookworm --variant nonsense
  succeeds as_caller "$ISOLATECTL" --help
  expect_in_output template
  succeeds as_caller "$ISOLATECTL" --version
  [[ $output =~ ^isolatectl\ [0-9]+\.[0-9]+ ]] || complain "version"
}

@test "an unknown word is named, with the nearest verb and all verbs" {
  isolatectl_refuses "'list'" 'isolatectl template list' 'pool, gc, ps' -- isolatectl list
  isolatectl_refuses "'tempalte'" 'nearest: isolatectl template' -- isolatectl tempalte list
  isolatectl_refuses "'creat'" 'template create' 'create, edit, list' -- isolatectl template creat x
  isolatectl_refuses "'delete'" 'nearest: isolatectl template remove' -- isolatectl template delete x
  isolatectl_refuses "'sttus'" status -- isolatectl --json pool sttus
}

@test "without a verb the verbs are listed in one screen" {
  local words
  for words in '' template pool; do
    # shellcheck disable=SC2086
    run -1 --separate-stderr isolatectl $words
    [[ ${#stderr_lines[@]} -le 24 && -z $output ]] || complain "not one screen: $words"
    expect_in_errors list
  done
  run -1 --separate-stderr isolatectl
  expect_in_errors 'template create'
  expect_in_errors exec
  run -125 --separate-stderr as_caller "$ISOLATE"
  expect_in_errors 'isolate -z debian'
  expect_in_errors 'isolatectl template create'
}

@test "help and --help work at each level, and rm and ls mean remove and list" {
  local words
  for words in help --help 'help template' 'template help' 'template --help' 'help template create' \
    'template create --help' 'help ps'; do
    # shellcheck disable=SC2086
    succeeds isolatectl $words
    [[ ${output,,} == *usage* || $output == *--help* ]] || complain "$words"
  done
  expect_in_output --kept
  create_small small
  succeeds isolatectl template ls
  expect_in_output small
  succeeds isolatectl template rm small
  [[ $(names) == '' ]]
}

@test "the error about an unknown template lists the existing ones in one short line" {
  isolatectl_refuses "no template 'smal'" 'template create smal' -- isolatectl template show smal
  create_small small
  create_small other
  isolatectl_refuses "no template 'smal'" 'there are: other, small' 'nearest: small' -- isolatectl template show smal
  isolate_refuses "no template 'smal'" 'there are: other, small' 'nearest: small' -- isolate -z smal true
  [[ ${#stderr} -lt 300 && $stderr != *socket* ]] || complain "the message is long"
}

@test "list --size shows the disk space of each template" {
  create_small small
  succeeds isolatectl template list
  expect_not_in_output DISK
  succeeds isolatectl template list --size
  expect_in_output DISK
  expect_in_output MiB
  succeeds isolatectl --json template list --size
  jq -e '.[0].bytes > 1000000' <<<"$output"
}

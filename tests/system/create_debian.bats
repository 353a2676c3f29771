# variants: root-bwrap
# takes long
# Makes a template directly from Debian's archive.

load helpers

@test "a template can be made from debian:bookworm with a package, and run" {
  STORE=$SCRATCH/store
  mkdir -m 0700 "$STORE"
  succeeds isolatectl template create fresh --from debian:bookworm --variant minbase --include hello
  succeeds isolate -q -z fresh \
    sh -c '. /etc/os-release; echo $VERSION_CODENAME; hello; stat -c %U:%G /etc/shadow; dpkg --audit'
  expect_output $'bookworm\nHello, world!\nroot:shadow'
  store_gets_clean
  [[ $(isolatectl --json template show fresh | jq -r .origin) == *debian:bookworm* ]]
}

@test "an unreachable mirror fails in one line and leaves nothing" {
  STORE=$SCRATCH/store
  mkdir -m 0700 "$STORE"
  isolatectl_refuses mmdebstrap -- \
    isolatectl template create fresh --from debian:bookworm --mirror http://127.0.0.1:9/debian
  store_gets_clean
  [[ ! -e $STORE/templates/fresh ]]
}

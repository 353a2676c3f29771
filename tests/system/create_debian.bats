# variants: root-bwrap
# takes long
# A template straight from Debian's archive.

load helpers

@test "create from debian:bookworm with a package, and run it" {
  STORE=$SCRATCH/store
  mkdir -m 0700 "$STORE"
  succeeds isolatectl template create fresh --from debian:bookworm --variant minbase --include hello
  succeeds isolate -q -z fresh \
    sh -c '. /etc/os-release; echo $VERSION_CODENAME; hello; stat -c %U:%G /etc/shadow; dpkg --audit'
  expect_output $'bookworm\nHello, world!\nroot:shadow'
  store_is_clean "$STORE"
  [[ $(isolatectl --json template show fresh | jq -r .origin) == *debian:bookworm* ]]
}

@test "a mirror that is not there: one line, nothing left" {
  STORE=$SCRATCH/store
  mkdir -m 0700 "$STORE"
  isolatectl_refuses mmdebstrap -- \
    isolatectl template create fresh --from debian:bookworm --mirror http://127.0.0.1:9/debian
  store_is_clean "$STORE"
  [[ ! -e $STORE/templates/fresh ]]
}

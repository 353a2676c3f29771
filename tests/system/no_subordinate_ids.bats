# variants: user-bwrap
# A user without a range in /etc/subuid gets a clear error, and an option that works.

load helpers

setup() {
  common_setup
  words_of_caller "$USER_B_UID" "$USER_B_GID" "$WORK/home-$USER_B"
  B_STORE=$SCRATCH/store
  mkdir -m 0700 "$B_STORE" "$SCRATCH/tree"
  chown "$USER_B:" "$B_STORE" "$SCRATCH/tree"
}

# Unpacks a root in which everything belongs to the user.
unpack_tree() {
  as_caller tar --extract --no-same-owner --exclude './dev/*' --exclude './usr/share/*' --directory "$SCRATCH/tree" \
    --file "$TARBALL"
}

@test "without a range, the error gives the reason and what to do" {
  unpack_tree
  isolate_refuses subuid userns=single -- as_caller "$ISOLATE" --store "$B_STORE" -t "$SCRATCH/tree" true
}

@test "the range in the advice is free, and the command there assigns it" {
  unpack_tree
  run --separate-stderr as_caller "$ISOLATE" --store "$B_STORE" -t "$SCRATCH/tree" true
  local first
  first=$(sed -n 's/.*--add-subuids \([0-9]*\)-.*/\1/p' <<<"$stderr")
  [[ $first -ge 100000 ]] || complain "no range"
  local start count
  while IFS=: read -r _ start count; do
    [[ $((first + 65536)) -le $start || $((start + count)) -le $first ]] || complain "$start:$count is already assigned"
  done < <(cat /etc/subuid /etc/subgid)
}

@test "isolatectl does not advise options that it does not have" {
  mkdir -p "$SCRATCH/tree/bin"
  chown "$USER_B:" "$SCRATCH/tree/bin"
  as_caller "$ISOLATECTL" --store "$B_STORE" template create x --from "$SCRATCH/tree"
  fails_plainly 125 isolatectl subuid -- as_caller "$ISOLATECTL" --store "$B_STORE" template edit x -- true
  [[ $stderr != *--userns* ]] || complain "isolatectl advised an option of isolate"
}

@test "--userns=single works without a range" {
  unpack_tree
  succeeds as_caller "$ISOLATE" --store "$B_STORE" -q --userns=single -t "$SCRATCH/tree" \
    sh -c 'id -u; cat /proc/self/uid_map; touch /made && stat -c %u /made'
  [[ ${lines[0]} == 0 && ${lines[2]} == 0 ]] || complain "ids"
  [[ ${lines[1]} =~ ^\ *0\ +[0-9]+\ +1$ ]] || complain "map"
  [[ $(stat -c %u "$SCRATCH/tree/made") == "$USER_B_UID" ]]
}

@test "--userns=single supports binds, variables and a network" {
  unpack_tree
  echo host >"$SCRATCH/tree/../file"
  succeeds as_caller "$ISOLATE" --store "$B_STORE" -q --userns=single -t "$SCRATCH/tree" -n -v A=1 -p /usr \
    -d "$SCRATCH/file:/made/file:ro" sh -c 'echo "$A $PWD"; cat /made/file; grep -c : /proc/net/dev'
  [[ ${lines[0]} == '1 /usr' && ${lines[1]} == host ]] || complain "options"
}

@test "--userns=private fails without a range and says so" {
  unpack_tree
  isolate_refuses subuid -- as_caller "$ISOLATE" --store "$B_STORE" --userns=private -t "$SCRATCH/tree" true
}

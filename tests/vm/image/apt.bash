# Fetches packages of a Debian suite without changing the machine: apt's sources, lists and caches are below $work/apt.
# shellcheck shell=bash
# shellcheck disable=SC2154 # work and suite come from build

keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# Prints the mirror of this machine's own packages.
mirror() {
  local found
  found=$(apt-get indextargets --format '$(RELEASE) $(REPO_URI)' 'Created-By: Packages' 'Component: main' |
    awk '$1 !~ /-/ { print $2; exit }')
  [[ -n $found ]] || die "the host has no source of Debian packages in its apt configuration"
  echo "${found%/}"
}

# Prints the machine's own setting. Package lists that are kept for long expire by their own dates.
check_valid_until() {
  if apt-config dump | grep -q 'Acquire::Check-Valid-Until "false"'; then echo false; else echo true; fi
}

# apt_in FOLDER COMMAND ARGUMENT...: runs a command with the apt configuration of that directory.
apt_in() { APT_CONFIG=$work/$1/apt.conf "${@:2}"; }

# make_apt FOLDER SUITE [STATUS FILE OF DPKG]: makes an apt configuration and fetches its package lists.
make_apt() {
  local folder=$work/$1 suite=$2
  mkdir -p "$folder"/{sources,lists/partial,archives/partial}
  echo "deb [signed-by=$keyring] $(mirror) $suite main contrib" >"$folder/sources/debian.list"
  : >"$folder/status"
  cat >"$folder/apt.conf" <<CONF
Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "$folder/sources";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::State::Lists "$folder/lists";
Dir::State::status "$folder/status";
Dir::Cache::archives "$folder/archives";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
APT::Sandbox::User "root";
Acquire::Check-Valid-Until "$(check_valid_until)";
Acquire::Languages "none";
CONF
  apt_in "$1" apt-get -q update
}

read_package_lists() { make_apt apt "$1"; }
candidate() { apt_in apt apt-cache policy "$1" | awk '/Candidate:/ { print $2 }'; }
newest_kernel() {
  apt_in apt apt-cache depends linux-image-cloud-amd64 | awk '/Depends:/ { sub("linux-image-", "", $2); print $2; exit }'
}

# unpack_packages FOLDER TARGET PACKAGE...: unpacks the files of these packages, without their dependencies.
unpack_packages() {
  local folder=$1 target=$2 package
  shift 2
  (cd "$work/$folder/archives" && apt_in "$folder" apt-get -q download "$@")
  mkdir -p "$target"
  for package in "$work/$folder"/archives/*.deb; do
    dpkg-deb --extract "$package" "$target"
    rm "$package"
  done
}

# debian_root TARGET OPTION...: makes a root with mmdebstrap from the same mirror.
debian_root() {
  local target=$1
  shift
  mmdebstrap --mode=root --quiet --dpkgopt=force-unsafe-io --aptopt='APT::Install-Recommends "false"' \
    --aptopt="Acquire::Check-Valid-Until \"$(check_valid_until)\"" "$@" "$suite" "$target" "$work/apt/sources/debian.list"
}

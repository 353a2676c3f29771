#!/usr/bin/env bash
# mutations [--all] [--no-control] [NAME...]: puts mistakes into a copy of the sources, one at a time, and checks that the tests
# find each; see tests/mutations/run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source tools/common.sh
source tools/packages.sh

need_root mutations
install_packages build build_tests run test
exec tests/mutations/run "$@"

#!/usr/bin/env bash
# The gate from end to end: a repository with a toy codec, a baseline, a change that alters nothing
# audible, and one that takes two bits from every sample. Needs git, setuptools and `bench`.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -r "$here/toy" "$work/repository"
cd "$work/repository"
export BENCH_CACHE="$work/cache"

commit() {
  git add -A
  git -c user.name=toy -c user.email=toy@example.org commit --quiet --message "$1"
}
check() { # what CI does with a commit; its exit status has to be $1
  python -W ignore -c "import setuptools; setuptools.setup()" --quiet egg_info # its entry point
  status=0
  PYTHONPATH=$PWD "$here/gate.sh" toy demo stoi,si_sdr,bitrate baseline gate.toml || status=$?
  echo "commit '$(git log -1 --format=%s)': exit status $status, expected $1"
  [ "$status" = "$1" ]
}

printf '__pycache__\n*.egg-info\nverdict.*\n' > .gitignore
git init --quiet
commit "A codec of eight bits"
check 0
commit "Its baseline"

sed -i.old 's/^"""A toy codec.*/"""A toy codec: a uniform quantiser."""/' toy.py
rm toy.py.old
commit "Another docstring"
check 0

sed -i.old 's/^BITS = 8/BITS = 6/' toy.py
rm toy.py.old
commit "Two bits fewer"
check 1

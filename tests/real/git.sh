#!/bin/bash
# SPDX-License-Identifier: MIT
#
# git: a repository is filled by commits, branched, merged, packed by two threads and checked. All
# names of objects and the history's text are compared.
. "$(dirname "$0")/lib/real.bash"

needs git git

make_input() {
  lines 3000 >"$input/words"
  cat >"$input/config" <<'CONFIG'
[user]
  name = Test
  email = test@example.org
[init]
  defaultBranch = main
[pack]
  threads = 2
CONFIG
}

commit() { GIT_COMMITTER_DATE="1700000000 +0000" git commit -q --date "1700000000 +0000" -m "$1"; }

job() {
  export GIT_CONFIG_GLOBAL=$input/config GIT_CONFIG_NOSYSTEM=1
  git init -q repository
  cd repository
  local step
  for step in 1 2 3 4; do
    split -l $((step * 100)) -a 3 "$input/words" "part-$step-"
    sed -i "s/river/lake$step/g" part-*
    git add .
    commit "step $step"
  done
  git checkout -q -b side HEAD~2
  sed -i 5d part-1-aaa
  git add . && commit side
  GIT_COMMITTER_DATE="1700000000 +0000" GIT_AUTHOR_DATE="1700000000 +0000" \
    git merge -q -m merge main
  git gc -q --aggressive --prune=now
  git fsck --full --strict
  git log -p --stat --graph --pickaxe-all -S lake2 | cksum
  git rev-list --objects --all | sort
  git blame part-1-aab | cksum
  cd ..
  rm -rf repository
}

compare git

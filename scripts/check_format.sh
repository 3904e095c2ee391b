#!/usr/bin/env bash
# Fails if clang-format would change a source file, or if shellcheck has a remark on a script.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 70

files() { find . \( -name .git -o -name 'build*' -o -name node_modules \) -prune -o -type f "$@" -print; }

rc=0
mapfile -t sources < <(files \( -name '*.cpp' -o -name '*.hpp' \))
clang-format --dry-run -Werror "${sources[@]}" || rc=1
# The code of the guide is copied into the tree by those who follow it.
guide=$(mktemp -d) && trap 'rm -rf "$guide"' EXIT
scripts/new_exchange.py example --into "$guide" || rc=1
find "$guide" -name '*.cpp' -exec clang-format --dry-run -Werror --style=file:.clang-format {} + || rc=1
mapfile -t scripts < <(files \( -name '*.sh' -o -path './.ci/*' -o -path './cmake/deb/p*' -o -path './scripts/hooks/*' -o -path './compose/container/*' \))
shellcheck -x "${scripts[@]}" || rc=1
mapfile -t python < <(files -name '*.py')
if ((${#python[@]} > 0)); then
  PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 -c 'import ast, sys
for path in sys.argv[1:]: ast.parse(open(path).read(), path)' "${python[@]}" || rc=1
fi
exit "$rc"

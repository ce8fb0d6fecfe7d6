#!/usr/bin/env bash
# The README's first command, in a directory of its own, and then once more in the same one.
. "$(dirname "$0")/setup"
root=$(cd "$(dirname "$0")/../.." && pwd)
expect first "$root/tools/quickstart" "$folder/quickstart"
expect again "$root/tools/quickstart" "$folder/quickstart"
mkdir "$folder/other" && echo mine >"$folder/other/file"
refuse foreign-directory 'was not made by this script' "$root/tools/quickstart" "$folder/other"
[ -f "$folder/other/file" ] && good foreign-directory-kept || bad foreign-directory-kept "it is gone"
finish

#!/usr/bin/env bash
# The trace of a real program, in both forms, and what cloudhsm-cli makes of it.
. "$(dirname "$0")/setup"
cd "$folder" || exit 1
activate
ask() { # EXPRESSION: of the summary in `out`
    python3 -c '
import json, sys
summary = json.load(open("out"))["data"]
print(eval(sys.argv[1], {**summary, "login": [row for row in summary["failures"] if row["function"] == "C_Login"]}))' "$1"
}
is() { # NAME WANTED EXPRESSION
    local name=$1 wanted=$2 got
    got=$(ask "$3" 2>&1)
    [ "$got" = "$wanted" ] && good "$name" || bad "$name" "$got, wanted $wanted"
}
tool() { pkcs11-tool --module "$library" "$@"; }
for form in text json; do
    export CLOUDHSM_PKCS11_TRACE=$form CLOUDHSM_PKCS11_TRACE_FILE=$folder/$form.trace
    expect "$form-keygen" tool --login --pin "$PIN" --keygen --key-type AES:32 --label "traced $form" --private --sensitive
    refuse "$form-wrong-pin" CKR_PIN_INCORRECT tool --login --pin client_user:another-password --list-objects
    unset CLOUDHSM_PKCS11_TRACE CLOUDHSM_PKCS11_TRACE_FILE
    [ "$(stat -c %a $form.trace)" = 600 ] && good "$form-mode" || bad "$form-mode" "$(stat -c %a $form.trace)"
    grep -q "traced $form" $form.trace && good "$form-label" || bad "$form-label" "the label is not there"
    grep -qE 'client-password|another-password' $form.trace && bad "$form-no-pin" "a password stands there" || good "$form-no-pin"
    calls=$(grep -c 'C_[A-Za-z]*' $form.trace)
    expect "$form-summary" "$cli" trace summarize --file $form.trace
    is "$form-all-lines" 0 other_lines
    is "$form-processes" 2 processes
    is "$form-failures" CKR_PIN_INCORRECT 'login[0]["result"]'
    [ "$(ask calls)" -le "$calls" ] && [ "$(ask calls)" -gt 20 ] && good "$form-calls" || bad "$form-calls" "$(ask calls) of $calls"
    ask 'login[0]["what_to_do"]' | grep -q 'user:password' && good "$form-cure" || bad "$form-cure" "$(ask login)"
    ask calls >$form.calls
done
cmp -s text.calls json.calls && good same-calls || bad same-calls "$(cat text.calls json.calls)"
# A line that was cut off is counted, not guessed.
head -c 200 json.trace >cut.trace
tail -n 3 text.trace >>cut.trace
expect cut-summary "$cli" trace summarize --file cut.trace
[ "$(ask other_lines)" -ge 1 ] && good cut-line || bad cut-line "$(cat out)"
refuse no-trace 'none of its' "$cli" trace summarize --file /etc/hostname
refuse no-file 'No such file' "$cli" trace summarize --file missing.trace
finish

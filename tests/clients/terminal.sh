#!/usr/bin/env bash
# Interactive mode on a terminal: prompts, passwords that are not shown, completion, a history without passwords, several clusters.
. "$(dirname "$0")/setup"
cd "$folder" || exit 1
cat >terminal.py <<'PY'
"""Runs the program on a terminal of its own: terminal.py PROGRAM STEP..., each step `expected text>>>what is typed then`."""
import os, pty, re, select, sys, time
program, steps = sys.argv[1:][0].split(), sys.argv[2:]
pid, terminal = pty.fork()
if pid == 0:
    os.environ["TERM"] = "xterm"
    os.execv(program[0], program)
seen, everything = "", ""
for step in steps:
    wanted, typed = step.split(">>>", 1)
    end = time.monotonic() + 20
    while wanted not in seen:
        ready, _, _ = select.select([terminal], [], [], 0.2)
        if ready:
            try:
                more = os.read(terminal, 65536).decode(errors="replace")
            except OSError:
                more = ""
            if not more:
                break
            # Without the control sequences of the line editor.
            seen += re.sub("\x1b\\[[0-9;?]*[a-zA-Z]", "", more)
        if time.monotonic() > end:
            break
    if wanted not in seen:
        sys.exit(f"waited in vain for {wanted!r}; there was: {everything + seen!r}")
    everything, seen = everything + seen, ""
    os.write(terminal, typed.encode().decode("unicode_escape").encode())
while True:
    try:
        more = os.read(terminal, 65536)
    except OSError:
        break
    if not more:
        break
    everything += more.decode(errors="replace")
_, status = os.waitpid(pid, 0)
print(everything)
sys.exit(os.waitstatus_to_exitcode(status))
PY
export XDG_STATE_HOME=$folder/state
on_terminal() { python3 terminal.py "$@" >screen; local status=$?; cat screen; return $status; }
activate
# A password that is asked for is not on the screen, and no line that holds one is remembered.
expect login-asks on_terminal "$cli interactive" \
    'aws-cloudhsm > >>>login --username client_user --role crypto-user\n' 'assword>>>client-password\n' \
    '"role": "crypto-user">>>key list\n' 'total_key_count>>>logout\n' 'Logout successful>>>quit\n'
shown() { ! grep -q client-password screen; }
expect password-is-not-shown shown
expect login-with-password on_terminal "$cli interactive" \
    'aws-cloudhsm > >>>login --username client_user --role crypto-user --password client-password\n' \
    '"role": "crypto-user">>>key li\t\n' 'total_key_count>>>quit\n'
history_holds() { grep -qx 'key list' "$XDG_STATE_HOME/cloudhsm-cli/history" && ! grep -q client-password "$XDG_STATE_HOME/cloudhsm-cli/history"; }
expect history history_holds
private() { test "$(stat -c %a "$XDG_STATE_HOME/cloudhsm-cli/history")" = 600; }
expect history-is-the-owners private
# The line before, by the arrow key.
expect history-recalled on_terminal "$cli interactive" 'aws-cloudhsm > >>>\x1b[A\x1b[A\n' 'Nobody is logged in>>>quit\n'
# The wrong password, then the end of the input.
expect wrong-password on_terminal "$cli interactive" \
    'aws-cloudhsm > >>>login --username client_user --role crypto-user\n' 'assword>>>wrong-password\n' \
    'Incorrect authentication credentials>>>\x04'
# With several clusters the prompt says who is logged in where.
two_clusters() {
    export CLOUDHSM_PKCS11_CLUSTERS=2
    "$cli" cluster activate --cluster-id hsm2 --password other-password && on_terminal "$cli interactive --cluster-id hsm1" \
        'aws-cloudhsm > >>>login --username admin --role admin --password other-password --cluster-id hsm2\n' \
        'admin@hsm2 > >>>login --username client_user --role crypto-user --password client-password\n' \
        'client_user@hsm1 > >>>key list\n' 'total_key_count>>>logout --cluster-id hsm1\n' \
        'Logout successful>>>user list --cluster-id hsm2\n' 'admin@hsm2 > >>>quit\n'
}
refuse several-clusters-unnamed 'multiple clusters' env CLOUDHSM_PKCS11_CLUSTERS=2 "$cli" interactive
expect several-clusters two_clusters
finish

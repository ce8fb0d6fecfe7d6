#!/usr/bin/env bash
# Interactive mode on a terminal: prompts, passwords that are not shown, completion, a history without passwords, several clusters.
. "$(dirname "$0")/setup"
cd "$folder" || exit 1
export XDG_STATE_HOME=$folder/state
activate
# A password that is asked for is not on the screen, and none is remembered with its line.
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
# However a password is quoted, and where it stands wrongly: such a line is remembered without it or not at all.
# Two of the lines are errors, as they must be: what is said is shown only if they did not come.
odd_quotes() {
    said=$(on_terminal "$cli interactive" \
        'aws-cloudhsm > >>>login --username client_user --role crypto-user --pass"word" client-password\n' \
        '"role": "crypto-user">>>logout\n' \
        'Logout successful>>>login --username client_user "--password=client-password" --role crypto-user\n' \
        '"role": "crypto-user">>>logout\n' \
        'Logout successful>>>login --username client_user --role crypto-user --pass\\word \\\n' $'\r\n\r> >>>client-password\\n' \
        '"role": "crypto-user">>>logout\n' \
        'Logout successful>>>login --username client_user --role crypto-user client-password\n' \
        'unrecognized subcommand>>>login --username client_user --role crypto-user --password "client-password\n' \
        'quote is open>>>#client-password\n' $'#client-password\r\n\raws-cloudhsm > >>>client-password\\n' \
        'unrecognized subcommand>>>quit\n') || { echo "$said"; return 1; }
}
expect login-with-odd-quotes odd_quotes
understood() {
    ! grep -q client-password "$XDG_STATE_HOME/cloudhsm-cli/history" &&
        test "$(grep -cx 'login --username client_user --role crypto-user' "$XDG_STATE_HOME/cloudhsm-cli/history")" -ge 2
}
expect history-without-any-password understood
private() { test "$(stat -c %a "$XDG_STATE_HOME/cloudhsm-cli/history")" = 600; }
expect history-is-the-owners private
# The line before, by the arrow key.
expect history-recalled on_terminal "$cli interactive" 'aws-cloudhsm > >>>\x1b[A\x1b[A\n' 'Nobody is logged in>>>quit\n'
# The wrong password, then the end of the input.
expect wrong-password on_terminal "$cli interactive" \
    'aws-cloudhsm > >>>login --username client_user --role crypto-user\n' 'assword>>>wrong-password\n' \
    'Incorrect authentication credentials>>>' 'aws-cloudhsm > >>>\x04'
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

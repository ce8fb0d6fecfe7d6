#!/usr/bin/env bash
# A user with a second factor: the program waits while the token that it wrote is signed by openssl, as a person would.
. "$(dirname "$0")/setup"
cd "$folder" || exit 1
openssl genrsa -out ann.key 2048 2>/dev/null && openssl rsa -in ann.key -pubout -out ann.pem 2>/dev/null
openssl genrsa -out other.key 2048 2>/dev/null
sign() { # KEY: fills in the signature of t.json once it is there
    local tries=0
    until [ -s t.json ]; do sleep 0.1; tries=$((tries + 1)); [ $tries -gt 100 ] && return 1; done
    sed -n 's/.*"unsigned": "\(.*\)",.*/\1/p' t.json | base64 -d |
        openssl pkeyutl -sign -inkey "$1" -pkeyopt digest:sha256 | base64 -w0 >signature
    sed -i "s|\"signed\": \"\"|\"signed\": \"$(cat signature)\"|" t.json
}
"$cli" cluster activate --password officer-password >/dev/null
CLOUDHSM_ROLE=admin CLOUDHSM_PIN=admin:officer-password \
    "$cli" user create --username ann --role crypto-user --password ann-password >/dev/null
register() {
    rm -f t.json
    { sign ann.key; echo; echo ann.pem; } | CLOUDHSM_ROLE=crypto-user CLOUDHSM_PIN=ann:ann-password "$cli" user change-mfa \
        token-sign --username ann --role crypto-user --change-password ann-password --token t.json
}
log_in() { # KEY
    rm -f t.json
    { echo "login --username ann --role crypto-user --password ann-password mfa-token-sign --token t.json"
      sign "$1"; echo; echo "key list"; } | "$cli" interactive >said
    cat said
    grep -q '"total_key_count"' said
}
expect register register
expect listed sh -c "'$cli' user list | grep -A3 mfa | grep -q enabled"
expect login-with-the-key log_in ann.key
wrong() { ! log_in other.key && grep -q 'Incorrect authentication credentials' said; }
expect login-with-another-key wrong
plain() { ! CLOUDHSM_ROLE=crypto-user CLOUDHSM_PIN=ann:ann-password "$cli" key list; }
expect login-without-it plain

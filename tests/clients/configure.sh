#!/usr/bin/env bash
# configure-pkcs11: what it writes is what the library does, as pkcs11-tool sees it.
. "$(dirname "$0")/setup"
tool() { pkcs11-tool --module "$library" "$@"; }
user() { tool --login --pin "$PIN" "$@"; }
configure=$(dirname "$cli")/configure-pkcs11
# A machine with AWS's package has a folder that would be written to.
export CLOUDHSM_PKCS11_ETC=$folder/none
cd "$folder" || exit 1

activate
openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -subj /CN=test -outform DER -out cert.der 2>/dev/null
store() { user --write-object cert.der --type cert --label cert --id 01; }
listed() { tool --list-objects --type cert >out 2>&1 && grep -q 'Certificate Object' out; }

refuse certificates-at-first 'CKR_ATTRIBUTE_VALUE_INVALID' store
expect certificates-on "$configure" --enable-certificate-storage
expect certificates-stored store
expect certificates-listed listed
expect certificates-off "$configure" --disable-certificate-storage
refuse certificates-not-listed '' listed
refuse certificates-not-stored 'CKR_ATTRIBUTE_VALUE_INVALID' store

expect availability-on "$configure" --enable-key-availability-check
refuse availability-no-key 'CKR_FUNCTION_FAILED' user --keygen --key-type AES:32 --label aes --private
expect availability-off "$configure" --disable-key-availability-check
expect availability-key user --keygen --key-type AES:32 --label aes --private

slots() { [ "$(tool --list-slots 2>/dev/null | grep -c '^Slot ')" = "$1" ]; }
expect one-slot slots 1
expect name-the-first "$configure" --cluster-id cluster-1
expect add-cluster "$configure" add-cluster --cluster-id cluster-2
expect two-slots slots 2
expect remove-cluster "$configure" remove-cluster --cluster-id cluster-2
expect one-slot-again slots 1

expect log "$configure" --log-type file --log-file "$folder/pkcs11.log" --log-level debug
expect log-slots tool --list-slots
expect log-written grep -q C_Initialize pkcs11.log
expect log-quiet "$configure" --log-level error
rm -f pkcs11.log
expect log-quiet-slots tool --list-slots
[ ! -s pkcs11.log ] && good log-quiet-holds || bad log-quiet-holds "$(cat pkcs11.log)"

# A change that the library would refuse is not made.
cp "$CLOUDHSM_PKCS11_HOME/cloudhsm-pkcs11.cfg" before
echo '{ "logging": { "log_level": "loud" } }' >"$CLOUDHSM_PKCS11_HOME/cloudhsm-pkcs11.cfg"
refuse malformed 'loud' "$configure" --enable-certificate-storage
refuse malformed-library 'loud' tool --list-slots
mv before "$CLOUDHSM_PKCS11_HOME/cloudhsm-pkcs11.cfg"
expect whole user --list-objects
finish

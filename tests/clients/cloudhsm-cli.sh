#!/usr/bin/env bash
# What cloudhsm-cli and an application do to one HSM, and the prompts on a terminal.
. "$(dirname "$0")/setup"
tool() { pkcs11-tool --module "$library" "$@"; }
user() { tool --login --pin "$PIN" "$@"; }
as_user() { CLOUDHSM_ROLE=crypto-user CLOUDHSM_PIN=$PIN "$cli" "$@"; }
as_officer() { CLOUDHSM_ROLE=admin CLOUDHSM_PIN=admin:officer-password "$cli" "$@"; }
says() { # TEXT COMMAND...: the command succeeds and its output has the text
    local text=$1
    shift
    "$@" >said 2>&1 && cat said && grep -qE -- "$text" said
}
cd "$folder" || exit 1

terminal() { # the program asks, does not show what is typed, and answers
    on_terminal "$cli cluster activate" 'Enter password:>>>officer-password\n' 'Confirm password:>>>officer-password\n' || return 1
    grep -q 'Cluster activation successful' screen && ! grep -q 'officer-password' screen
}
expect prompts-on-a-terminal terminal
expect user-create as_officer user create --username client_user --role crypto-user --password client-password
expect officer-logs-in as_officer key list

# Made by the one, used by the other.
expect ec-pair as_user key generate-asymmetric-pair ec --curve secp256r1 --public-label ec --private-label ec \
    --private-attributes sign=true id=0x07 --public-attributes verify=true id=0x07
expect aes-key as_user key generate-symmetric aes --label aes --key-length-bytes 32 --attributes encrypt=true
echo "text to sign" >text
expect listed-by-application says 'label: +aes' user --list-objects
expect sign user --sign --mechanism ECDSA-SHA256 --signature-format openssl --id 07 --input-file text --output-file sig
expect public-key user --read-object --type pubkey --id 07 --output-file public.der
expect verify sh -c 'openssl pkey -pubin -inform DER -in public.der -out public.pem && openssl dgst -sha256 -verify public.pem -signature sig text'
expect made-by-application user --keygen --key-type AES:16 --label theirs --id 08 --private --sensitive
expect listed-by-cli says '"key-length-bytes": 16' as_user key list --verbose --filter attr.label=theirs attr.id=0x08
expect delete as_user key delete --filter attr.label=theirs
gone() { ! user --list-objects 2>&1 | grep -E 'label: +theirs'; }
expect deleted-for-application gone

# An officer's new password holds for applications at once.
expect change-password as_officer user change-password --username client_user --role crypto-user --password other-password
refuse old-password CKR_PIN_INCORRECT user --list-objects
PIN=client_user:other-password
expect new-password user --list-objects

# An HSM of another profile, with a PIN that this program would not have taken.
export CLOUDHSM_PKCS11_HOME=$folder/standard CLOUDHSM_PKCS11_PROFILE=standard
expect standard-token tool --init-token --label mytoken --so-pin 12345678
expect standard-pin tool --login --login-type so --so-pin 12345678 --init-pin --pin 1234
PIN=1234
expect standard-pair user --keypairgen --key-type EC:secp256r1 --label theirs --id 01
PIN=user:1234
expect standard-listed says '"total_key_count": 2' as_user key list --verbose
# A kind of key that CloudHSM's dialect does not have (CKK_EC_EDWARDS, PKCS#11 3.2 section 6.3.5) is a key of the user's all the same.
PIN=1234
if user --keypairgen --key-type EC:edwards25519 --label edwards --id 02 >out 2>&1; then
    PIN=user:1234
    expect edwards-listed says '"total_key_count": 4' as_user key list --verbose
    expect edwards-filtered says '"total_key_count": 2' as_user key list --filter attr.label=edwards
    expect edwards-by-type says '"total_key_count": 2' as_user key list --filter attr.key-type=ec-edwards
else
    echo "skip $script-edwards: this pkcs11-tool makes no Ed25519 pair"
fi
expect doctor "$cli" doctor
finish

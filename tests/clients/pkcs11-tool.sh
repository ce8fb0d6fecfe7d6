#!/usr/bin/env bash
# OpenSC's pkcs11-tool, on a CloudHSM and on a general-purpose token.
. "$(dirname "$0")/setup"
tool() { pkcs11-tool --module "$library" "$@"; }
user() { tool --login --pin "$PIN" "$@"; }
cd "$folder" || exit 1

expect unactivated-slots tool --list-slots
refuse unactivated-login 'CKR_USER_PIN_NOT_INITIALIZED' user --list-objects
[ ! -e "$CLOUDHSM_PKCS11_HOME" ] && good unactivated-creates-nothing || bad unactivated-creates-nothing "$CLOUDHSM_PKCS11_HOME"

activate
expect info tool --show-info
expect slots tool --list-slots
expect mechanisms tool --list-mechanisms
expect interfaces tool --list-interfaces
expect objects-none user --list-objects
expect ec-pair user --keypairgen --key-type EC:prime256v1 --usage-sign --label ec --id 01 --private
expect rsa-pair user --keypairgen --key-type rsa:2048 --label rsa --id 02 --private
expect aes-key user --keygen --key-type AES:32 --label aes --id 03 --private --sensitive
expect objects user --list-objects
for object in ec rsa aes; do
    grep -qE "label: +$object\$" out && good "objects-has-$object" || bad "objects-has-$object" "not listed"
done
# A label that is no text: the key is shown and found by its bytes, and its neighbour, whose label is the text of them, by its own.
expect bytes-label user --keygen --key-type AES:16 --label "$(printf '\377\376')" --id 05 --private --sensitive
expect bytes-label-as-text user --keygen --key-type AES:16 --label 0xfffe00 --id 06 --private --sensitive
listed() { CLOUDHSM_ROLE=crypto-user CLOUDHSM_PIN=$PIN "$cli" key list --verbose --filter attr.label="$1" | grep -A 1 '"label": "'"$1"'"' | grep '"id": "'"$2"'"'; }
expect bytes-label-listed listed 0xfffe 0x05
expect text-label-listed listed 0xfffe00 0x06
# CloudHSM's public keys are private objects, and the refusal must say so in one line.
refuse ec-pair-not-private 'CKA_PRIVATE' user --keypairgen --key-type EC:prime256v1 --usage-sign --label public --id 04
[ "$(grep -c CKA_PRIVATE out)" = 1 ] && good ec-pair-not-private-once || bad ec-pair-not-private-once "not one line"

echo "text to sign" >text
expect ec-public user --read-object --type pubkey --id 01 --output-file ec.der
expect ec-sign user --sign --mechanism ECDSA-SHA256 --signature-format openssl --id 01 --input-file text --output-file ec.sig
expect ec-verified-by-openssl sh -c 'openssl pkey -pubin -inform DER -in ec.der -out ec.pem && openssl dgst -sha256 -verify ec.pem -signature ec.sig text'
expect rsa-public user --read-object --type pubkey --id 02 --output-file rsa.der
expect rsa-sign user --sign --mechanism SHA256-RSA-PKCS --id 02 --input-file text --output-file rsa.sig
expect rsa-verified-by-openssl sh -c 'openssl pkey -pubin -inform DER -in rsa.der -out rsa.pem && openssl dgst -sha256 -verify rsa.pem -signature rsa.sig text'
expect rsa-pss-sign user --sign --mechanism SHA256-RSA-PKCS-PSS --id 02 --input-file text --output-file pss.sig
expect rsa-pss-verified-by-openssl openssl dgst -sha256 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32 -verify rsa.pem -signature pss.sig text
expect random user --generate-random 32 --output-file random
[ "$(wc -c <random)" = 32 ] && good random-32 || bad random-32 "another length"
expect test user --test
# Certificates are switched off, as on CloudHSM; the refusal names the setting.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -keyout plain.key -subj /CN=x -outform DER -out x.der 2>/dev/null
refuse certificate-switched-off 'certificate_storage' user --write-object x.der --type cert --id 02 --label x
refuse wrong-pin 'CKR_PIN_INCORRECT' tool --login --pin client_user:wrong-password --list-objects
expect delete-private user --delete-object --type privkey --id 01
expect delete-public user --delete-object --type pubkey --id 01

# A program written for a general-purpose token.
export CLOUDHSM_PKCS11_HOME=$folder/standard CLOUDHSM_PKCS11_PROFILE=standard
expect standard-init-token tool --init-token --label mytoken --so-pin 12345678
expect standard-init-pin tool --login --login-type so --so-pin 12345678 --init-pin --pin 123456
PIN=123456
expect standard-ec-pair user --keypairgen --key-type EC:secp384r1 --label ec --id 01
expect standard-objects tool --list-objects
grep -q 'Public Key Object' out && good standard-public-object-without-login || bad standard-public-object-without-login "not listed"
expect standard-change-pin user --change-pin --new-pin 654321
PIN=654321
expect standard-sign user --sign --mechanism ECDSA --id 01 --input-file random --output-file sig
expect standard-test user --test
finish

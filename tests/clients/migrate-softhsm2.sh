#!/usr/bin/env bash
# cloudhsm-cli migrate softhsm2: a token with keys of every kind moves, what may not leave stays, the token is as it was.
. "$(dirname "$0")/setup"
configure=$(dirname "$cli")/configure-pkcs11
softhsm=
for place in /usr/lib/softhsm /usr/lib/*/softhsm /usr/lib64/softhsm /usr/lib64/pkcs11; do
    [ -f "$place/libsofthsm2.so" ] && softhsm=$place/libsofthsm2.so && break
done
[ -n "$softhsm" ] || { echo "skip $script: SoftHSM2 is not installed"; exit 0; }
export CLOUDHSM_PKCS11_ETC=$folder/none SOFTHSM2_CONF=$folder/softhsm2.conf
cd "$folder" || exit 1
mkdir tokens
echo "directories.tokendir = $folder/tokens" >softhsm2.conf
there() { pkcs11-tool --module "$softhsm" --login --pin 1234 --token-label old "$@"; }
here() { pkcs11-tool --module "$library" --login --pin "$PIN" "$@"; }
migrate() { env CLOUDHSM_ROLE=crypto-user CLOUDHSM_PIN="$PIN" "$cli" migrate softhsm2 "$@"; }
# json NAME PYTHON: what the last answer of the CLI, `d`, must be.
json() { expect "$1" python3 -c "import json; d = json.load(open('answer'))['data']; assert $2, d"; }
tree() { (cd tokens && find . -type f -exec sha256sum {} + && find . -printf '%p %s %T@ %m\n') | LC_ALL=C sort; }

activate
expect token softhsm2-util --init-token --free --label old --so-pin 12345678 --pin 1234
expect other-token softhsm2-util --init-token --free --label other --so-pin 12345678 --pin 4321

# Keys made there, and keys brought there.
expect make-rsa there --keypairgen --key-type rsa:2048 --label rsa --id 01 --extractable --usage-sign --usage-decrypt
expect make-ec there --keypairgen --key-type EC:prime256v1 --label ec --id 02 --extractable --usage-sign
expect make-aes there --keygen --key-type AES:32 --label aes --id 03 --extractable --sensitive
expect make-generic there --keygen --key-type GENERIC:64 --label mac --id 04 --extractable
head -c 24 /dev/urandom >des3.key
expect import-des3 there --write-object des3.key --type secrkey --key-type DES3:24 --label des3 --id 05 --extractable
expect make-odd there --keygen --key-type GENERIC:77 --label odd --id 09 --extractable
expect make-stuck there --keypairgen --key-type EC:prime256v1 --label stuck --id 06 --usage-sign
expect make-stuck-aes there --keygen --key-type AES:16 --label stuck-aes --id 07 --sensitive
expect make-small there --keypairgen --key-type rsa:1024 --label small --id 08 --extractable
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072 -out irsa.pem 2>/dev/null
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out iec.pem 2>/dev/null
openssl pkcs8 -topk8 -nocrypt -in irsa.pem -out irsa.p8 && openssl pkcs8 -topk8 -nocrypt -in iec.pem -out iec.p8
expect import-rsa softhsm2-util --import irsa.p8 --token old --pin 1234 --label irsa --id 11 --force
expect import-ec softhsm2-util --import iec.p8 --token old --pin 1234 --label iec --id 12 --force
# softhsm2-util makes them unextractable; pkcs11-tool says what they are to be.
openssl pkey -in irsa.pem -outform DER -out irsa.der && openssl pkey -in iec.pem -outform DER -out iec.der
expect import-rsa-free there --write-object irsa.der --type privkey --label irsa-free --id 13 --extractable --usage-sign
expect import-ec-free there --write-object iec.der --type privkey --label iec-free --id 14 --extractable --usage-sign
head -c 32 /dev/urandom >aes.key
expect import-aes there --write-object aes.key --type secrkey --key-type AES:32 --label iaes --id 15 --extractable
edwards=
there --keypairgen --key-type EC:edwards25519 --label ed --id 16 --extractable --usage-sign >out 2>&1 && edwards=1
expect make-guarded python3 "$scripts/guarded_key.py" "$softhsm" old 1234 guarded 1
expect make-dated python3 "$scripts/guarded_key.py" "$softhsm" old 1234 dated 0
openssl req -x509 -key irsa.pem -subj /CN=moved -outform DER -out cert.der 2>/dev/null
expect import-certificate there --write-object cert.der --type cert --label cert --id 11
echo words >data
expect import-data there --write-object data --type data --label words
for key in rsa:01 ec:02; do
    there --read-object --type pubkey --id "${key#*:}" --output-file "there-${key%:*}.der" >/dev/null 2>&1
    openssl pkey -pubin -inform DER -in "there-${key%:*}.der" -out "there-${key%:*}.pem" 2>/dev/null
done
openssl pkey -in irsa.pem -pubout -out there-irsa-free.pem
openssl pkey -in iec.pem -pubout -out there-iec-free.pem
echo "text to sign" >text
expect encrypt-there there --encrypt --mechanism AES-CBC-PAD --iv 00000000000000000000000000000000 --id 03 --input-file text --output-file text.aes
expect odd-there there --sign --mechanism SHA256-HMAC --id 09 --input-file text --output-file odd.mac
expect mac-there there --sign --mechanism SHA256-HMAC --id 04 --input-file text --output-file text.mac
tree >before

# Who may, which token, which library.
refuse no-login 'CLOUDHSM_ROLE' "$cli" migrate softhsm2 --library "$softhsm" --token-label old --pin 1234
refuse admin 'needs the role crypto-user' env CLOUDHSM_ROLE=admin CLOUDHSM_PIN=admin:officer-password \
    "$cli" migrate softhsm2 --library "$softhsm" --token-label old --pin 1234
refuse two-tokens '2 tokens match' migrate --library "$softhsm" --pin 1234
refuse no-token 'no such token' migrate --library "$softhsm" --token-label new --pin 1234
refuse two-choices 'cannot be used with' migrate --token-label old --serial 1 --pin 1234
refuse no-library 'nowhere.so' migrate --library nowhere.so --token-label old --pin 1234
refuse other-library "is not SoftHSM2's library" migrate --library "$library" --pin 1234
tree >after
expect refused-leaves-the-token cmp before after

expect dry-run sh -c "echo 1234 | CLOUDHSM_ROLE=crypto-user CLOUDHSM_PIN=$PIN '$cli' migrate softhsm2 --library '$softhsm' --token-label old --dry-run >answer"
json dry-run-answer "d['counts']['moved'] >= 13 and all(m['key-reference'] is None for m in d['moved'])"
expect dry-run-keeps-nothing here --list-objects
[ ! -s out ] || ! grep -q label out && good dry-run-no-objects || bad dry-run-no-objects "something was kept"

expect migrate sh -c "CLOUDHSM_ROLE=crypto-user CLOUDHSM_PIN=$PIN '$cli' migrate softhsm2 --library '$softhsm' --token-label old --pin 1234 >answer"
cp answer first
json moved-all "{m['label'] for m in d['moved'] if m['class'] != 'public-key'} >= {'rsa', 'ec', 'aes', 'mac', 'odd', 'des3', 'irsa-free', 'iec-free', 'iaes'}"
json moved-references "all(m['key-reference'].startswith('0x') and len(m['key-reference']) == 18 for m in d['moved'])"
json left-unextractable "{l['label'] for l in d['left'] if 'CKA_EXTRACTABLE' in l['reason']} >= {'stuck', 'stuck-aes'}"
json left-certificate "[l for l in d['left'] if l['class'] == 'certificate' and 'certificate storage' in l['reason']]"
json left-data "[l for l in d['left'] if l['class'] == 'data' and 'standard' in l['reason']]"
json left-small "[l for l in d['left'] if l['label'] == 'small' and '1024' in l['reason']]"
json counts "d['counts'] == {'moved': len(d['moved']), 'left': len(d['left']), 'present': 0}"
json lost-flags "[m for m in d['moved'] if m['label'] == 'rsa' and m['class'] == 'public-key' and 'private' in m['not-carried-over']]"
# What protects a key by a list, and the dates that keys of a CloudHSM do not have (User Guide, pkcs11-attributes).
for label in guarded dated; do
    json lost-of-$label "[set(m['not-carried-over']) >= {'start-date', 'end-date', 'allowed-mechanisms', 'wrap-template', 'unwrap-template'} for m in d['moved'] if m['label'] == '$label'] == [True]"
done
json lost-of-others "not [m for m in d['moved'] if m['label'] not in ('guarded', 'dated') and {'end-date', 'allowed-mechanisms', 'wrap-template', 'unwrap-template'} & set(m['not-carried-over'])]"
tree >after
expect token-untouched cmp before after
expect key-list sh -c "CLOUDHSM_ROLE=crypto-user CLOUDHSM_PIN=$PIN '$cli' key list --filter attr.label=aes --verbose >answer"
json key-list-attributes "d['matched_keys'][0]['attributes']['id'] == '0x03' and d['matched_keys'][0]['attributes']['extractable'] is True"

# What was moved does what it did: signatures by the moved keys verify under the public keys that were there.
signs() { # name, id, mechanism
    expect "sign-$1" here --sign --mechanism "$3" --signature-format openssl --id "$2" --input-file text --output-file "$1.sig"
    expect "verify-$1" openssl dgst -sha256 -verify "there-$1.pem" -signature "$1.sig" text
}
signs rsa 01 SHA256-RSA-PKCS
signs ec 02 ECDSA-SHA256
signs irsa-free 13 SHA256-RSA-PKCS
signs iec-free 14 ECDSA-SHA256
# SoftHSM2 2.6 wraps no Ed25519 key, and this one is sensitive.
[ -z "$edwards" ] || { cp first answer && json left-edwards "[l for l in d['left'] if l['label'] == 'ed' and 'KeyNotWrappable' in l['reason']]"; }
expect decrypt here --decrypt --mechanism AES-CBC-PAD --iv 00000000000000000000000000000000 --id 03 --input-file text.aes --output-file text.out
expect decrypted cmp text text.out
expect mac here --sign --mechanism SHA256-HMAC --id 04 --input-file text --output-file mac.out
expect mac-same cmp text.mac mac.out
expect odd here --sign --mechanism SHA256-HMAC --id 09 --input-file text --output-file odd.out
expect odd-same cmp odd.mac odd.out
refuse stuck-is-not-here '' here --sign --mechanism ECDSA --id 06 --input-file text

# Again: nothing is moved twice; certificates follow once they can be stored.
expect again sh -c "CLOUDHSM_ROLE=crypto-user CLOUDHSM_PIN=$PIN '$cli' migrate softhsm2 --library '$softhsm' --token-label old --pin 1234 >answer"
json again-nothing "d['moved'] == [] and d['counts']['present'] == len(json.load(open('first'))['data']['moved'])"
expect certificates "$configure" --enable-certificate-storage
expect once-more sh -c "CLOUDHSM_ROLE=crypto-user CLOUDHSM_PIN=$PIN '$cli' migrate softhsm2 --library '$softhsm' --token-label old --pin 1234 >answer"
json once-more-certificate "[m['class'] for m in d['moved']] == ['certificate']"
expect certificate-read here --read-object --type cert --id 11 --output-file cert.out
expect certificate-same cmp cert.der cert.out
expect last sh -c "CLOUDHSM_ROLE=crypto-user CLOUDHSM_PIN=$PIN '$cli' migrate softhsm2 --library '$softhsm' --token-label old --pin 1234 >answer"
json last-nothing "d['moved'] == []"
# A run that was interrupted: what is missing is moved.
expect lose-a-key here --delete-object --type secrkey --id 03
expect repair sh -c "CLOUDHSM_ROLE=crypto-user CLOUDHSM_PIN=$PIN '$cli' migrate softhsm2 --library '$softhsm' --token-label old --pin 1234 >answer"
json repaired "[m['label'] for m in d['moved']] == ['aes']"
tree >after
expect token-untouched-at-the-end cmp before after

# A general-purpose token takes data objects, certificates and small RSA keys too.
export CLOUDHSM_PKCS11_HOME=$folder/standard CLOUDHSM_PKCS11_PROFILE=standard
activate
expect standard sh -c "CLOUDHSM_ROLE=crypto-user CLOUDHSM_PIN=$PIN '$cli' migrate softhsm2 --library '$softhsm' --token-label old --pin 1234 >answer"
json standard-classes "{'data', 'certificate'} <= {m['class'] for m in d['moved']}"
# SoftHSM2 2.6 does not show the dates of a private object.
json standard-lost-of-guarded "[set(m['not-carried-over']) for m in d['moved'] if m['label'] == 'guarded'] == [{'start-date', 'end-date', 'allowed-mechanisms', 'wrap-template', 'unwrap-template'}]"
json standard-lost-of-dated "[set(m['not-carried-over']) for m in d['moved'] if m['label'] == 'dated'] == [{'allowed-mechanisms', 'wrap-template', 'unwrap-template'}]"
json standard-lost-none "all('private' not in m['not-carried-over'] for m in d['moved'])"
expect standard-data here --read-object --type data --label words --output-file data.out
expect standard-data-same cmp data data.out
expect standard-again sh -c "CLOUDHSM_ROLE=crypto-user CLOUDHSM_PIN=$PIN '$cli' migrate softhsm2 --library '$softhsm' --token-label old --pin 1234 >answer"
json standard-again-nothing "d['moved'] == []"
finish

#!/usr/bin/env bash
# Two officers and three users run an HSM as AWS's User Guide has it (quorum-auth-chsm-cli-first-time, -admin, -crypto-user;
# reference-mfa-cloudhsm-cli): keys for approvals and second factors made and used by openssl, two of two officers for users, two of
# three users for a key, which then refuses to sign through PKCS#11.
. "$(dirname "$0")/setup"
cd "$folder" || exit 1
as() { # NAME COMMAND...: the program as one of the five
    local role=crypto-user name=$1
    shift
    [ "$name" = admin ] || [ "$name" = olga ] && role=admin
    CLOUDHSM_ROLE=$role CLOUDHSM_PIN=$name:$name-password "$cli" "$@"
}
cat >approve.py <<'PY'
# Signs the tokens in a file as a user: approve.py FILE NAME ROLE
import base64, json, subprocess, sys
path, name, role = sys.argv[1:]
def sign(digest):
    command = ["openssl", "pkeyutl", "-sign", "-inkey", name + ".key", "-pkeyopt", "digest:sha256"]
    made = subprocess.run(command, input=base64.b64decode(digest), capture_output=True, check=True)
    return base64.b64encode(made.stdout).decode()
token = json.load(open(path))
if "tokens" in token:
    token["tokens"][0]["signed"] = sign(token["tokens"][0]["unsigned"])
else:
    token["signatures"].append({"username": name, "role": role, "signature": sign(token["token"])})
json.dump(token, open(path, "w"))
PY
approve() { python3 approve.py "$@"; } # FILE NAME ROLE
fresh() {                               # FILE NAME SERVICE [FILTER]: a token of NAME's
    rm -f "$1"
    as "$2" quorum token-sign generate --service "$3" --token "$1" ${4:+--filter "$4"}
}
# A program that believes that eleven minutes have gone by.
cat >later.c <<'C'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>
int clock_gettime(clockid_t clock, struct timespec *time) {
    int (*real)(clockid_t, struct timespec *) = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int status = real(clock, time);
    time->tv_sec += 660;
    return status;
}
C
cc -shared -fPIC -o later.so later.c -ldl

# The HSM and its people.
expect activate "$cli" cluster activate --password admin-password
expect olga as admin user create --username olga --role admin --password olga-password
for name in ann ben cara; do
    expect $name as admin user create --username $name --role crypto-user --password $name-password
done
register() { # NAME ROLE: the key for approvals
    openssl genrsa -out "$1.key" 2048 && openssl rsa -in "$1.key" -pubout -out "$1.pem" &&
        fresh "$1.json" "$1" registration && approve "$1.json" "$1" "$2" &&
        as "$1" user change-quorum token-sign register --public-key "$1.pem" --signed-token "$1.json"
}
for name in admin olga; do expect register-$name register $name admin; done
for name in ann ben cara; do expect register-$name register $name crypto-user; done

# Two of two officers for users.
expect quorum-value as admin quorum token-sign set-quorum-value --service quorum --value 2
both() { approve "$1" admin admin && approve "$1" olga admin; }
user_value() {
    fresh q.json olga quorum && both q.json &&
        as olga quorum token-sign set-quorum-value --service user --value 2 --approval q.json
}
expect user-value user_value
dora() { as admin user create --username dora --role crypto-user --password dora-password "$@"; }
refuse without-approvals 'Quorum approval is required' dora
one() { fresh u.json admin user && approve u.json admin admin && dora --approval u.json; }
refuse one-of-two 'Too few quorum approvals: currently 1 approvals, but 2' one
altered() { # the digest that was signed, in a token that says something else
    approve u.json olga admin && python3 - <<'PY' && dora --approval altered.json
import base64, json
token = json.load(open("u.json"))
data = bytearray(base64.b64decode(token["approval_data"]))
data[-1] ^= 1
token["approval_data"] = base64.b64encode(data).decode()
json.dump(token, open("altered.json", "w"))
PY
}
refuse altered 'Invalid username-signature pair' altered
foreign() { as olga user create --username dora --role crypto-user --password dora-password --approval u.json; }
refuse of-another-officer 'belongs to another login' foreign
expired() { LD_PRELOAD=./later.so dora --approval u.json; }
refuse expired 'has expired' expired
expect two-of-two dora --approval u.json
refuse replayed 'Invalid username-signature pair' as admin user create --username emil --role crypto-user \
    --password emil-password --approval u.json
refuse through-pkcs11 'CKR_FUNCTION_FAILED' pkcs11-tool --module "$library" --login --login-type so --so-pin admin:admin-password \
    --init-pin --new-pin emil:emil-password
refuse init-token-through-pkcs11 'CKR_FUNCTION_FAILED' pkcs11-tool --module "$library" --init-token --label hsm1 \
    --so-pin admin:admin-password
refuse own-pin-of-an-officer-through-pkcs11 'CKR_FUNCTION_FAILED' pkcs11-tool --module "$library" --login --login-type so \
    --so-pin admin:admin-password --change-pin --pin admin:admin-password --new-pin admin:another-password

# A key of ann's that two of its three users approve each use of.
expect key as ann key generate-asymmetric-pair ec --curve secp256r1 --public-label guarded-public --private-label guarded \
    --public-attributes verify=true --private-attributes sign=true id=0x01 --share-crypto-users ben cara \
    --manage-private-key-quorum-value 2 --use-private-key-quorum-value 2
expect plain-key as ann key generate-asymmetric-pair ec --curve secp256r1 --public-label plain-public --private-label plain \
    --public-attributes verify=true --private-attributes sign=true id=0x02
printf 'a contract' >contract
sign() { # NAME [OPTIONS]: the contract, into the file signature
    local name=$1
    shift
    as "$name" crypto sign ecdsa --key-filter attr.label=guarded --hash-function sha256 --data-path contract "$@" >signed &&
        sed -n 's/.*"signature": "\(.*\)".*/\1/p' signed | base64 -d >raw
}
refuse sign-without 'Quorum Failed' as ann crypto sign ecdsa --key-filter attr.label=guarded --hash-function sha256 \
    --data-path contract
few() { fresh k.json ann key-usage attr.label=guarded && approve k.json ben crypto-user && sign ann --approval k.json; }
few_said() { few || { cat signed && return 1; }; }
refuse sign-with-one 'Too few quorum approvals: currently 1 approvals, but 2' few_said
two() { approve k.json cara crypto-user && sign ann --approval k.json; }
expect sign-with-two-of-three two
replay() { sign ann --approval k.json || { cat signed && return 1; }; }
refuse sign-replayed 'Invalid username-signature pair' replay
# The signature is one that openssl accepts.
expect public-key as ann key generate-file --encoding pem --path guarded.pem --filter attr.label=guarded-public
verify() {
    python3 - <<'PY' && openssl dgst -sha256 -verify guarded.pem -signature der contract
raw = open("raw", "rb").read()
def number(part):
    part = part.lstrip(b"\0") or b"\0"
    part = (b"\0" if part[0] & 128 else b"") + part
    return bytes([2, len(part)]) + part
body = number(raw[:32]) + number(raw[32:])
open("der", "wb").write(bytes([48, len(body)]) + body)
PY
}
expect openssl-verifies verify
late() {
    fresh l.json ann key-usage attr.label=guarded && approve l.json ben crypto-user && approve l.json cara crypto-user &&
        LD_PRELOAD=./later.so as ann crypto sign ecdsa --key-filter attr.label=guarded --hash-function sha256 \
            --data-path contract --approval l.json
}
refuse sign-expired 'has expired' late
# Through PKCS#11, which has no place for approvals, it refuses; the plain key beside it signs.
through_pkcs11() {
    pkcs11-tool --module "$library" --login --pin ann:ann-password --sign --mechanism ECDSA-SHA256 --id "$1" \
        --input-file contract --output-file out.sig
}
expect plain-key-through-pkcs11 through_pkcs11 02
refuse key-through-pkcs11 'CKR_KEY_FUNCTION_NOT_PERMITTED' through_pkcs11 01

# cara gets a second factor: one more key of hers, made by openssl; PKCS#11 has no place for it either.
answer() { # KEY: signs the token that the program has written, and says so
    local tries=0
    until [ -s mfa.json ]; do sleep 0.1; tries=$((tries + 1)); [ $tries -gt 100 ] && return 1; done
    approve mfa.json "$1" crypto-user && echo
}
second_factor() {
    openssl genrsa -out factor.key 2048 && openssl rsa -in factor.key -pubout -out factor.pem && rm -f mfa.json &&
        { answer factor; echo factor.pem; } | as cara user change-mfa token-sign --username cara --role crypto-user \
            --change-password cara-password --token mfa.json
}
expect second-factor second_factor
log_in() { # KEY
    rm -f mfa.json
    { echo "login --username cara --role crypto-user --password cara-password mfa-token-sign --token mfa.json"
      answer "$1"
      echo "key list"; } | "$cli" interactive >said
    cat said && grep -q total_key_count said
}
expect login-with-second-factor log_in factor
refuse login-with-another-key 'Incorrect authentication credentials' log_in ben
refuse pkcs11-without-second-factor 'CKR_FUNCTION_FAILED' pkcs11-tool --module "$library" --login --pin cara:cara-password \
    --list-objects
# What was done is in the log, and the log is whole.
said() {
    as admin audit export --path events --format json-lines &&
        python3 -c 'import json; names = [json.loads(line)["opcode"] for line in open("events")]
for name, count in [("CN_SET_M_VALUE", 2), ("CN_APPROVE_TOKEN", 6), ("CN_CREATE_CO", 1), ("CN_CREATE_USER", 4)]:
    print(name, names.count(name)); assert names.count(name) >= count, name'
}
expect audit-tells said
expect audit-verify "$cli" audit verify
expect doctor env CLOUDHSM_ROLE=crypto-user CLOUDHSM_PIN=ann:ann-password "$cli" doctor --verify
finish

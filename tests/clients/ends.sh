#!/usr/bin/env bash
# Programs that end without C_Finalize, as most do: one of C, by itself and through p11-kit; the command of OpenSSL with its engine;
# a Java virtual machine (SunPKCS11, which never calls it). The status is the program's own, nothing is said, and the HSM is whole.
. "$(dirname "$0")/setup"
here=$PWD
cd "$folder" || exit 1
# The general profile: SunPKCS11 makes public keys that are not private, which CloudHSM refuses.
export CLOUDHSM_PKCS11_PROFILE=standard
activate

ended() { # NAME STATUS COMMAND...: it ends with this status and says `signed`, no other word, and what it leaves is whole
    local name=$1 wanted=$2 status=0
    shift 2
    "$@" >out 2>&1 </dev/null || status=$?
    if [ $status != "$wanted" ] || [ "$(cat out)" != signed ]; then
        bad "$name" "status $status, wanted $wanted"
    else
        good "$name"
    fi
    expect "$name-doctor" "$cli" doctor
    expect "$name-usable" pkcs11-tool --module "$library" --login --pin "$PIN" --keygen --key-type AES:32 --label "$name" --private --sensitive
}

# A program of C, with an operation under way.
cat >ends.c <<'C'
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cryptoki.h"
#define MUST(call) if ((rv = (call)) != CKR_OK) { printf("%s: 0x%lx\n", #call, rv); _Exit(1); }
int main(int argc, char **argv)
{
    CK_RV rv;
    CK_FUNCTION_LIST *p11;
    CK_SLOT_ID slots[32];
    CK_ULONG count = 32, size = 32, at;
    CK_SESSION_HANDLE session;
    CK_OBJECT_HANDLE key;
    CK_BBOOL yes = CK_TRUE;
    CK_ATTRIBUTE template[] = {{CKA_VALUE_LEN, &size, sizeof size}, {CKA_SIGN, &yes, 1}};
    CK_MECHANISM make = {CKM_AES_KEY_GEN, NULL, 0}, mac = {CKM_AES_CMAC, NULL, 0};
    CK_BYTE data[100] = {0}, out[16];
    if (argc == 5) { /* p11-kit's library loads the module, and wraps it. */
        void *kit = dlopen(argv[4], RTLD_NOW);
        CK_FUNCTION_LIST *(*load)(const char *, int) = (CK_FUNCTION_LIST * (*)(const char *, int)) dlsym(kit, "p11_kit_module_load");
        CK_RV (*begin)(CK_FUNCTION_LIST *) = (CK_RV(*)(CK_FUNCTION_LIST *))dlsym(kit, "p11_kit_module_initialize");
        p11 = load(argv[1], 0);
        MUST(p11 ? begin(p11) : CKR_GENERAL_ERROR);
    } else {
        CK_C_GetFunctionList list = (CK_C_GetFunctionList)dlsym(dlopen(argv[1], RTLD_NOW), "C_GetFunctionList");
        MUST(list ? list(&p11) : CKR_GENERAL_ERROR);
        MUST(p11->C_Initialize(NULL));
    }
    MUST(p11->C_GetSlotList(CK_TRUE, slots, &count));
    for (at = 0; at < count; at++) {
        CK_TOKEN_INFO token;
        if (p11->C_GetTokenInfo(slots[at], &token) == CKR_OK && memcmp(token.label, "hsm1", 4) == 0)
            break;
    }
    if (at == count) {
        puts("no token");
        return 1;
    }
    MUST(p11->C_OpenSession(slots[at], CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &session));
    MUST(p11->C_Login(session, CKU_USER, (CK_BYTE *)argv[2], strlen(argv[2])));
    MUST(p11->C_GenerateKey(session, &make, template, 2, &key));
    MUST(p11->C_SignInit(session, &mac, key));
    size = sizeof out;
    MUST(p11->C_Sign(session, data, sizeof data, out, &size));
    MUST(p11->C_SignInit(session, &mac, key));
    MUST(p11->C_SignUpdate(session, data, sizeof data));
    puts("signed");
    exit(atoi(argv[3]));
}
C
root=$here
cc -std=c11 -I "$root/include" -o ends ends.c -ldl || bad c "it does not compile"
ended c 7 ./ends "$library" "$PIN" 7

# The same through p11-kit, which loads the library for every program that asks for tokens.
kit=$(find /usr/lib /usr/lib64 -name libp11-kit.so.0 2>/dev/null | head -n 1)
if [ -n "$kit" ]; then
    ended p11-kit 8 ./ends "$library" "$PIN" 8 "$kit"
else
    echo "skip ends-p11-kit: libp11-kit is not installed"
fi

# OpenSSL's command ends by itself after one signature.
engine=$(find /usr/lib /usr/lib64 -name pkcs11.so -path '*engines*' 2>/dev/null | head -n 1)
if [ -n "$engine" ]; then
    expect openssl-key pkcs11-tool --module "$library" --login --pin "$PIN" --keypairgen --key-type EC:prime256v1 --usage-sign --label ends --id 01
    cat >openssl.cnf <<CNF
openssl_conf = all
[all]
engines = engines
[engines]
pkcs11 = pkcs11
[pkcs11]
engine_id = pkcs11
dynamic_path = $engine
MODULE_PATH = $library
PIN = $PIN
init = 0
CNF
    head -c 100 /dev/zero >text
    openssl_signs() {
        OPENSSL_CONF=openssl.cnf openssl dgst -sha256 -engine pkcs11 -keyform engine -sign 'pkcs11:object=ends;type=private' \
            -out sig text >said 2>&1 && [ -s sig ] && echo signed || cat said
    }
    ended openssl 0 openssl_signs
else
    echo "skip ends-openssl: OpenSSL's engine for PKCS#11 is not installed"
fi

# Java, in the three ways in which a virtual machine ends.
cat >pkcs11.cfg <<CFG
name = hsm
library = $library
slotListIndex = 0
CFG
# One file, which `java` compiles itself; a runtime without a compiler cannot.
cat >Ends.java <<'JAVA'
import java.security.*;
import java.security.spec.ECGenParameterSpec;

public class Ends {
    public static void main(String[] words) throws Exception {
        Provider provider = Security.getProvider("SunPKCS11").configure("pkcs11.cfg");
        KeyStore store = KeyStore.getInstance("PKCS11", provider);
        store.load(null, words[1].toCharArray());
        KeyPairGenerator generator = KeyPairGenerator.getInstance("EC", provider);
        generator.initialize(new ECGenParameterSpec("secp256r1"));
        KeyPair pair = generator.generateKeyPair();
        Signature signer = Signature.getInstance("SHA256withECDSA", provider);
        signer.initSign(pair.getPrivate());
        signer.update(new byte[100]);
        byte[] signature = signer.sign();
        signer.initVerify(pair.getPublic());
        signer.update(new byte[100]);
        if (!signer.verify(signature))
            throw new SignatureException("wrong");
        // An operation is under way, and nobody logs out.
        signer.initSign(pair.getPrivate());
        signer.update(new byte[100]);
        System.out.println("signed");
        switch (words[0]) {
            case "exit" -> System.exit(7);
            case "halt" -> Runtime.getRuntime().halt(8);
            default -> { }
        }
    }
}
JAVA
java_ends() { # HOW STATUS
    ended "java-$1" "$2" java Ends.java "$1" "$PIN"
}
if ! command -v java >/dev/null; then
    echo "skip ends-java: java is not installed"
elif ! java -version 2>&1 | grep -qE 'version "(1[7-9]|[2-9][0-9])' || ! java --list-modules 2>/dev/null | grep -q '^jdk.compiler'; then
    echo "skip ends-java: java is older than 17 or has no compiler"
else
    java_ends return 0
    java_ends exit 7
    java_ends halt 8
fi
finish

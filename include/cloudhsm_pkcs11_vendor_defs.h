/*
 * cloudhsm_pkcs11_vendor_defs.h - CloudHSM's own names for PKCS#11, written for this library.
 *
 * The names are those of AWS's header of this name, so that a program written for CloudHSM compiles on this one. Most
 * numbers are public too. A number marked "ours" is not: AWS gives it only in the header inside its package. We chose
 * it by the pattern of the public ones, vendor bit OR the standard's number. A program that was compiled on AWS's
 * header may therefore have other numbers where this file says "ours"; compiled on this header it has ours.
 *
 * It may be included before or after a program's own PKCS#11 header, of 2.40 or later: what such a header has is taken from there,
 * and what it lacks is supplied here. The guard is that of AWS's header.
 *
 * crates/base/src/ck/vendor.rs has the same numbers and marks; tools/dev/check/vendor compares the two.
 */
#ifndef _CLOUDHSM_PKCS11_VENDOR_DEFS_H_
#define _CLOUDHSM_PKCS11_VENDOR_DEFS_H_

#include "cryptoki.h"

/* Mechanisms */
#define CKM_CLOUDHSM_SP800_108_COUNTER_KDF (CKM_VENDOR_DEFINED | 0x00000001UL)
#define CKM_CLOUDHSM_AES_GCM (CKM_VENDOR_DEFINED | 0x00001087UL)
#define CKM_CLOUDHSM_AES_KEY_WRAP_NO_PAD (CKM_VENDOR_DEFINED | 0x00002109UL)
#define CKM_CLOUDHSM_AES_KEY_WRAP_PKCS5_PAD (CKM_VENDOR_DEFINED | 0x0000210AUL)
#define CKM_CLOUDHSM_AES_KEY_WRAP_ZERO_PAD (CKM_VENDOR_DEFINED | 0x0000216FUL)
#define CKM_CLOUDHSM_ML_DSA_KEY_PAIR_GEN (CKM_VENDOR_DEFINED | 0x0000001CUL) /* ours */
#define CKM_CLOUDHSM_ML_DSA (CKM_VENDOR_DEFINED | 0x0000001DUL)              /* ours */
#define CKM_CLOUDHSM_EXT_MU_ML_DSA (CKM_VENDOR_DEFINED | 0x0000001EUL)       /* ours; the standard has no such mechanism */
#define CKM_CLOUDHSM_EDDSA (CKM_VENDOR_DEFINED | 0x00001057UL)               /* ours */

/* A name of the older client (SDK 3) only; this library does not offer it. */
#define CKM_DES3_NIST_WRAP (CKM_VENDOR_DEFINED | 0x00008000UL)

/* Key type of ML-DSA keys, and the attribute that names their parameter set */
typedef CK_ULONG CK_CLOUDHSM_ML_DSA_PARAMETER_SET_TYPE;
#define CKK_CLOUDHSM_ML_DSA (CKK_VENDOR_DEFINED | 0x0000004AUL)        /* ours, the name too */
#define CKA_CLOUDHSM_PARAMETER_SET (CKA_VENDOR_DEFINED | 0x0000061DUL) /* ours */
#define CKP_CLOUDHSM_ML_DSA_44 (0x80000000UL | 0x00000001UL)           /* ours */
#define CKP_CLOUDHSM_ML_DSA_65 (0x80000000UL | 0x00000002UL)           /* ours */
#define CKP_CLOUDHSM_ML_DSA_87 (0x80000000UL | 0x00000003UL)           /* ours */

/* Key derivation functions of CKM_ECDH1_DERIVE (ANSI X9.63) */
#define CKD_CLOUDHSM_X963_SHA1_KDF (0x80000000UL | 0x00000002UL)   /* ours */
#define CKD_CLOUDHSM_X963_SHA224_KDF (0x80000000UL | 0x00000005UL) /* ours */
#define CKD_CLOUDHSM_X963_SHA256_KDF (0x80000000UL | 0x00000006UL) /* ours */
#define CKD_CLOUDHSM_X963_SHA384_KDF (0x80000000UL | 0x00000007UL) /* ours */
#define CKD_CLOUDHSM_X963_SHA512_KDF (0x80000000UL | 0x00000008UL) /* ours */

#if defined(_WIN32)
#pragma pack(push, cloudhsm_vendor_defs, 1)
#endif

/* Of PKCS#11 3.0, for a program whose own headers are older */
#ifndef CK_SP800_108_ITERATION_VARIABLE
struct CK_EDDSA_PARAMS {
    CK_BBOOL phFlag;
    CK_ULONG ulContextDataLen;
    CK_BYTE *pContextData;
};
typedef struct CK_EDDSA_PARAMS CK_EDDSA_PARAMS;
typedef CK_EDDSA_PARAMS *CK_EDDSA_PARAMS_PTR;

typedef CK_ULONG CK_PRF_DATA_TYPE;
struct CK_PRF_DATA_PARAM {
    CK_PRF_DATA_TYPE type;
    void *pValue;
    CK_ULONG ulValueLen;
};
typedef struct CK_PRF_DATA_PARAM CK_PRF_DATA_PARAM;
typedef CK_PRF_DATA_PARAM *CK_PRF_DATA_PARAM_PTR;
#endif

/*
 * Parameter of CKM_CLOUDHSM_SP800_108_COUNTER_KDF
 *
 * AWS defined these structures before PKCS#11 3.0 did, under the very names that the standard then took for larger
 * ones: CK_SP800_108_KDF_PARAMS has three fields here and five there, and the numbers of the data types differ. Both
 * cannot have the name in one program, and a CloudHSM program means AWS's. So AWS's structures are declared under
 * names of their own, and the old names are macros for those. Whoever wants the standard's structures beside this
 * header defines CLOUDHSM_PKCS11_STANDARD_SP800_108 before including it and writes CK_CLOUDHSM_... for AWS's.
 * CK_PRF_DATA_PARAM is the same in both.
 */
typedef CK_MECHANISM_TYPE CK_PRF_TYPE;

struct CK_CLOUDHSM_SP800_108_COUNTER_FORMAT {
    CK_ULONG ulWidthInBits; /* 16 or 32 */
};
typedef struct CK_CLOUDHSM_SP800_108_COUNTER_FORMAT CK_CLOUDHSM_SP800_108_COUNTER_FORMAT;
typedef CK_CLOUDHSM_SP800_108_COUNTER_FORMAT *CK_CLOUDHSM_SP800_108_COUNTER_FORMAT_PTR;

struct CK_CLOUDHSM_SP800_108_DKM_LENGTH_FORMAT {
    CK_ULONG dkmLengthMethod; /* SP800_108_DKM_LENGTH_SUM_OF_KEYS */
    CK_ULONG ulWidthInBits;   /* 8, 16, 32 or 64 */
};
typedef struct CK_CLOUDHSM_SP800_108_DKM_LENGTH_FORMAT CK_CLOUDHSM_SP800_108_DKM_LENGTH_FORMAT;
typedef CK_CLOUDHSM_SP800_108_DKM_LENGTH_FORMAT *CK_CLOUDHSM_SP800_108_DKM_LENGTH_FORMAT_PTR;

struct CK_CLOUDHSM_SP800_108_KDF_PARAMS {
    CK_PRF_TYPE prftype; /* an HMAC mechanism or CKM_AES_CMAC; the standard spells it prfType */
    CK_ULONG ulNumberOfDataParams;
    CK_PRF_DATA_PARAM *pDataParams;
};
typedef struct CK_CLOUDHSM_SP800_108_KDF_PARAMS CK_CLOUDHSM_SP800_108_KDF_PARAMS;
typedef CK_CLOUDHSM_SP800_108_KDF_PARAMS *CK_CLOUDHSM_SP800_108_KDF_PARAMS_PTR;

#if defined(_WIN32)
#pragma pack(pop, cloudhsm_vendor_defs)
#endif

#define SP800_108_DKM_LENGTH_SUM_OF_KEYS 1UL
#define SP800_108_DKM_LENGTH_SUM_OF_SEGMENTS 2UL

/* Data types: the pieces are joined in the order given. */
#define CK_CLOUDHSM_SP800_108_ITERATION_VARIABLE 1UL
#define CK_CLOUDHSM_SP800_108_DKM_LENGTH 2UL
#define CK_CLOUDHSM_SP800_108_BYTE_ARRAY 3UL
/* Older data types: whatever the order, the input is counter, label, a zero byte, context, length. */
#define SP800_108_COUNTER_FORMAT 4UL
#define SP800_108_PRF_LABEL 5UL
#define SP800_108_PRF_CONTEXT 6UL
#define SP800_108_DKM_FORMAT 7UL
#define SP800_108_BYTE_ARRAY 8UL

#ifndef CLOUDHSM_PKCS11_STANDARD_SP800_108
#define CK_SP800_108_COUNTER_FORMAT CK_CLOUDHSM_SP800_108_COUNTER_FORMAT
#define CK_SP800_108_COUNTER_FORMAT_PTR CK_CLOUDHSM_SP800_108_COUNTER_FORMAT_PTR
#define CK_SP800_108_DKM_LENGTH_FORMAT CK_CLOUDHSM_SP800_108_DKM_LENGTH_FORMAT
#define CK_SP800_108_DKM_LENGTH_FORMAT_PTR CK_CLOUDHSM_SP800_108_DKM_LENGTH_FORMAT_PTR
#define CK_SP800_108_KDF_PARAMS CK_CLOUDHSM_SP800_108_KDF_PARAMS
#define CK_SP800_108_KDF_PARAMS_PTR CK_CLOUDHSM_SP800_108_KDF_PARAMS_PTR
#undef CK_SP800_108_ITERATION_VARIABLE
#undef CK_SP800_108_DKM_LENGTH
#undef CK_SP800_108_BYTE_ARRAY
#undef CKM_SP800_108_COUNTER_KDF
#define CK_SP800_108_ITERATION_VARIABLE CK_CLOUDHSM_SP800_108_ITERATION_VARIABLE
#define CK_SP800_108_DKM_LENGTH CK_CLOUDHSM_SP800_108_DKM_LENGTH
#define CK_SP800_108_BYTE_ARRAY CK_CLOUDHSM_SP800_108_BYTE_ARRAY
#define CKM_SP800_108_COUNTER_KDF CKM_CLOUDHSM_SP800_108_COUNTER_KDF /* 0x3AC in the standard */
#endif

#endif

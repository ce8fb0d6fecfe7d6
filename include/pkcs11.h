/* This file is in the Public Domain */
/*
 * pkcs11.h - PKCS#11 3.2, of which 2.40 is a part: types and numbers (pkcs11t.h), prototypes, types of functions and function
 * lists (from pkcs11f.h).
 *
 * It is there once, and so is the standard: where a program has included a PKCS#11 header of its own first, this one adds nothing,
 * and one that comes later adds nothing to this. The guards are those of the standard's headers, of the free ones (Scute, p11-kit,
 * OpenSC), of the one in the public domain and of openCryptoki's.
 */
#if !defined(_PKCS11_H_) && (defined(CLOUDHSM_PKCS11_TYPES) || !defined(CKM_VENDOR_DEFINED))
#define _PKCS11_H_ 1
#define PKCS11_H 1
#define _PD_PKCS11_
#define _PKCS11TYPES_H_

#include "pkcs11t.h"

#if defined(_WIN32) || defined(CRYPTOKI_FORCE_WIN32)
#pragma pack(push, cryptoki, 1)
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* The functions: `extern CK_RV C_Initialize(void *);` */
#define CK_NEED_ARG_LIST 1
#define CK_PKCS11_FUNCTION_INFO(name) extern CK_RV name
#include "pkcs11f.h"
#undef CK_PKCS11_FUNCTION_INFO

/* Pointers to them: `typedef CK_RV (*CK_C_Initialize)(void *);` */
#define CK_PKCS11_FUNCTION_INFO(name) typedef CK_RV (*CK_##name)
#include "pkcs11f.h"
#undef CK_PKCS11_FUNCTION_INFO
#undef CK_NEED_ARG_LIST

/* The lists: `CK_C_Initialize C_Initialize;` */
#define CK_PKCS11_FUNCTION_INFO(name) CK_##name name;
struct CK_FUNCTION_LIST_3_2 {
    CK_VERSION version;
#include "pkcs11f.h"
};

#define CK_PKCS11_3_0_ONLY 1
struct CK_FUNCTION_LIST_3_0 {
    CK_VERSION version;
#include "pkcs11f.h"
};
#undef CK_PKCS11_3_0_ONLY

#define CK_PKCS11_2_0_ONLY 1
struct CK_FUNCTION_LIST {
    CK_VERSION version;
#include "pkcs11f.h"
};
#undef CK_PKCS11_2_0_ONLY
#undef CK_PKCS11_FUNCTION_INFO

#ifdef __cplusplus
}
#endif

#if defined(_WIN32) || defined(CRYPTOKI_FORCE_WIN32)
#pragma pack(pop, cryptoki)
#endif

#endif

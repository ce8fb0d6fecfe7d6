/*
 * cryptoki.h - the header that CloudHSM applications include:
 *
 *     #include <cryptoki.h>
 *     #include <cloudhsm_pkcs11_vendor_defs.h>
 *
 * It is pkcs11.h (the standard's version 3.2, of which 2.40 is a part) with the few words that the headers of version
 * 2.40 had and that one leaves out.
 */
#ifndef CLOUDHSM_PKCS11_CRYPTOKI_H
#define CLOUDHSM_PKCS11_CRYPTOKI_H

#ifdef __cplusplus
extern "C" {
#endif
#include "pkcs11.h"
#ifdef __cplusplus
}
#endif

#ifndef CK_PTR
#define CK_PTR *
#endif
#ifndef CK_DECLARE_FUNCTION
#define CK_DECLARE_FUNCTION(returnType, name) returnType name
#endif
#ifndef CK_DEFINE_FUNCTION
#define CK_DEFINE_FUNCTION(returnType, name) returnType name
#endif
#ifndef CK_DECLARE_FUNCTION_POINTER
#define CK_DECLARE_FUNCTION_POINTER(returnType, name) returnType (*name)
#endif
#ifndef CK_CALLBACK_FUNCTION
#define CK_CALLBACK_FUNCTION(returnType, name) returnType (*name)
#endif

#ifndef CK_DISABLE_TRUE_FALSE
#ifndef FALSE
#define FALSE CK_FALSE
#endif
#ifndef TRUE
#define TRUE CK_TRUE
#endif
#endif

#endif

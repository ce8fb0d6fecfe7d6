/*
 * cryptoki.h - the header that CloudHSM applications include:
 *
 *     #include <cryptoki.h>
 *     #include <cloudhsm_pkcs11_vendor_defs.h>
 *
 * It is pkcs11.h (the standard's version 3.2, of which 2.40 is a part) with the macros that a program must define before it
 * includes the standard's own header, spelled as the standard proposes: a program may define them once more.
 */
#ifndef CLOUDHSM_PKCS11_CRYPTOKI_H
#define CLOUDHSM_PKCS11_CRYPTOKI_H

#include "pkcs11.h"

#ifndef CK_PTR
#define CK_PTR *
#endif
#ifndef NULL_PTR
#define NULL_PTR 0
#endif
#ifndef CK_DECLARE_FUNCTION
#define CK_DECLARE_FUNCTION(returnType, name) returnType name
#endif
#ifndef CK_DEFINE_FUNCTION
#define CK_DEFINE_FUNCTION(returnType, name) returnType name
#endif
#ifndef CK_DECLARE_FUNCTION_POINTER
#define CK_DECLARE_FUNCTION_POINTER(returnType, name) returnType (* name)
#endif
#ifndef CK_CALLBACK_FUNCTION
#define CK_CALLBACK_FUNCTION(returnType, name) returnType (* name)
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

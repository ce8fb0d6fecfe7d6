/*
 * What a login is to the sessions of a program: all of them have it, and it stays when the session that made it goes
 * (PKCS#11 2.40, C_Login and C_CloseSession; User Guide, pkcs11-pin).
 */
#include "flow.h"

static CK_STATE state(CK_SESSION_HANDLE session)
{
    CK_SESSION_INFO information;
    return p11->C_GetSessionInfo(session, &information) == CKR_OK ? information.state : CK_UNAVAILABLE_INFORMATION;
}

int main(int argc, char **argv)
{
    CK_SESSION_HANDLE sessions[3];

    start(argc, argv);
    for (size_t i = 0; i < COUNT(sessions); i++)
        sessions[i] = open_session();
    for (size_t i = 0; i < COUNT(sessions); i++)
        HOLDS("public-before-login", state(sessions[i]) == CKS_RW_PUBLIC_SESSION);

    OK("login", login(sessions[0]));
    for (size_t i = 0; i < COUNT(sessions); i++)
        HOLDS("one-login-is-for-all", state(sessions[i]) == CKS_RW_USER_FUNCTIONS);
    GIVES(CKR_USER_ALREADY_LOGGED_IN, "login-again", login(sessions[0]));
    GIVES(CKR_USER_ALREADY_LOGGED_IN, "login-in-another-session", login(sessions[1]));

    OK("close-the-session-that-logged-in", p11->C_CloseSession(sessions[0]));
    GIVES(CKR_SESSION_HANDLE_INVALID, "closed", p11->C_Logout(sessions[0]));
    HOLDS("the-others-stay-logged-in",
          state(sessions[1]) == CKS_RW_USER_FUNCTIONS && state(sessions[2]) == CKS_RW_USER_FUNCTIONS);
    sessions[0] = open_session();
    HOLDS("a-new-one-is-logged-in", state(sessions[0]) == CKS_RW_USER_FUNCTIONS);

    OK("logout", p11->C_Logout(sessions[1]));
    for (size_t i = 0; i < COUNT(sessions); i++)
        HOLDS("one-logout-is-for-all", state(sessions[i]) == CKS_RW_PUBLIC_SESSION);
    GIVES(CKR_USER_NOT_LOGGED_IN, "logout-again", p11->C_Logout(sessions[2]));
    OK("login-after-logout", login(sessions[2]));
    OK("close-all", p11->C_CloseAllSessions(slot));
    sessions[0] = open_session();
    HOLDS("the-last-session-took-the-login", state(sessions[0]) == CKS_RW_PUBLIC_SESSION);
    return end();
}

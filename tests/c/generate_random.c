/* Random bytes: any length, never twice the same, nothing written behind the buffer. */
#include "flow.h"

int main(int argc, char **argv)
{
    CK_SESSION_HANDLE session = begin(argc, argv);
    static const CK_ULONG lengths[] = {1, 32, 1000, 8000};
    CK_BYTE before[32];
    struct bytes made;
    int distinct = 0, seen[256] = {0};

    for (size_t i = 0; i < COUNT(lengths); i++) {
        memset(made.at, 0, sizeof made.at);
        OK("generate", p11->C_GenerateRandom(session, made.at, lengths[i]));
        HOLDS("nothing-behind-the-buffer", !memcmp(made.at + lengths[i], (CK_BYTE[8]){0}, 8));
    }
    for (CK_ULONG i = 0; i < lengths[3]; i++)
        distinct += !seen[made.at[i]]++;
    HOLDS("every-byte-is-among-8000", distinct == 256);
    memcpy(before, made.at, sizeof before);
    OK("generate-again", p11->C_GenerateRandom(session, made.at, sizeof before));
    HOLDS("not-the-same", memcmp(before, made.at, sizeof before) != 0);
    GIVES(CKR_ARGUMENTS_BAD, "null-buffer", p11->C_GenerateRandom(session, NULL, 8));
    return end();
}

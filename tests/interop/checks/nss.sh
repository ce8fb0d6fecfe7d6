# NSS asks for interfaces of its own; that this library has none is no news for stderr.
modutil -dbdir sql:db -list cloudhsm >list 2>said
if grep C_GetInterface said; then exit 1; fi

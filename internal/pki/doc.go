// Package pki says who is who in a federation: keys, certificates, the
// authority that signs them, one-time tokens, and TLS made of these.
//
// A name is a SPIFFE ID in a certificate's URI SAN
// (spiffe://FEDERATION/ROLE/NAME). A root signs an issuer, which the
// coordinator holds; the issuer signs everybody else, so the root's key may
// stay on another machine. Keys are ECDSA P-256, files PEM: anybody can look at
// them with openssl.
package pki

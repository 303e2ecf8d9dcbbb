// Package accord holds no code: it is the root of a federated-learning
// coordinator. The binary is cmd/accord; see ARCHITECTURE.md for the rest.
package accord
